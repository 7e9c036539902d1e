{{ config(schema='intermediate', access='private') }}

with

compte as (

    select * from {{ ref('stg_urssaf__compte') }}
    where known_to = 'infinity'

),

entry as (

    select
        compte,
        siret,
        date_creation,
        row_number() over (
            partition by compte, date_creation
            order by date_disparition desc nulls first, siret
        ) as preference
    from compte

),

-- Same rule as int_compte__siren: a period belongs to the last establishment that the account had joined when it began.
establishment_of_a_period as (

    select
        compte,
        siret,
        case
            when lag(date_creation) over by_account is null then '-infinity'::date
            else date_creation
        end as periode_from,
        coalesce(lead(date_creation) over by_account, 'infinity'::date) as periode_to
    from entry
    where preference = 1
    window by_account as (partition by compte order by date_creation)

)

select * from establishment_of_a_period
