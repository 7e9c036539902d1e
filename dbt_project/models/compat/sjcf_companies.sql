{#- Companies that a département receives at most, and age (years) under which a company is recent. -#}
{%- set capacity = 200 -%}
{%- set recent_years = 3 -%}

with

detection as (

    select * from {{ ref('int_compat__detection') }}

),

montant as (

    select * from {{ source('publication', 'montant') }}

),

raison as (

    select * from {{ source('publication', 'raison') }}

),

-- The reason that weighs most among those that aggravate the risk.
first_reason as (

    select
        publication_id,
        siren,
        theme,
        row_number() over (partition by publication_id, siren order by rang) as ordre
    from raison
    where sens = 'aggravant'

),

-- In bonis (a scored company is in no procedure), first alert, no payment plan, not recent.
candidate as (

    select
        detection.siren,
        detection.list_date,
        detection.departement,
        row_number() over (
            partition by detection.list_date, detection.departement
            order by
                (first_reason.theme is not distinct from 'Données financières') desc,
                detection.alerte desc,
                detection.p18 desc,
                detection.siren
        ) as rang
    from detection
    inner join montant on detection.publication_id = montant.publication_id and detection.siren = montant.siren
    left join first_reason
        on
            detection.publication_id = first_reason.publication_id
            and detection.siren = first_reason.siren
            and first_reason.ordre = 1
    where
        detection.est_premiere_alerte
        and not coalesce(montant.a_delai, false)
        and detection.date_creation <= detection.list_date - interval '{{ recent_years }} years'

),

liste_retraitee as (

    select
        siren::varchar(9) as siren,
        {{ french_month('list_date') }} as libelle_liste
    from candidate
    where rang <= {{ capacity }}

)

select * from liste_retraitee
