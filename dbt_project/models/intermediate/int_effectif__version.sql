{{ config(indexes=[{'columns': ['siren', 'periode_index']}]) }}

with

perimetre as (

    select * from {{ ref('int_perimetre__month') }}

),

last_period_known as (

    select * from {{ ref('int_effectif__last_period') }}

),

-- What is older than the perimeter's window, on every month of the range, can neither open it nor be the last value.
oldest_period as (

    select {{ month_date('(min(last_period_known.last_period - perimetre.fenetre_mois) + 1)') }} as periode
    from last_period_known
    inner join perimetre using (month_index)

),

company_version as (

    select
        siren,
        {{ month_index('periode') }} as periode_index,
        effectif,
        {{ known_months() }}
    from {{ ref('stg_urssaf__effectif_ent') }}
    where
        periode >= (select oldest_period.periode from oldest_period)
        and {{ known_in_range() }}

),

establishment_version as (

    select
        left(siret, 9) as siren,
        {{ month_index('periode') }} as periode_index,
        effectif,
        {{ known_months() }}
    from {{ ref('stg_urssaf__effectif') }}
    where
        periode >= (select oldest_period.periode from oldest_period)
        and {{ known_in_range() }}
        {% if is_one_month() %}
        -- Whom the company file names in that month needs nothing of its establishments.
        and not exists (
            select 1 from company_version as company
            where company.siren = left(siret, 9)
        )
        {% endif %}

),

first_month_of_the_company_file as (

    select
        siren,
        {{ month_index('min(known_from)') }} as first_month
    from {{ ref('stg_urssaf__effectif_ent') }}
    where siren in (select establishment_version.siren from establishment_version)
    group by siren

),

-- Establishments count only while the company file has never named the company.
establishment_without_company as (

    select
        establishment.siren,
        establishment.periode_index,
        establishment.effectif,
        establishment.valid_from,
        least(establishment.valid_to, coalesce(company.first_month, 999999)) as valid_to
    from establishment_version as establishment
    left join first_month_of_the_company_file as company on establishment.siren = company.siren
    where company.first_month is null or establishment.valid_from < company.first_month

),

change_of_a_sum as (

    select siren, periode_index, valid_from as change_month, effectif, 1 as n from establishment_without_company
    union all
    select siren, periode_index, valid_to as change_month, -effectif, -1 as n from establishment_without_company

),

summed_change as (

    select
        siren,
        periode_index,
        change_month,
        sum(effectif) as effectif,
        sum(n) as n
    from change_of_a_sum
    group by siren, periode_index, change_month

),

sum_of_establishments as (

    select
        siren,
        periode_index,
        sum(effectif) over so_far as effectif,
        sum(n) over so_far as n,
        change_month as valid_from,
        coalesce(lead(change_month) over so_far, 999999) as valid_to
    from summed_change
    window so_far as (partition by siren, periode_index order by change_month)

),

version_in_the_range as (

    select siren, periode_index, effectif, valid_from, valid_to from company_version
    where {{ touches_range() }} and periode_index <= {{ range_last() }}
    union all
    select siren, periode_index, effectif::integer, valid_from, valid_to from sum_of_establishments
    where n > 0 and {{ touches_range() }} and periode_index <= {{ range_last() }}

),

company_that_reached_the_minimum as (

    select
        siren,
        max(periode_index) as last_period,
        max(periode_index) filter (where effectif >= (select min(perimetre.effectif_minimum) from perimetre)) as last_reached
    from version_in_the_range
    group by siren

),

version_of_eligible_companies as (

    select version.*
    from version_in_the_range as version
    inner join company_that_reached_the_minimum as company using (siren)
    where
        company.last_reached is not null
        {% if is_one_month() %}
        -- One month needs the last headcount, and the last one that opened the perimeter.
        and version.periode_index in (company.last_period, company.last_reached)
        {% endif %}

)

select * from version_of_eligible_companies
order by siren, periode_index
