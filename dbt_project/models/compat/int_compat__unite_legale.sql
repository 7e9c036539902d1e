{{ config(schema='intermediate', access='private') }}

with

unite_legale as (

    select * from {{ ref('stg_insee__unite_legale') }}

),

as_known_today as (

    select
        *,
        {{ naf_with_dot('activite_principale', 'nomenclature_activite') }} as naf
    from unite_legale
    where known_to = 'infinity'

)

select * from as_known_today
