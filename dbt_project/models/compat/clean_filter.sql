with

company_month as (

    select * from {{ ref('mart_company_month') }}

),

published_month as (

    select * from {{ source('publication', 'month') }}
    where status = 'published'

),

perimeter as (

    select siren from company_month
    where month = (select max(published_month.month) from published_month)

)

select * from perimeter
