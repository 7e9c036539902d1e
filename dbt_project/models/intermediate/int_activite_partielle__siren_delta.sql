{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

demande as (

    select * from {{ ref('stg_dgefp__demande_ap') }}

),

consommation as (

    select * from {{ ref('stg_dgefp__consommation_ap') }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

consumed as (

    select
        left(consommation.siret, 9) as siren,
        {{ month_index('consommation.mois') }} + {{ consommation_shown_after() }} as shown_from,
        consommation.heures,
        {{ known_months('consommation') }}
    from consommation
    inner join eligible on left(consommation.siret, 9) = eligible.siren
    where {{ known_in_range('consommation') }} and consommation.heures is not null

),

requested as (

    select
        left(demande.siret, 9) as siren,
        demande.periode_debut,
        demande.periode_fin,
        demande.heures_autorisees,
        {{ known_months('demande') }}
    from demande
    inner join eligible on left(demande.siret, 9) = eligible.siren
    where
        {{ known_in_range('demande') }}
        and demande.heures_autorisees is not null
        and demande.periode_debut <= demande.periode_fin

),

-- The hours of a request are for the whole request: each month gets the share of its days.
authorised as (

    select
        requested.siren,
        series.month_index,
        round(
            requested.heures_autorisees
            * (
                least(requested.periode_fin, {{ month_last_day('series.month_index') }})
                - greatest(requested.periode_debut, {{ month_date('series.month_index') }}) + 1
            )
            / (requested.periode_fin - requested.periode_debut + 1),
            6
        ) as heures,
        requested.valid_from,
        requested.valid_to
    from requested
    {{ each_month(month_index('requested.periode_debut'), month_index('requested.periode_fin')) }}

),

contribution as (

    select
        siren,
        greatest(valid_from, shown_from) as start_month,
        least(valid_to, shown_from + 1) as end_month,
        heures as heures_consommees,
        0 as heures_consommees_3m,
        0 as heures_consommees_12m,
        0 as heures_autorisees
    from consumed
    union all
    select
        siren,
        greatest(valid_from, shown_from) as start_month,
        least(valid_to, shown_from + 3) as end_month,
        0 as heures_consommees,
        heures as heures_consommees_3m,
        0 as heures_consommees_12m,
        0 as heures_autorisees
    from consumed
    union all
    select
        siren,
        greatest(valid_from, shown_from) as start_month,
        least(valid_to, shown_from + 12) as end_month,
        0 as heures_consommees,
        0 as heures_consommees_3m,
        heures as heures_consommees_12m,
        0 as heures_autorisees
    from consumed
    union all
    select
        siren,
        greatest(valid_from, month_index) as start_month,
        least(valid_to, month_index + 1) as end_month,
        0 as heures_consommees,
        0 as heures_consommees_3m,
        0 as heures_consommees_12m,
        heures as heures_autorisees
    from authorised

),

delta as (

    {{ month_deltas(
        'contribution',
        ['heures_consommees', 'heures_consommees_3m', 'heures_consommees_12m', 'heures_autorisees'],
    ) }}

)

select * from delta
