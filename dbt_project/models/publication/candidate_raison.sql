{{ config(indexes=[{'columns': ['month', 'siren', 'rang'], 'unique': true}]) }}

with

detection as (

    select * from {{ ref('candidate_detection') }}

),

candidate_score as (

    select * from {{ ref('int_liste__score') }}

),

explanation as (

    select * from {{ source('ml', 'explanation') }}

),

raison as (

    select
        detection.month,
        detection.siren,
        detection.departement,
        explanation.rang::integer as rang,
        explanation.theme,
        explanation.variable,
        explanation.valeur::double precision as valeur,
        explanation.contribution::double precision as contribution,
        explanation.sens,
        explanation.phrase
    from detection
    inner join candidate_score on detection.month = candidate_score.month and detection.siren = candidate_score.siren
    inner join explanation
        on
            detection.month = explanation.month
            and detection.siren = explanation.siren
            and candidate_score.model_id = explanation.model_id

)

select * from raison
