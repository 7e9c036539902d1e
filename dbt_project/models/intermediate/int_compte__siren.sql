{{ config(indexes=[{'columns': ['compte']}]) }}

with

compte as (

    select * from {{ ref('stg_urssaf__compte') }}

),

version as (

    select
        compte,
        siren,
        siret,
        date_creation,
        date_disparition,
        {{ known_months() }}
    from compte
    where {{ known_in_range() }}

),

knowledge_segment as (

    {{ knowledge_segments('version', ['compte']) }}

),

entry_known_in_segment as (

    select
        segment.compte,
        segment.segment_from,
        segment.segment_to,
        version.siren,
        version.siret,
        version.date_creation,
        row_number() over (
            partition by segment.compte, segment.segment_from, version.date_creation
            order by version.date_disparition desc nulls first, version.siret
        ) as preference
    from knowledge_segment as segment
    inner join version
        on
            segment.compte = version.compte
            and segment.segment_from >= version.valid_from
            and segment.segment_from < version.valid_to

),

-- A contribution belongs to the last establishment that the account had joined when its period began;
-- before the first one, to the first. Closing dates come late and leave no gap: the debt follows the account.
establishment_of_a_period as (

    select
        compte,
        siren,
        siret,
        segment_from,
        segment_to,
        case
            when lag(date_creation) over same_knowledge is null then '-infinity'::date
            else date_creation
        end as periode_from,
        coalesce(lead(date_creation) over same_knowledge, 'infinity'::date) as periode_to,
        case
            when lag(date_creation) over same_knowledge is null then 0
            else {{ month_index('date_creation') }}
        end as month_from
    from entry_known_in_segment
    where preference = 1
    window same_knowledge as (partition by compte, segment_from order by date_creation)

)

select * from establishment_of_a_period
