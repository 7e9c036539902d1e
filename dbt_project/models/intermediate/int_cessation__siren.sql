{{ config(indexes=[{'columns': ['siren'], 'unique': true}]) }}

with

historique as (

    select * from {{ ref('stg_insee__etablissement_historique') }}
    where known_from < {{ range_end_date() }} and known_to >= {{ range_end_date() }}

),

etablissement as (

    select * from {{ ref('stg_insee__etablissement') }}
    where known_from < {{ range_end_date() }} and known_to >= {{ range_end_date() }}

),

state as (

    select
        siret,
        etat_administratif,
        date_debut,
        known_from,
        row_number() over (partition by siret order by date_debut desc) as recency
    from historique
    where date_debut is not null

),

last_state as (

    select
        siret,
        etat_administratif,
        date_debut,
        known_from
    from state
    where recency = 1
    union all
    select
        etablissement.siret,
        etablissement.etat_administratif,
        null as date_debut,
        etablissement.known_from
    from etablissement
    where etablissement.siret not in (select historique.siret from historique)

),

-- A company has stopped when every one of its establishments is closed, on the last closing date.
cessation as (

    select
        left(siret, 9) as siren,
        max(date_debut) as date_sortie,
        max(known_from) as sortie_connue_le
    from last_state
    group by 1
    having bool_and(etat_administratif = 'F') and max(date_debut) is not null

)

select * from cessation
