with

etablissement as (

    select * from {{ ref('stg_insee__etablissement') }}

),

historique as (

    select * from {{ ref('stg_insee__etablissement_historique') }}

),

delivery as (

    select * from {{ ref('stg_ingest__delivery') }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

state_in_history as (

    select
        left(historique.siret, 9) as siren,
        historique.siret,
        historique.etat_administratif,
        historique.date_debut,
        2 as preference,
        coalesce(historique.changement_etat, true) as changement_etat,
        {{ known_months('historique') }}
    from historique
    inner join eligible on left(historique.siret, 9) = eligible.siren
    where {{ known_in_range('historique') }} and historique.date_debut is not null

),

-- The stock file says the state of the day it was received: an establishment was open from its creation,
-- and is known closed from that day only, never before (its history says when).
state_in_stock as (

    select
        etablissement.siren,
        etablissement.siret,
        state.etat_administratif,
        state.date_debut,
        state.preference,
        state.changement_etat,
        {{ known_months('etablissement') }}
    from etablissement
    inner join eligible on etablissement.siren = eligible.siren
    left join delivery on etablissement.delivery_id = delivery.delivery_id
    cross join lateral (
        values
        ('A', coalesce(etablissement.date_creation, etablissement.known_from), 1, etablissement.date_creation is not null),
        (
            nullif(etablissement.etat_administratif, 'A'),
            greatest(etablissement.known_from, delivery.received_on),
            0,
            true
        )
    ) as state (etat_administratif, date_debut, preference, changement_etat)
    where {{ known_in_range('etablissement') }} and state.etat_administratif is not null

),

state as (

    select * from state_in_history
    union all
    select * from state_in_stock

),

version as (

    select
        siret,
        siren,
        etat_administratif,
        date_debut,
        preference,
        changement_etat,
        greatest(valid_from, {{ month_index('date_debut') }}) as valid_from,
        valid_to
    from state
    where valid_to > {{ month_index('date_debut') }} and {{ touches_range() }}

)

select * from version
