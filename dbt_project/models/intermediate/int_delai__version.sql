{{ config(indexes=[{'columns': ['siren']}]) }}

with

delai as (

    select * from {{ ref('stg_urssaf__delai') }}

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
    where {{ known_in_range() }} and upper(trim(stade)) in ('APPROB', 'PR') and date_echeance > date_creation

),

approved_delai_with_siren as (

    {{ rows_with_siren('approved_delai', 'left(siret, 9)', 'date_creation', [
        'compte', 'numero_structure', 'date_creation', 'date_echeance', 'montant_echeancier_eur',
    ]) }}

),

version_of_eligible_companies as (

    select version.*
    from approved_delai_with_siren as version
    inner join eligible using (siren)
    where {{ touches_range() }}

)

select * from version_of_eligible_companies
