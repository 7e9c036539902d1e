with

unite_legale as (

    select * from {{ ref('int_compat__unite_legale') }}

),

siege as (

    select * from {{ ref('int_compat__siege') }}

),

categorie_juridique as (

    select * from {{ ref('categorie_juridique') }}

),

naf as (

    select * from {{ ref('naf') }}

),

naf_division as (

    select * from {{ ref('naf_division') }}

),

naf_section as (

    select * from {{ ref('naf_section') }}

),

-- A sole trader is shown under its name: the front end has no other, and its account alone may read this view.
company as (

    select
        unite_legale.siren,
        coalesce(
            unite_legale.denomination,
            nullif(concat_ws(' ', unite_legale.nom, unite_legale.prenom), '') || ' EI'
        ) as raison_sociale,
        unite_legale.categorie_juridique,
        categorie_juridique.libelle as libelle_categorie_juridique,
        unite_legale.naf as activite_principale,
        naf.libelle as libelle_activite_principale,
        naf_division.section as naf_section,
        naf_section.libelle as libelle_naf_section,
        siege.departement,
        unite_legale.date_creation as creation,
        coalesce(unite_legale.etat_administratif = 'A', false) as est_actif
    from unite_legale
    left join siege on unite_legale.siren = siege.siren
    left join categorie_juridique on left(unite_legale.categorie_juridique, 2) = categorie_juridique.code
    left join naf on unite_legale.naf = naf.code
    left join naf_division on left(unite_legale.naf, 2) = naf_division.code
    left join naf_section on naf_division.section = naf_section.code

)

select * from company
