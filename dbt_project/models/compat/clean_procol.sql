with

procol as (

    select * from {{ ref('stg_urssaf__procol') }}
    where known_to = 'infinity'

),

-- `solde_procedure` is the administrative closure of one establishment's account; an unknown label says nothing.
event as (

    select
        left(siret, 9) as siren,
        date_effet,
        action_procol,
        stade_procol,
        case
            when stade_procol in ('fin_procedure', 'inclusion_autre_procedure', 'abandon_procedure') then 3
            when stade_procol like 'plan%' then 2
            else 1
        end as etape
    from procol
    where action_procol is not null and stade_procol <> 'solde_procedure'

),

-- Several establishments tell one event, and a day may hold an opening and its end: the end speaks.
event_of_the_day as (

    select
        *,
        row_number() over (
            partition by siren, action_procol, date_effet
            order by etape desc, stade_procol
        ) as preference
    from event
    where {{ not_excluded('event.siren') }}

),

-- What has ended, been abandoned or been joined to another procedure is no longer in force.
labelled as (

    select
        siren,
        date_effet,
        action_procol,
        stade_procol,
        case
            when etape = 3 then 'In bonis'
            when action_procol = 'liquidation' then 'Liquidation judiciaire'
            when action_procol = 'redressement' and etape = 2 then 'Plan de redressement'
            when action_procol = 'redressement' then 'Redressement judiciaire'
            when etape = 2 then 'Plan de sauvegarde'
            else 'Sauvegarde'
        end as libelle_procol
    from event_of_the_day
    where preference = 1

)

select * from labelled
