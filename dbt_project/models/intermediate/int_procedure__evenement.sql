{{ config(indexes=[{'columns': ['siren']}]) }}

with recursive

procol as (

    select * from {{ ref('stg_urssaf__procol') }}

),

annonce as (

    select
        *,
        -- Orders notices: by day of publication, then by number.
        concat_ws(' ', date_parution, lpad(numero_annonce, greatest(12, length(numero_annonce)), '0')) as place,
        {{ plain_text('jugement_nature') }} as nature,
        case
            when {{ plain_text('type_annonce') }} like '%rectif%' then 'rectificatif'
            when {{ plain_text('type_annonce') }} like '%annul%' or lower(jugement_type) like 'annul%' then 'annulation'
            else 'initial'
        end as avis
    from {{ ref('stg_bodacc__annonce') }}

),

-- A rectificatif replaces the notice it corrects and an annulation removes it. By the link they give: a rectificatif publishes the
-- whole notice again, so all companies of the linked one are meant, also those that it no longer names.
notice_by_link as (

    select
        correction.place as correction_place,
        correction.siren as correction_siren,
        correction.known_from,
        correction.known_to,
        notice.place,
        notice.siren
    from annonce as correction
    inner join annonce as notice
        on
            correction.numero_annonce_precedente = notice.numero_annonce
            and correction.date_parution_precedente = notice.date_parution
            and correction.place > notice.place
    where correction.avis <> 'initial' and correction.known_from < correction.known_to

),

-- Else by siren and judgment (same family, and same date or, within a year, same nature): the closest notice published before,
-- among those known by then if there is one, so that a notice that comes late moves nothing.
notice_by_judgment as (

    select
        correction.place as correction_place,
        correction.siren as correction_siren,
        correction.known_from,
        correction.known_to,
        notice.place,
        notice.siren,
        row_number() over (
            partition by correction.siren, correction.place, correction.known_from
            order by
                greatest(notice.known_from, correction.known_from),
                (correction.jugement_date = notice.jugement_date) desc nulls last,
                notice.place desc
        ) as closeness
    from annonce as correction
    inner join annonce as notice
        on
            correction.siren = notice.siren
            and correction.place > notice.place
            and correction.jugement_famille is not distinct from notice.jugement_famille
            and (
                correction.jugement_date = notice.jugement_date
                or (
                    correction.nature = notice.nature
                    and correction.date_parution <= notice.date_parution + interval '12 months'
                )
            )
    where
        correction.avis <> 'initial'
        and correction.known_from < correction.known_to
        and notice.avis <> 'annulation'
        and (correction.numero_annonce_precedente is null or correction.date_parution_precedente is null)

),

correction as (

    select * from notice_by_link
    union all
    select
        correction_place,
        correction_siren,
        known_from,
        known_to,
        place,
        siren
    from notice_by_judgment
    where closeness = 1

),

-- From each correction to the notice it corrects, and on to the one which that corrects, if it is a correction too; known while every
-- correction on the way is.
lineage as (

    select * from correction
    union
    select
        lineage.correction_place,
        lineage.correction_siren,
        greatest(lineage.known_from, correction.known_from) as known_from,
        least(lineage.known_to, correction.known_to) as known_to,
        correction.place,
        correction.siren
    from lineage
    inner join correction
        on
            lineage.place = correction.correction_place
            and lineage.siren = correction.correction_siren
            and lineage.known_from < correction.known_to
            and lineage.known_to > correction.known_from

),

-- The last correction speaks alone: it closes the notice and all earlier corrections of it.
closed_notice as (

    select
        place,
        siren,
        known_from as closed_from,
        known_to as closed_to
    from correction
    union all
    select
        earlier.correction_place as place,
        earlier.correction_siren as siren,
        greatest(earlier.known_from, later.known_from) as closed_from,
        least(earlier.known_to, later.known_to) as closed_to
    from lineage as earlier
    inner join lineage as later
        on
            earlier.place = later.place
            and earlier.siren = later.siren
            and earlier.correction_place < later.correction_place
            and earlier.known_from < later.known_to
            and earlier.known_to > later.known_from

),

-- What stands between two corrections: a correction that is delivered again and names another notice gives the first one back.
open_span as (

    select
        place,
        siren,
        coalesce(
            max(closed_to) over (
                partition by place, siren
                order by closed_from
                rows between unbounded preceding and 1 preceding
            ),
            '-infinity'
        ) as open_from,
        closed_from as open_to
    from closed_notice
    union all
    select
        place,
        siren,
        max(closed_to) as open_from,
        'infinity' as open_to
    from closed_notice
    group by place, siren

),

notice_until_corrected as (

    select
        annonce.siren,
        coalesce(annonce.jugement_date, annonce.date_parution) as date_effet,
        annonce.nature,
        greatest(annonce.known_from, span.open_from) as known_from,
        least(annonce.known_to, span.open_to) as known_to
    from annonce
    left join open_span as span
        on
            annonce.siren = span.siren
            and annonce.place = span.place
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
