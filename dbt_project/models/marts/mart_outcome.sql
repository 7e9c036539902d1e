{{ config(materialized='view') }}

{%- set known_at = computed_end_date() %}

with

company_month as (

    select
        siren,
        month,
        a_risque,
        {{ month_end_after('month', 0) }} as month_end
    from {{ ref('mart_company_month') }}

),

event as (

    select * from {{ ref('mart_evenement') }}

),

opening as (

    select
        siren,
        type_evenement,
        date_evenement,
        connu_le,
        lag(date_evenement, 1, '-infinity'::date) over (partition by siren order by date_evenement) as date_precedente
    from event
    where type_evenement in ('liquidation', 'redressement', 'sauvegarde')

),

-- Other events are kept without a siren, which joins nothing: were they left out, the planner could count on one event of the
-- kind, where there are thousands, and go through all of them for each company.
urssaf_default as (

    select
        case when type_evenement = 'defaut_urssaf' then siren end as siren,
        date_evenement,
        lag(date_evenement, 1, '-infinity'::date) over (
            partition by siren, type_evenement order by date_evenement
        ) as date_precedente
    from event

),

cessation as (

    select
        case when type_evenement in ('fermeture', 'fusion') then siren end as siren,
        date_evenement,
        connu_le,
        type_evenement
    from event

),

-- A judgment is published within two months, nearly always: the last two months are not yet fully observed.
observation as (

    select
        ({{ known_at }} - interval '2 months')::date - 1 as observe_jusqu_au,
        {{ known_at }} - 1 as dernier_jour_calcule

),

next_event as (

    select
        company_month.siren,
        company_month.month,
        company_month.a_risque,
        opening.date_evenement as date_defaillance,
        opening.connu_le as defaillance_connue_le,
        opening.type_evenement as type_defaillance,
        cessation.date_evenement as date_sortie,
        cessation.connu_le as sortie_connue_le,
        cessation.type_evenement as type_sortie,
        urssaf_default.date_evenement as date_defaut_urssaf,
        observation.observe_jusqu_au,
        observation.dernier_jour_calcule
    from company_month
    cross join observation
    left join opening
        on
            company_month.siren = opening.siren
            and company_month.month_end < opening.date_evenement
            and company_month.month_end >= opening.date_precedente
    left join cessation
        on
            company_month.siren = cessation.siren
            and company_month.month_end < cessation.date_evenement
    left join urssaf_default
        on
            company_month.siren = urssaf_default.siren
            and company_month.month_end < urssaf_default.date_evenement
            and company_month.month_end >= urssaf_default.date_precedente

),

outcome as (

    select
        siren,
        month,
        a_risque,
        date_defaillance,
        defaillance_connue_le,
        type_defaillance,
        date_sortie,
        sortie_connue_le,
        type_sortie,
        -- The failure comes first on the same day: a closure often is its last act.
        case
            when date_defaillance <= coalesce(date_sortie, date_defaillance) then type_defaillance
            else type_sortie
        end as premier_evenement,
        date_defaut_urssaf,
        observe_jusqu_au,
        {% for horizon in [12, 18, 24] %}
        case
            when {{ month_end_after('month', horizon) }} <= observe_jusqu_au
                then coalesce(date_defaillance <= {{ month_end_after('month', horizon) }}, false)
        end as defaillance_{{ horizon }}m,
        {% endfor %}
        {% for horizon in [12, 18, 24] %}
        case
            when {{ month_end_after('month', horizon) }} <= dernier_jour_calcule
                then coalesce(date_defaut_urssaf <= {{ month_end_after('month', horizon) }}, false)
        end as defaut_urssaf_{{ horizon }}m{{ ',' if not loop.last }}
        {% endfor %}
    from next_event

)

select * from outcome
