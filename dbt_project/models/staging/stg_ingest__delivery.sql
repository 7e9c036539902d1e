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

        ----------  dates
        received_on,

        ----------  quantities
        lines as lignes,
        rejected as rejets

    from source
    where not is_partial

)

select * from renamed
