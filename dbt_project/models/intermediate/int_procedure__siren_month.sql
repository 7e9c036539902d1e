{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

event as (

    select * from {{ ref('int_procedure__evenement') }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

visible_event as (

    select event.*
    from event
    inner join eligible using (siren)
    where {{ touches_range('event.valid_from', 'event.valid_to') }}

),

segment as (

    {{ knowledge_segments('visible_event', ['siren']) }}

),

-- Of each type of procedure, the last event speaks. Same day: the end wins over the plan, the plan over the opening
-- (a procedure opened and ended on one day has lasted no day).
event_seen_in_a_segment as (

    select
        segment.siren,
        segment.segment_from,
        segment.segment_to,
        event.severite,
        event.etape,
        event.date_effet,
        row_number() over (
            partition by segment.siren, segment.segment_from, event.severite
            order by
                event.date_effet desc,
                case event.etape when 'fin' then 3 when 'plan' then 2 when 'conversion' then 1 else 0 end desc
        ) as recency,
        max(case when event.etape = 'fin' and event.severite = 3 then event.date_effet end)
            over (partition by segment.siren, segment.segment_from) as last_end_of_liquidation,
        max(case when event.etape = 'fin' and event.severite = 2 then event.date_effet end)
            over (partition by segment.siren, segment.segment_from) as last_end_of_redressement
    from segment
    inner join visible_event as event
        on
            segment.siren = event.siren
            and segment.segment_from >= event.valid_from
            and segment.segment_from < event.valid_to

),

-- The end of a procedure also ends the lighter ones opened before it.
procedure_in_force as (

    select
        siren,
        segment_from,
        segment_to,
        severite,
        etape,
        date_effet,
        row_number() over (partition by siren, segment_from order by severite desc) as gravity
    from event_seen_in_a_segment
    where
        recency = 1
        and etape <> 'fin'
        and not coalesce(severite < 3 and last_end_of_liquidation > date_effet, false)
        and not coalesce(severite < 2 and last_end_of_redressement > date_effet, false)

),

status_by_month as (

    select
        procedure.siren,
        series.month_index,
        case
            when procedure.severite = 3 then 'liquidation'
            when procedure.severite = 2 and procedure.etape = 'plan' then 'plan_redressement'
            when procedure.severite = 2 then 'redressement'
            when procedure.etape = 'plan' then 'plan_sauvegarde'
            else 'sauvegarde'
        end as procedure_statut,
        procedure.date_effet as procedure_date
    from procedure_in_force as procedure
    {{ each_month(
        'greatest(procedure.segment_from, ' ~ range_first() ~ ')',
        'least(procedure.segment_to - 1, ' ~ range_last() ~ ')',
    ) }}
    where procedure.gravity = 1

)

select * from status_by_month
