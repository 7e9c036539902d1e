{{
    config(
        materialized='frozen_months',
        pre_hook=["{{ delete_events() }}"],
        post_hook=["analyze {{ this }}"],
        indexes=[{'columns': ['siren', 'date_evenement', 'type_evenement'], 'unique': true}],
    )
}}

{%- set known_at = computed_end_date() %}

with

procedure_collective as (

    select * from {{ ref('int_procedure__evenement') }}

),

cessation as (

    select * from {{ ref('int_cessation__siren') }}

),

month_in_default as (

    select
        siren,
        month,
        {{ month_index('month') }} as month_index
    from {{ ref('mart_company_month') }}
    where
        en_defaut_urssaf
        and month between {{ range_start_date() }} - interval '1 month' and {{ range_end_date() }}

),

-- What is known at the end of the last month computed: a notice corrected or cancelled by then opens nothing. One that was written again
-- with the same judgment date has been known since its first version.
opening as (

    select
        siren,
        date_effet as date_evenement,
        min(known_from) as connu_le,
        max(severite) filter (where known_to >= {{ known_at }}) as severite
    from procedure_collective
    where etape in ('ouverture', 'conversion') and known_from < {{ known_at }}
    group by siren, date_effet
    having bool_or(known_to >= {{ known_at }})

),

default_and_the_one_before as (

    select
        siren,
        month,
        month_index - lag(month_index) over (partition by siren order by month_index) as months_since
    from month_in_default

),

event as (

    select
        siren,
        case severite when 3 then 'liquidation' when 2 then 'redressement' else 'sauvegarde' end as type_evenement,
        date_evenement,
        connu_le
    from opening
    union all
    select
        siren,
        type_sortie as type_evenement,
        date_sortie as date_evenement,
        sortie_connue_le as connu_le
    from cessation
    union all
    select
        siren,
        'defaut_urssaf' as type_evenement,
        {{ month_end_after('month', 0) }} as date_evenement,
        {{ month_end_after('month', 0) }} as connu_le
    from default_and_the_one_before
    where coalesce(months_since, 2) > 1 and month >= {{ range_start_date() }}

)

select * from event
