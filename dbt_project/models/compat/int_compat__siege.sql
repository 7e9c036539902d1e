{{ config(schema='intermediate', access='private') }}

with

etablissement as (

    select * from {{ ref('stg_insee__etablissement') }}
    where known_to = 'infinity' and est_siege

),

-- Sirene sometimes holds two head offices for one company: the front end wants one line.
ranked as (

    select
        siren,
        siret,
        departement,
        row_number() over (
            partition by siren
            order by (etat_administratif = 'A') desc nulls last, date_creation desc nulls last, siret desc
        ) as preference
    from etablissement

),

siege as (

    select
        siren,
        siret,
        departement
    from ranked
    where preference = 1

)

select * from siege
