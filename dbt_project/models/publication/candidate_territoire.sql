{{ config(indexes=[{'columns': ['month', 'type', 'territoire'], 'unique': true}]) }}

with

candidate_score as (

    select * from {{ ref('int_liste__score') }}

),

detection as (

    select * from {{ ref('candidate_detection') }}

),

alerte as (

    select * from {{ ref('int_liste__alerte') }}

),

suite as (

    select * from {{ ref('int_liste__suite') }}

),

territoire as (

    select * from {{ ref('territoire') }}

),

followed_company as (

    select
        month,
        departement,
        region,
        1 as nb_suivies,
        (coalesce(alerte, '') = 'Alerte seuil F1')::integer as nb_f1,
        (coalesce(alerte, '') = 'Alerte seuil F2')::integer as nb_f2,
        0 as nb_nouvelles,
        0 as nb_premieres,
        0 as nb_aggravations,
        0 as nb_retours,
        0 as nb_autres_entrees,
        0 as nb_sorties
    from candidate_score

),

alert_flow as (

    select
        month,
        departement,
        region,
        0 as nb_suivies,
        0 as nb_f1,
        0 as nb_f2,
        est_nouvelle_detection::integer as nb_nouvelles,
        (est_nouvelle_detection and est_premiere_alerte)::integer as nb_premieres,
        (est_nouvelle_detection and est_aggravation)::integer as nb_aggravations,
        est_retour::integer as nb_retours,
        (est_premiere_alerte and not est_nouvelle_detection)::integer as nb_autres_entrees,
        0 as nb_sorties
    from detection

),

-- In alert in the previous list, no more in this one; counted where it was.
exit_from_the_list as (

    select
        suite.month,
        before.departement,
        before.region,
        0 as nb_suivies,
        0 as nb_f1,
        0 as nb_f2,
        0 as nb_nouvelles,
        0 as nb_premieres,
        0 as nb_aggravations,
        0 as nb_retours,
        0 as nb_autres_entrees,
        1 as nb_sorties
    from suite
    inner join alerte as before on suite.liste_precedente = before.month
    left join alerte as now on suite.month = now.month and before.siren = now.siren
    where suite.publication_id is null and now.siren is null

),

movement as (

    select * from followed_company
    union all
    select * from alert_flow
    union all
    select * from exit_from_the_list

),

territoire_month as (

    select
        movement.month,
        territoire.code as territoire,
        territoire.type,
        territoire.libelle,
        sum(movement.nb_suivies)::integer as nb_suivies,
        sum(movement.nb_f1)::integer as nb_f1,
        sum(movement.nb_f2)::integer as nb_f2,
        sum(movement.nb_nouvelles)::integer as nb_nouvelles,
        sum(movement.nb_premieres)::integer as nb_premieres,
        sum(movement.nb_aggravations)::integer as nb_aggravations,
        sum(movement.nb_retours)::integer as nb_retours,
        sum(movement.nb_sorties)::integer as nb_sorties,
        territoire.capacite,
        sum(movement.nb_autres_entrees)::integer as nb_autres_entrees
    from movement
    inner join territoire
        on
            (territoire.type = 'departement' and movement.departement = territoire.code)
            or (territoire.type = 'region' and movement.region = territoire.code)
    group by movement.month, territoire.code, territoire.type, territoire.libelle, territoire.capacite

)

select * from territoire_month
