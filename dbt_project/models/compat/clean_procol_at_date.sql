with

event as (

    select
        *,
        case action_procol when 'liquidation' then 3 when 'redressement' then 2 else 1 end as severite
    from {{ ref('clean_procol') }}

),

published_month as (

    select * from {{ source('publication', 'month') }}
    where status = 'published'

),

-- Of each kind of procedure the last event speaks; a plan lasts ten years at most.
state as (

    select
        siren,
        date_effet,
        action_procol,
        stade_procol,
        libelle_procol,
        severite,
        least(
            coalesce(lead(date_effet) over (partition by siren, action_procol order by date_effet), 'infinity'::date),
            case when stade_procol like 'plan%' then (date_effet + interval '10 years')::date else 'infinity'::date end
        ) as date_fin
    from event

),

-- The end of a procedure also ends the lighter ones opened before it.
state_until_a_graver_end as (

    select
        state.siren,
        state.date_effet,
        state.action_procol,
        state.stade_procol,
        state.libelle_procol,
        state.severite,
        least(state.date_fin, min(graver_end.date_effet)) as date_fin
    from state
    left join event as graver_end
        on
            state.siren = graver_end.siren
            and state.severite < graver_end.severite
            and state.date_effet < graver_end.date_effet
            and graver_end.libelle_procol = 'In bonis'
    where state.libelle_procol <> 'In bonis'
    group by
        state.siren, state.date_effet, state.action_procol, state.stade_procol, state.libelle_procol,
        state.severite, state.date_fin

),

last_list as (

    select max({{ list_date('month') }}) as periode from published_month

),

-- The first of each month, from January 2016 to the last published list.
status_by_month as (

    select
        state.siren,
        {{ month_date('series.month_index') }} as periode,
        state.date_effet,
        state.action_procol,
        state.stade_procol,
        state.libelle_procol,
        row_number() over (
            partition by state.siren, series.month_index
            order by state.severite desc
        ) as gravity
    from state_until_a_graver_end as state
    cross join last_list
    {{ each_month(
        "greatest(" ~ month_index("(state.date_effet - 1)") ~ " + 1, " ~ month_index("'2016-01-01'::date") ~ ")",
        "least(" ~ month_index_open("state.date_fin - 1") ~ ", " ~ month_index("last_list.periode") ~ ")",
    ) }}

),

gravest as (

    select
        siren,
        periode,
        date_effet,
        action_procol,
        stade_procol,
        libelle_procol
    from status_by_month
    where gravity = 1

)

select * from gravest
