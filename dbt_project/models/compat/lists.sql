with

published_month as (

    select * from {{ source('publication', 'month') }}
    where status = 'published'

),

sjcf_companies as (

    select * from {{ ref('sjcf_companies') }}

),

-- The code sorts like the date, and after the codes (AAMM) of the lists that the front end already holds.
liste as (

    select
        {{ french_month(list_date('month')) }} as label,
        to_char({{ list_date('month') }}, 'YYMM') as code,
        {{ list_date('month') }} as list_date,
        {{ french_month(list_date('month')) }} in (
            select sjcf_companies.libelle_liste from sjcf_companies
        ) as sjcf_filter_active
    from published_month

)

select * from liste
