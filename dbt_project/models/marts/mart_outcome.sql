{{
    config(
        post_hook=["analyze {{ this }} (siren, month)"],
        indexes=[{'columns': ['siren', 'month'], 'unique': true}, {'columns': ['month']}],
    )
}}

with

company_month as (

    select
        siren,
        month,
        ({{ month_start_of('month') }} + interval '1 month')::date - 1 as month_end
    from {{ ref('mart_company_month') }}

),

event as (

    select * from {{ ref('int_procedure__evenement') }}

),

cessation as (

    select * from {{ ref('int_cessation__siren') }}

),

-- What is known at the end of the last month built: a notice corrected or cancelled by then opens nothing.
opening_day as (

    select
        siren,
        date_effet as date_defaillance,
        min(known_from) as defaillance_connue_le,
        max(severite) as severite
    from event
    where
        etape in ('ouverture', 'conversion')
        and known_from < {{ range_end_date() }}
        and known_to >= {{ range_end_date() }}
    group by siren, date_effet

),

opening as (

    select
        *,
        coalesce(lag(date_defaillance) over (partition by siren order by date_defaillance), '-infinity'::date)
            as ouverture_precedente
    from opening_day

),

-- A judgment is published within two months, nearly always: the last two months are not yet fully observed.
observation as (

    select ({{ range_end_date() }} - interval '2 months')::date - 1 as observe_jusqu_au

),

next_opening as (

    select
        company_month.siren,
        company_month.month,
        company_month.month_end,
        opening.date_defaillance,
        opening.defaillance_connue_le,
        case opening.severite when 3 then 'liquidation' when 2 then 'redressement' when 1 then 'sauvegarde' end
            as type_defaillance,
        case when cessation.date_sortie > company_month.month_end then cessation.date_sortie end as date_sortie,
        case when cessation.date_sortie > company_month.month_end then cessation.sortie_connue_le end as sortie_connue_le,
        observation.observe_jusqu_au
    from company_month
    cross join observation
    left join opening
        on
            company_month.siren = opening.siren
            and company_month.month_end < opening.date_defaillance
            and company_month.month_end >= opening.ouverture_precedente
    left join cessation on company_month.siren = cessation.siren

),

outcome as (

    select
        siren,
        month,
        date_defaillance,
        defaillance_connue_le,
        type_defaillance,
        date_sortie,
        sortie_connue_le,
        observe_jusqu_au,
        {% for horizon in [12, 18, 24] %}
        case
            when {{ month_end_after('month', horizon) }} <= observe_jusqu_au
                then coalesce(date_defaillance <= {{ month_end_after('month', horizon) }}, false)
        end as defaillance_{{ horizon }}m{{ ',' if not loop.last }}
        {% endfor %}
    from next_opening

)

select * from outcome
