{{ config(indexes=[{'columns': ['month', 'siren'], 'unique': true}]) }}

with

score as (

    select * from {{ ref('int_liste__score') }}

),

candidate_score as (

    select
        month,
        siren,
        departement,
        p12,
        p18,
        p24,
        alerte,
        model_id
    from score

)

select * from candidate_score
