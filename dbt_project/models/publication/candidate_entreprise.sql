{{ config(indexes=[{'columns': ['month', 'siren'], 'unique': true}]) }}

with

candidate_score as (

    select * from {{ ref('int_liste__score') }}

),

company_month as (

    select * from {{ ref('mart_company_month') }}

),

-- Who the followed companies are, as known at the end of the month.
entreprise as (

    select
        candidate_score.month,
        candidate_score.siren,
        company_month.denomination,
        company_month.siret_siege,
        company_month.departement,
        company_month.region,
        company_month.code_commune,
        company_month.libelle_commune,
        company_month.naf,
        company_month.naf_section,
        company_month.categorie_juridique,
        company_month.date_creation,
        company_month.tranche_effectif,
        company_month.effectif
    from candidate_score
    inner join company_month
        on candidate_score.month = company_month.month and candidate_score.siren = company_month.siren

)

select * from entreprise
