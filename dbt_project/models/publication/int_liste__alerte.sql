{{
    config(
        schema='intermediate',
        access='private',
        unlogged=true,
        indexes=[{'columns': ['month', 'siren'], 'unique': true}],
    )
}}

with

suite as (

    select * from {{ ref('int_liste__suite') }}

),

published_detection as (

    select * from {{ source('publication', 'detection') }}

),

candidate_score as (

    select * from {{ ref('int_liste__score') }}

),

alerte as (

    select
        published_detection.month,
        published_detection.siren,
        published_detection.alerte,
        published_detection.departement,
        published_detection.region,
        suite.rang_liste
    from published_detection
    inner join suite using (publication_id, month)
    union all
    select
        candidate_score.month,
        candidate_score.siren,
        candidate_score.alerte,
        candidate_score.departement,
        candidate_score.region,
        suite.rang_liste
    from candidate_score
    inner join suite using (month)
    where candidate_score.alerte is not null

)

select * from alerte
