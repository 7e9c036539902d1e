{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

version as (

    select * from {{ ref('int_etablissement__version') }}

),

state_at_a_month as (

    select * from {{ ref('int_etablissement__etat') }}

),

active_establishment as (

    select
        siren,
        change_month as start_month,
        segment_to as end_month,
        1 as nb_etablissements,
        0 as nb_ouvertures,
        0 as nb_fermetures,
        1 as nb_connus
    from state_at_a_month
    where is_known and etat_administratif = 'A'

),

known_establishment as (

    select
        siren,
        change_month as start_month,
        segment_to as end_month,
        0 as nb_etablissements,
        0 as nb_ouvertures,
        0 as nb_fermetures,
        1 as nb_connus
    from state_at_a_month
    where is_known and etat_administratif <> 'A'

),

-- An opening counts during the twelve months from the creation, as soon as the stock file shows it.
recent_opening as (

    select
        siren,
        valid_from as start_month,
        least(valid_to, {{ month_index('date_debut') }} + 12) as end_month,
        0 as nb_etablissements,
        1 as nb_ouvertures,
        0 as nb_fermetures,
        0 as nb_connus
    from version
    where preference = 1 and changement_etat

),

-- A closure counts during the twelve months from its date.
recent_closure as (

    select
        siren,
        valid_from as start_month,
        least(valid_to, {{ month_index('date_debut') }} + 12) as end_month,
        0 as nb_etablissements,
        0 as nb_ouvertures,
        1 as nb_fermetures,
        0 as nb_connus
    from version
    where etat_administratif = 'F' and preference = 2 and changement_etat

),

contribution as (

    select * from active_establishment
    union all
    select * from known_establishment
    union all
    select * from recent_opening
    union all
    select * from recent_closure

),

delta as (

    {{ month_deltas('contribution', ['nb_etablissements', 'nb_ouvertures', 'nb_fermetures', 'nb_connus']) }}

)

select * from delta
