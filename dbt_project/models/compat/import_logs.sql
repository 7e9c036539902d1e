{#- Messages kept for each file, as in the existing service. -#}
{%- set messages = 200 -%}

with

delivery as (

    select * from {{ ref('stg_ingest__delivery') }}
    where status in ('loaded', 'refused')

),

rejected_row as (

    select
        *,
        row_number() over (partition by delivery_id order by line) as rang
    from {{ source('ingest', 'rejected_row') }}
    where kind = 'rejet'

),

-- The rule and the place, never the value: a refused cell may hold the name of a person.
message as (

    select
        delivery_id,
        array_agg(
            'Ligne ' || line || coalesce(', colonne ' || column_name, '') || ' : règle ' || rule
            order by line
        ) as head_rejected
    from rejected_row
    where rang <= {{ messages }}
    group by delivery_id

),

log as (

    select
        delivery.recorded_at at time zone 'UTC' as start_date,
        delivery.recorded_at at time zone 'UTC' as end_date,
        split_part(delivery.source, '__', 2) as parser,
        to_char(delivery.received_on, 'YYMM') as batch_key,
        case when delivery.status = 'refused' then array[delivery.raison] else array[]::text [] end as head_fatal,
        case
            when delivery.status = 'loaded' then coalesce(message.head_rejected, array[]::text [])
            else array[]::text []
        end as head_rejected,
        delivery.status = 'refused' as is_fatal,
        delivery.lignes as lines_parsed,
        delivery.rejets as lines_rejected,
        delivery.hors_perimetre as lines_skipped,
        delivery.lignes - delivery.rejets - delivery.hors_perimetre as lines_valid,
        delivery.file_name as summary
    from delivery
    left join message on delivery.delivery_id = message.delivery_id

)

select * from log
