{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

cotisation as (

    select * from {{ ref('stg_urssaf__cotisation') }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

-- A month sees the twelve periods before it: the other rows cannot matter to the range.
version as (

    select
        compte,
        siret,
        periode_debut,
        cotisation_due_eur,
        {{ month_index('periode_debut') }} as first_period,
        {{ month_index('periode_fin') }} - 1 as last_period,
        {{ known_months() }}
    from cotisation
    where
        periode_debut < {{ range_end_date() }}
        and periode_fin >= {{ range_start_date() }} - interval '13 months'
        and {{ known_in_range() }}
        and cotisation_due_eur is not null

),

version_with_siren as (

    {{ rows_with_siren('version', 'left(siret, 9)', 'periode_debut', ['first_period', 'last_period', 'cotisation_due_eur']) }}

),

{% if is_one_month() %}

{%- set oldest = range_first() | int - 12 -%}

-- A quarterly or yearly period is spread evenly over its months: here, those among the twelve before the month.
due_before_the_month as (

    select
        version.siren,
        round(version.cotisation_due_eur / (version.last_period - version.first_period + 1), 6) as due_a_month,
        greatest(version.first_period, {{ oldest }}) - {{ oldest }} as first_rank,
        least(version.last_period, {{ range_last() }} - 1) - {{ oldest }} as last_rank
    from version_with_siren as version
    inner join eligible using (siren)
    where version.first_period < {{ range_last() }} and version.last_period >= greatest(version.first_period, {{ oldest }})

),

-- A period is counted once, whatever the number of its rows (accounts, corrections): one bit for each of the twelve.
delta as (

    select
        siren,
        {{ range_last() }} as month_index,
        sum(due_a_month * (last_rank - first_rank + 1)) as due,
        bit_count(bit_or((1 << (last_rank + 1)) - (1 << first_rank))::bit(12)) as nb_mois
    from due_before_the_month
    group by siren
    order by siren

)

{% else %}

-- A quarterly or yearly period is spread evenly over its months.
due_by_month as (

    select
        version.siren,
        series.month_index as periode_index,
        round(version.cotisation_due_eur / (version.last_period - version.first_period + 1), 6) as due,
        greatest(version.valid_from, series.month_index + 1) as start_month,
        least(version.valid_to, series.month_index + 13) as end_month
    from version_with_siren as version
    inner join eligible using (siren)
    {{ each_month('version.first_period', 'version.last_period') }}
    where version.last_period >= version.first_period

),

due_in_the_range as (

    select
        siren,
        periode_index,
        start_month,
        end_month,
        sum(due) as due,
        count(*) over (partition by siren, periode_index) as rows_of_the_period
    from due_by_month
    where {{ touches_range('start_month', 'end_month') }}
    group by siren, periode_index, start_month, end_month

),

-- A period is counted once, whatever the number of its rows (accounts, corrections): nearly all have one only.
one_of_several_rows as (

    select * from due_in_the_range
    where rows_of_the_period > 1

),

period_covered as (

    {{ merged_intervals('one_of_several_rows', ['siren', 'periode_index']) }}

),

contribution as (

    select siren, start_month, end_month, due, 1 as nb_mois from due_in_the_range
    where rows_of_the_period = 1
    union all
    select siren, start_month, end_month, due, 0 as nb_mois from one_of_several_rows
    union all
    select siren, start_month, end_month, 0 as due, 1 as nb_mois from period_covered

),

delta as (

    {{ month_deltas('contribution', ['due', 'nb_mois']) }}

)

{% endif %}

select * from delta
