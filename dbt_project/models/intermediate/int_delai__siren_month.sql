{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

{#- A file of the commission is open, or its plan in force; REFUS, REJ and FIN close it. -#}
{%- set opening_stages = "('DEBUT', 'APPROB')" -%}

with

delai as (

    select * from {{ ref('int_delai__version') }}

),

ccsf as (

    select * from {{ ref('stg_urssaf__ccsf') }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

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
    from delai
    {{ each_month(
        'greatest(delai.valid_from, ' ~ month_index('delai.date_creation') ~ ', ' ~ range_first() ~ ')',
        'least(delai.valid_to - 1, greatest(' ~ month_index('delai.date_echeance') ~ ', '
            ~ month_index('delai.date_creation') ~ ' + 23), ' ~ range_last() ~ ')',
    ) }}
    group by 1, 2, 3, 4, 5, 6

),

remaining_delai as (

    select
        siren,
        month_index,
        {{ month_last_day('month_index') }} < date_echeance as en_cours,
        {{ remaining_instalments('montant', month_last_day('month_index')) }} as reste,
        -- Instalments are monthly: one for each month end that is still to come before the last day.
        greatest({{ month_index('date_echeance') }} - month_index, 0) as echeances,
        month_index - {{ month_index('date_creation') }} < 24 as recent
    from month_of_a_delai

),

delai_by_month as (

    select
        siren,
        month_index,
        max(en_cours::integer) as en_cours,
        -- One délai without its amount, and what remains of all is unknown.
        case when bool_and(reste is not null) then sum(reste) end as reste_eur,
        max(echeances) as echeances_restantes,
        sum(recent::integer) as nb_24m,
        0 as ccsf_24m,
        0 as ccsf_en_cours
    from remaining_delai
    group by siren, month_index

),

-- An end or a refusal says nothing of the last 24 months: what it ends may be older.
ccsf_opening as (

    select
        compte,
        siret,
        date_traitement,
        {{ known_months() }}
    from ccsf
    where {{ known_in_range() }} and upper(trim(stade)) in {{ opening_stages }}

),

ccsf_opening_with_siren as (

    {{ rows_with_siren('ccsf_opening', 'left(siret, 9)', 'date_traitement', ['date_traitement']) }}

),

ccsf_by_month as (

    select distinct
        ccsf.siren,
        series.month_index,
        0 as en_cours,
        0 as reste_eur,
        0 as echeances_restantes,
        0 as nb_24m,
        1 as ccsf_24m,
        0 as ccsf_en_cours
    from ccsf_opening_with_siren as ccsf
    inner join eligible using (siren)
    {{ each_month(
        'greatest(ccsf.valid_from, ' ~ month_index('ccsf.date_traitement') ~ ', ' ~ range_first() ~ ')',
        'least(ccsf.valid_to - 1, ' ~ month_index('ccsf.date_traitement') ~ ' + 23, ' ~ range_last() ~ ')',
    ) }}

),

ccsf_stage as (

    select
        compte,
        siret,
        date_traitement,
        upper(trim(stade)) as stade,
        {{ known_months() }}
    from ccsf
    where {{ known_in_range() }}

),

ccsf_stage_with_siren as (

    {{ rows_with_siren('ccsf_stage', 'left(siret, 9)', 'date_traitement', ['compte', 'date_traitement', 'stade']) }}

),

ccsf_version as (

    select
        stage.compte,
        stage.siren,
        stage.date_traitement,
        stage.stade,
        greatest(stage.valid_from, {{ month_index('stage.date_traitement') }}) as valid_from,
        stage.valid_to
    from ccsf_stage_with_siren as stage
    where stage.valid_to > {{ month_index('stage.date_traitement') }}

),

-- The last stage of the account speaks, whichever company had it then; on one day, an end or a refusal over an opening.
ccsf_last_stage as (

    {{ ruling_segments(
        'ccsf_version',
        ['compte'],
        'version.date_traitement desc, version.stade in ' ~ opening_stages ~ ', version.stade',
        ['siren', 'date_traitement', 'stade'],
    ) }}

),

-- A plan of which nothing is heard for 36 months is over.
ccsf_in_force as (

    select distinct
        ccsf.siren,
        series.month_index,
        0 as en_cours,
        0 as reste_eur,
        0 as echeances_restantes,
        0 as nb_24m,
        0 as ccsf_24m,
        1 as ccsf_en_cours
    from ccsf_last_stage as ccsf
    inner join eligible using (siren)
    {{ each_month(
        'greatest(ccsf.change_month, ' ~ range_first() ~ ')',
        'least(ccsf.segment_to - 1, ' ~ month_index('ccsf.date_traitement') ~ ' + 35, ' ~ range_last() ~ ')',
    ) }}
    where ccsf.is_known and ccsf.stade in {{ opening_stages }}

),

delai_or_ccsf as (

    select * from delai_by_month
    union all
    select * from ccsf_by_month
    union all
    select * from ccsf_in_force

),

siren_month as (

    select
        siren,
        month_index,
        max(en_cours) as en_cours,
        case when bool_and(reste_eur is not null) then sum(reste_eur) end as reste_eur,
        max(echeances_restantes) as echeances_restantes,
        sum(nb_24m)::integer as nb_24m,
        max(ccsf_24m) as ccsf_24m,
        max(ccsf_en_cours) as ccsf_en_cours
    from delai_or_ccsf
    group by siren, month_index

)

select * from siren_month
