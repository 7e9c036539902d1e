with

effectif as (

    select * from {{ ref('stg_urssaf__effectif_ent') }}
    where known_to = 'infinity'

),

headcount as (

    select
        siren,
        periode,
        effectif::integer as effectif_ent,
        periode = max(periode) over (partition by siren) as is_latest
    from effectif
    where effectif is not null and {{ not_excluded('effectif.siren') }}

)

select * from headcount
