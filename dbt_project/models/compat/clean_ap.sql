with

demande as (

    select * from {{ ref('stg_dgefp__demande_ap') }}
    where known_to = 'infinity'

),

consommation as (

    select * from {{ ref('stg_dgefp__consommation_ap') }}
    where known_to = 'infinity'

),

motif as (

    select * from {{ ref('motif_activite_partielle') }}

),

-- The hours of a request are for the whole request: each month gets the share of its days. The existing service gave
-- the whole to each month, which doubled a request of two months.
authorised as (

    select
        demande.siret,
        {{ month_date('series.month_index') }} as periode,
        demande.heures_autorisees
        * (
            least(demande.periode_fin, {{ month_last_day('series.month_index') }})
            - greatest(demande.periode_debut, {{ month_date('series.month_index') }}) + 1
        )
        / (demande.periode_fin - demande.periode_debut + 1) as heures_autorisees,
        0 as heures_consommees,
        coalesce(motif.libelle, 'Motif inconnu') as motif_recours,
        false as is_consumed
    from demande
    left join motif on demande.motif_recours = motif.code
    {{ each_month(month_index('demande.periode_debut'), month_index('demande.periode_fin')) }}
    where demande.periode_debut <= demande.periode_fin

),

-- The date of a consumption is not always a first of month.
consumed as (

    select
        siret,
        mois as periode,
        0 as heures_autorisees,
        heures as heures_consommees,
        null as motif_recours,
        true as is_consumed
    from consommation

),

hours as (

    select * from authorised
    union all
    select * from consumed

),

activity as (

    select
        siret,
        left(siret, 9) as siren,
        periode,
        (coalesce(sum(heures_autorisees), 0) / {{ heures_etp() }})::double precision as etp_autorise,
        (coalesce(sum(heures_consommees), 0) / {{ heures_etp() }})::double precision as etp_consomme,
        string_agg(distinct motif_recours, '; ' order by motif_recours) as motif_recours,
        bool_or(is_consumed) and periode = (select max(consumed.periode) from consumed) as is_last
    from hours
    where {{ not_excluded('left(hours.siret, 9)') }}
    group by siret, periode

)

select * from activity
