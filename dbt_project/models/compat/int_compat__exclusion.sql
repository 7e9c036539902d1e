{{ config(schema='intermediate', access='private') }}

with

unite_legale as (

    select * from {{ ref('int_compat__unite_legale') }}

),

siege as (

    select * from {{ ref('int_compat__siege') }}

),

perimetre as (

    select * from {{ ref('perimetre') }}

),

perimetre_exclusion as (

    select * from {{ ref('perimetre_exclusion') }}

),

published_month as (

    select * from {{ source('publication', 'month') }}
    where status = 'published'

),

-- The rules of the last list: a version of the perimeter that is written before its month takes nobody's data away yet.
version_in_force as (

    select max(perimetre.applicable_depuis) as applicable_depuis
    from perimetre
    where perimetre.applicable_depuis <= (select coalesce(max(published_month.month), 'infinity') from published_month)

),

exclusion as (

    select
        perimetre_exclusion.nature,
        perimetre_exclusion.code
    from perimetre_exclusion
    inner join perimetre on perimetre_exclusion.version = perimetre.version
    inner join version_in_force on perimetre.applicable_depuis = version_in_force.applicable_depuis

),

-- Public bodies, finance, teaching, and head offices abroad. A company that Sirene does not hold is not excluded: it is unknown.
excluded_company as (

    select unite_legale.siren
    from unite_legale
    inner join exclusion
        on
            (exclusion.nature = 'categorie_juridique' and unite_legale.categorie_juridique = exclusion.code)
            or (exclusion.nature = 'naf_rev2' and unite_legale.naf = exclusion.code)
            or (
                exclusion.nature = 'naf_2025'
                and unite_legale.naf is null
                and unite_legale.activite_principale_naf25 = exclusion.code
            )
    union
    select siege.siren
    from siege
    where siege.departement is null

)

select * from excluded_company
