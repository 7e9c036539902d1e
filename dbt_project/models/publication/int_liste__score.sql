{{
    config(
        schema='intermediate',
        access='private',
        unlogged=true,
        indexes=[{'columns': ['month', 'siren'], 'unique': true}],
    )
}}

with

run_month as (

    select * from {{ source('ml', 'run_month') }}
    where month between {{ range_start_date() }} and '{{ var('month_end') }}'::date

),

score as (

    select * from {{ source('ml', 'score') }}

),

model as (

    select * from {{ source('ml', 'model') }}

),

company_month as (

    select * from {{ ref('mart_company_month') }}
    where a_risque

),

score_of_the_month as (

    select
        score.month,
        score.siren,
        company_month.departement,
        company_month.region,
        score.p12::double precision as p12,
        score.p18::double precision as p18,
        score.p24::double precision as p24,
        {{ alert_level('score.p18', 'model.seuil_f1', 'model.seuil_f2') }} as alerte,
        score.model_id
    from run_month
    inner join score on run_month.month = score.month and run_month.model_id = score.model_id
    inner join model on score.model_id = model.model_id
    inner join company_month on score.siren = company_month.siren and score.month = company_month.month

)

select * from score_of_the_month
