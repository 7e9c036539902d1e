with

effectif as (

    select * from {{ ref('stg_urssaf__effectif') }}
    where known_to = 'infinity'

),

-- An establishment may have several accounts, each with its own headcount.
headcount as (

    select
        siret,
        periode,
        sum(effectif)::integer as effectif,
        periode = max(periode) over (partition by siret) as is_latest
    from effectif
    where effectif is not null and {{ not_excluded('left(effectif.siret, 9)') }}
    group by siret, periode

)

select * from headcount
