{{ config(indexes=[{'columns': ['siren']}]) }}

with

procol as (

    select * from {{ ref('stg_urssaf__procol') }}

),

annonce as (

    select
        *,
        {{ plain_text('jugement_nature') }} as nature,
        case
            when {{ plain_text('type_annonce') }} like '%rectif%' then 'rectificatif'
            when {{ plain_text('type_annonce') }} like '%annul%' or lower(jugement_type) like 'annul%' then 'annulation'
            else 'initial'
        end as avis
    from {{ ref('stg_bodacc__annonce') }}

),

-- A rectificatif replaces the notice it corrects and an annulation removes it: by the link they give,
-- else by siren and judgment (same family, and same date or same nature), the closest earlier notice.
notice_and_its_correction as (

    select
        correction.known_from as corrected_from,
        notice.siren,
        notice.date_parution,
        notice.numero_annonce,
        row_number() over (
            partition by correction.siren, correction.date_parution, correction.numero_annonce
            order by
                (
                    correction.numero_annonce_precedente = notice.numero_annonce
                    and correction.date_parution_precedente = notice.date_parution
                ) desc nulls last,
                (correction.jugement_date = notice.jugement_date) desc nulls last,
                notice.date_parution desc,
                notice.numero_annonce desc
        ) as closeness
    from annonce as correction
    inner join annonce as notice
        on
            correction.siren = notice.siren
            and (correction.date_parution, correction.numero_annonce) <> (notice.date_parution, notice.numero_annonce)
            and notice.date_parution <= correction.date_parution
            and notice.avis <> 'annulation'
    where
        correction.avis <> 'initial'
        and (
            (
                correction.numero_annonce_precedente = notice.numero_annonce
                and correction.date_parution_precedente = notice.date_parution
            )
            or (
                correction.numero_annonce_precedente is null
                and correction.jugement_famille is not distinct from notice.jugement_famille
                and (correction.jugement_date = notice.jugement_date or correction.nature = notice.nature)
            )
        )

),

first_correction_of_a_notice as (

    select
        siren,
        date_parution,
        numero_annonce,
        min(corrected_from) as corrected_from
    from notice_and_its_correction
    where closeness = 1
    group by siren, date_parution, numero_annonce

),

notice_until_corrected as (

    select
        annonce.siren,
        coalesce(annonce.jugement_date, annonce.date_parution) as date_effet,
        annonce.nature,
        annonce.known_from,
        least(annonce.known_to, correction.corrected_from) as known_to
    from annonce
    left join first_correction_of_a_notice as correction
        on
            annonce.siren = correction.siren
            and annonce.date_parution = correction.date_parution
            and annonce.numero_annonce = correction.numero_annonce
    where annonce.avis <> 'annulation'

),

-- severity: 3 liquidation, 2 redressement, 1 sauvegarde. A closure for want of assets leaves the company in liquidation:
-- it is about to disappear, not back in bonis.
typed_notice as (

    select
        siren,
        date_effet,
        known_from,
        known_to,
        case
            when nature like 'depot%' or nature like 'liste%' then null
            when nature like '%cloture%extinction du passif%' then 'fin'
            when nature like '%cloture%' then null
            when nature like '%mettant fin%' or nature like '%retractation%' or nature like '%infirmant%' then 'fin'
            when nature like '%resolution du plan%liquidation%' then 'conversion'
            when nature like '%resolution du plan%et le redressement%' then 'conversion'
            when nature like '%conversion en%' or nature like '%reprise de la procedure de liquidation%' then 'conversion'
            when nature like '%modifiant%' or nature like '%plan de cession%' then null
            when nature like '%plan de redressement%' or nature like '%plan de continuation%' then 'plan'
            when nature like '%plan de sauvegarde%' then 'plan'
            when
                (nature like '%ouverture%' or nature like '%extension%')
                and (nature like '%liquidation%' or nature like '%redressement%' or nature like '%sauvegarde%')
                then 'ouverture'
        end as etape,
        case
            when nature like '%retractation%' or nature like '%infirmant%' then 3
            when nature like '%resolution du plan%liquidation%' then 3
            when nature like '%resolution du plan%et le redressement%' then 2
            when nature like '%conversion en liquidation%' then 3
            when nature like '%conversion en redressement%' then 2
            when nature like '%liquidation%' or nature like '%cloture%' then 3
            when nature like '%redressement%' or nature like '%continuation%' then 2
            when nature like '%sauvegarde%' then 1
        end as severite
    from notice_until_corrected
    where known_from < known_to

),

typed_procol as (

    select
        coalesce(siren, left(siret, 9)) as siren,
        date_effet,
        known_from,
        known_to,
        case
            when stade_procol = 'solde_procedure' then null
            when stade_procol in ('fin_procedure', 'inclusion_autre_procedure', 'abandon_procedure') then 'fin'
            when stade_procol like 'plan%' then 'plan'
            else 'ouverture'
        end as etape,
        case action_procol
            when 'liquidation' then 3
            when 'redressement' then 2
            when 'sauvegarde' then 1
        end as severite
    from procol

),

typed_event as (

    select
        *,
        'bodacc__annonce' as source
    from typed_notice
    where etape is not null and severite is not null and siren is not null
    union all
    select
        *,
        'urssaf__procol' as source
    from typed_procol
    where etape is not null and severite is not null

),

-- A plan lasts ten years at most: its end is written as an event, so that nothing older comes back. It is seen ten years later,
-- but keeps the date of the plan: it ends that plan, and nothing judged since.
event_with_end_of_plan as (

    select
        *,
        date_effet as seen_from
    from typed_event
    union all
    select
        siren,
        date_effet,
        known_from,
        known_to,
        'fin' as etape,
        severite,
        source,
        (date_effet + interval '10 years')::date as seen_from
    from typed_event
    where etape = 'plan'

),

event as (

    select
        siren,
        date_effet,
        etape,
        severite,
        source,
        known_from,
        known_to,
        greatest({{ month_index('known_from') }}, {{ month_index('seen_from') }}) as valid_from,
        {{ month_index_open('known_to') }} as valid_to
    from event_with_end_of_plan

)

select distinct * from event
