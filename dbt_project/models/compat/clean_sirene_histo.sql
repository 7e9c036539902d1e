with

historique as (

    select
        siret,
        date_debut,
        etat_administratif,
        changement_etat,
        row_number() over (partition by siret order by date_debut) as rang
    from {{ ref('stg_insee__etablissement_historique') }}
    where known_to = 'infinity' and etat_administratif is not null

),

-- The first known state, then each change; a state lasts until the day before the next one kept.
change as (

    select
        siret,
        nullif(date_debut, '1900-01-01'::date) as date_debut,
        lead(date_debut) over (partition by siret order by date_debut) - 1 as date_fin,
        etat_administratif = 'A' as est_actif
    from historique
    where (rang = 1 or changement_etat) and {{ not_excluded('left(historique.siret, 9)') }}

)

select * from change
