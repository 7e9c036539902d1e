{{ config(indexes=[{'columns': ['month', 'siren', 'periode'], 'unique': true}]) }}

with

detection as (

    select * from {{ ref('candidate_detection') }}
    where est_nouvelle_detection

),

company_month as (

    select * from {{ ref('mart_company_month') }}

),

-- The 24 months up to the list, as each was known at its time. Hours of partial activity go to the month they were consumed in: a
-- later row of the company shows them, none yet for the last months.
serie as (

    select
        detection.month,
        detection.siren,
        detection.departement,
        company_month.month as periode,
        company_month.effectif,
        company_month.dette_part_ouvriere_eur,
        company_month.dette_part_patronale_eur,
        later.ap_etp_consomme
    from detection
    inner join company_month
        on
            detection.siren = company_month.siren
            and detection.month >= company_month.month
            and company_month.month > detection.month - interval '24 months'
    left join company_month as later
        on
            detection.siren = later.siren
            and detection.month >= later.month
            and later.month = (company_month.month + interval '{{ consommation_shown_after() }} months')::date

)

select * from serie
