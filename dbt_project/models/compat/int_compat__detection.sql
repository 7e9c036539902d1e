{{ config(schema='intermediate', access='private') }}

with

published_month as (

    select * from {{ source('publication', 'month') }}
    where status = 'published'

),

detection as (

    select * from {{ source('publication', 'detection') }}

),

entreprise as (

    select * from {{ source('publication', 'entreprise') }}

),

detection_of_a_published_month as (

    select
        detection.*,
        entreprise.code_commune,
        entreprise.date_creation,
        published_month.model_id,
        published_month.seuil_f1,
        published_month.seuil_f2,
        published_month.published_at,
        {{ list_date('published_month.month') }} as list_date
    from published_month
    inner join detection on published_month.publication_id = detection.publication_id
    left join entreprise on detection.publication_id = entreprise.publication_id and detection.siren = entreprise.siren

)

select * from detection_of_a_published_month
