{{ config(indexes=[{'columns': ['siren', 'premier_mois']}]) }}

with

debit as (

    select * from {{ ref('stg_urssaf__debit') }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

version as (

    select
        compte,
        periode_debut,
        periode_fin,
        numero_ecart_negatif,
        numero_historique,
        coalesce(left(siret, 9), siren) as own_siren,
        date_traitement,
        part_ouvriere_eur,
        part_patronale_eur,
        {{ known_months() }}
    from debit
    where known_from < {{ range_end_date() }} and known_to > {{ range_start_date() }}

),

version_with_siren as (

    {{ rows_with_siren('version', 'own_siren', 'periode_debut', [
        'compte', 'periode_debut', 'periode_fin', 'numero_ecart_negatif', 'numero_historique',
        'date_traitement', 'part_ouvriere_eur', 'part_patronale_eur',
    ]) }}

),

eligible_version as (

    select version.*
    from version_with_siren as version
    inner join eligible using (siren)
    where {{ touches_range() }}

),

-- The identity of an ecart negatif holds the account: two accounts of one establishment may share period and number.
-- The amount of an event is the balance that remains: the highest history number known rules.
balance as (

    {{ ruling_segments(
        'eligible_version',
        ['compte', 'periode_debut', 'periode_fin', 'numero_ecart_negatif'],
        'version.numero_historique desc, version.date_traitement desc, version.siren',
        ['siren', 'part_ouvriere_eur', 'part_patronale_eur'],
        first_of='date_traitement',
    ) }}

),

segment as (

    select
        siren,
        compte,
        periode_debut,
        periode_fin,
        numero_ecart_negatif,
        part_ouvriere_eur,
        part_patronale_eur,
        {{ month_index('first_date_traitement') }} as premier_mois,
        change_month as valid_from,
        segment_to as valid_to
    from balance
    where is_known

)

select * from segment
