{{ config(indexes=[{'columns': ['month', 'siren', 'clignotant'], 'unique': true}]) }}

with

detection as (

    select * from {{ ref('candidate_detection') }}

),

mart as (

    select * from {{ ref('mart_clignotant') }}
    where month between {{ range_start_date() }} and '{{ var('month_end') }}'::date

),

valeur as (

    select * from {{ ref('mart_clignotant_valeur') }}

),

texte as (

    select * from {{ ref('clignotant') }}

),

list_month as (

    select distinct month from detection

),

-- What each rule was worth over the last twelve observation months whose 18 months (and the two of publication) were over.
worth as (

    select
        list_month.month,
        valeur.clignotant,
        sum(valeur.nb_allumes) as nb_allumes,
        sum(valeur.nb_touchees)::double precision / nullif(sum(valeur.nb_allumes), 0) as precision_18m,
        sum(valeur.nb_defaillances)::double precision / nullif(sum(valeur.nb_connus), 0) as taux_de_base_18m
    from list_month
    inner join valeur
        on
            valeur.month <= list_month.month - interval '20 months'
            and valeur.month > list_month.month - interval '32 months'
    group by list_month.month, valeur.clignotant

),

lit as (

    {% for name in clignotants() %}
    select
        month,
        siren,
        '{{ name }}' as clignotant
    from mart
    where {{ name }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

clignotant as (

    select
        detection.month,
        detection.siren,
        detection.departement,
        texte.ordre,
        texte.code as clignotant,
        texte.theme,
        texte.phrase,
        texte.origine,
        -- A share of fewer than thirty companies says nothing.
        case when worth.nb_allumes >= 30 then worth.precision_18m end as precision_18m,
        worth.taux_de_base_18m
    from lit
    inner join detection on lit.month = detection.month and lit.siren = detection.siren
    inner join texte on lit.clignotant = texte.code
    left join worth on lit.month = worth.month and lit.clignotant = worth.clignotant

)

select * from clignotant
