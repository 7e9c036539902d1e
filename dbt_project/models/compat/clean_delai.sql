with

delai as (

    select * from {{ ref('stg_urssaf__delai') }}
    where known_to = 'infinity'

),

delai_of_an_establishment as (

    {{ rows_with_siret('delai', 'date_creation', [
        'date_creation', 'date_echeance', 'duree_jours', 'montant_echeancier_eur', 'stade', 'action',
    ]) }}

),

plan as (

    select
        siret,
        date_creation,
        date_echeance,
        duree_jours::integer as duree_delai,
        montant_echeancier_eur::numeric(15, 2) as montant_echeancier,
        stade,
        action
    from delai_of_an_establishment
    where {{ not_excluded('left(delai_of_an_establishment.siret, 9)') }}

)

select * from plan
