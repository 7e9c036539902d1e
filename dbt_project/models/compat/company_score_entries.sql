with

detection as (

    select * from {{ ref('int_compat__detection') }}

),

raison as (

    select
        *,
        {{ macro_group('theme') }} as groupe
    from {{ source('publication', 'raison') }}

),

region as (

    select * from {{ ref('region') }}

),

weighted_reason as (

    select
        raison.publication_id,
        raison.siren,
        raison.groupe,
        raison.variable,
        raison.contribution,
        100 * detection.p18 as score,
        sum(raison.contribution) over (partition by raison.publication_id, raison.siren, raison.groupe) as du_groupe
    from raison
    inner join detection on raison.publication_id = detection.publication_id and raison.siren = detection.siren
    where raison.groupe is not null

),

groupe as (

    select distinct
        publication_id,
        siren,
        groupe,
        score,
        du_groupe
    from weighted_reason

),

groupe_of_a_company as (

    select
        *,
        sum(abs(du_groupe)) over by_company as poids,
        sum(greatest(du_groupe, 0)) over by_company as poids_aggravant
    from groupe
    window by_company as (partition by publication_id, siren)

),

-- The bars add up to the score, in points of %. Nothing aggravating in the four groups (the context alone speaks):
-- no bars, rather than false ones.
points_of_a_groupe as (

    select
        publication_id,
        siren,
        groupe,
        {{ signed_share('score', 'du_groupe', 'poids', 'poids_aggravant') }} as points
    from groupe_of_a_company
    where poids_aggravant > 0

),

macro_explanation as (

    select
        publication_id,
        siren,
        jsonb_object_agg(groupe, round(points::numeric, 4)) as macro_expl
    from points_of_a_groupe
    group by publication_id, siren

),

-- Within a group the variables add up to the bar of their group.
reason_in_its_groupe as (

    select
        reason.publication_id,
        reason.siren,
        reason.groupe,
        reason.variable,
        points.points,
        reason.contribution * sign(points.points) as contribution,
        sum(abs(reason.contribution)) over by_groupe as poids,
        sum(greatest(reason.contribution * sign(points.points), 0)) over by_groupe as poids_du_meme_sens
    from weighted_reason as reason
    inner join points_of_a_groupe as points using (publication_id, siren, groupe)
    window by_groupe as (partition by reason.publication_id, reason.siren, reason.groupe)

),

micro_explanation_of_a_groupe as (

    select
        publication_id,
        siren,
        groupe,
        jsonb_object_agg(
            variable,
            round((
                sign(points) * {{ signed_share('abs(points)', 'contribution', 'poids', 'poids_du_meme_sens') }}
            )::numeric, 4)
        ) as variables
    from reason_in_its_groupe
    group by publication_id, siren, groupe

),

micro_explanation as (

    select
        publication_id,
        siren,
        jsonb_object_agg(groupe, variables) as micro_expl
    from micro_explanation_of_a_groupe
    group by publication_id, siren

),

-- Alerts only: the front end takes every line of a list for a detection.
entry as (

    select
        detection.siren::varchar(9) as siren,
        detection.naf as code_naf,
        (100 * detection.p18)::numeric(20, 10) as score,
        detection.code_commune::varchar(5) as code_commune,
        region.libelle as region,
        detection.alerte as alert,
        to_char(detection.list_date, 'YYMM') as batch,
        detection.model_id as algo,
        to_char(detection.month, 'YYYY-MM-DD') as periode,
        detection.seuil_f2::numeric(5, 2) as seuil_modere,
        detection.seuil_f1::numeric(5, 2) as seuil_fort,
        macro_explanation.macro_expl,
        micro_explanation.micro_expl,
        detection.published_at at time zone 'UTC' as created_at,
        detection.published_at at time zone 'UTC' as updated_at,
        {{ french_month('detection.list_date') }} as list_name
    from detection
    left join region on detection.region = region.code
    left join macro_explanation
        on detection.publication_id = macro_explanation.publication_id and detection.siren = macro_explanation.siren
    left join micro_explanation
        on detection.publication_id = micro_explanation.publication_id and detection.siren = micro_explanation.siren

)

select * from entry
