{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

delai as (

    select * from {{ ref('stg_urssaf__delai') }}

),

ccsf as (

    select * from {{ ref('stg_urssaf__ccsf') }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

-- Only an approved delai counts: a draft ('PRO PR') or a refusal promises nothing.
approved_delai as (

    select
        compte,
        siret,
        numero_structure,
        date_creation,
        date_echeance,
        montant_echeancier_eur,
        {{ known_months() }}
    from delai
    where upper(trim(stade)) in ('APPROB', 'PR') and date_echeance > date_creation

),

approved_delai_with_siren as (

    {{ rows_with_siren('approved_delai', 'left(siret, 9)', 'date_creation', [
        'compte', 'numero_structure', 'date_creation', 'date_echeance', 'montant_echeancier_eur',
    ]) }}

),

month_of_a_delai as (

    select
        delai.siren,
        series.month_index,
        delai.compte,
        delai.numero_structure,
        delai.date_creation,
        delai.date_echeance,
        max(delai.montant_echeancier_eur) as montant
    from approved_delai_with_siren as delai
    inner join eligible using (siren)
    {{ each_month(
        'greatest(delai.valid_from, ' ~ month_index('delai.date_creation') ~ ', ' ~ range_first() ~ ')',
        'least(delai.valid_to - 1, greatest(' ~ month_index('delai.date_echeance') ~ ', '
            ~ month_index('delai.date_creation') ~ ' + 23), ' ~ range_last() ~ ')',
    ) }}
    group by 1, 2, 3, 4, 5, 6

),

-- What remains of the instalments: the whole amount, by the share of the days still to run.
remaining_delai as (

    select
        siren,
        month_index,
        {{ month_last_day('month_index') }} < date_echeance as en_cours,
        case
            when {{ month_last_day('month_index') }} < date_echeance
                then montant * (date_echeance - {{ month_last_day('month_index') }}) / (date_echeance - date_creation)
            else 0
        end as reste,
        month_index - {{ month_index('date_creation') }} < 24 as recent
    from month_of_a_delai

),

delai_by_month as (

    select
        siren,
        month_index,
        max(en_cours::integer) as en_cours,
        sum(reste) as reste_eur,
        sum(recent::integer) as nb_24m,
        0 as ccsf_24m
    from remaining_delai
    group by siren, month_index

),

accepted_ccsf as (

    select
        compte,
        siret,
        date_traitement,
        {{ known_months() }}
    from ccsf
    where upper(trim(stade)) not in ('REFUS', 'REJ')

),

accepted_ccsf_with_siren as (

    {{ rows_with_siren('accepted_ccsf', 'left(siret, 9)', 'date_traitement', ['date_traitement']) }}

),

ccsf_by_month as (

    select distinct
        ccsf.siren,
        series.month_index,
        0 as en_cours,
        0 as reste_eur,
        0 as nb_24m,
        1 as ccsf_24m
    from accepted_ccsf_with_siren as ccsf
    inner join eligible using (siren)
    {{ each_month(
        'greatest(ccsf.valid_from, ' ~ month_index('ccsf.date_traitement') ~ ', ' ~ range_first() ~ ')',
        'least(ccsf.valid_to - 1, ' ~ month_index('ccsf.date_traitement') ~ ' + 23, ' ~ range_last() ~ ')',
    ) }}

),

delai_or_ccsf as (

    select * from delai_by_month
    union all
    select * from ccsf_by_month

),

siren_month as (

    select
        siren,
        month_index,
        max(en_cours) as en_cours,
        sum(reste_eur) as reste_eur,
        sum(nb_24m)::integer as nb_24m,
        max(ccsf_24m) as ccsf_24m
    from delai_or_ccsf
    group by siren, month_index

)

select * from siren_month
