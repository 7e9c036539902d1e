with

source as (

    select * from {{ source('ingest', 'delivery') }}

),

renamed as (

    select
        ----------  ids
        delivery_id,
        source,

        ----------  labels
        file_name,
        status,
        reason as raison,

        ----------  dates
        received_on,
        recorded_at,

        ----------  quantities
        lines as lignes,
        rejected as rejets,
        out_of_scope as hors_perimetre

    from source
    where not is_partial

)

select * from renamed
