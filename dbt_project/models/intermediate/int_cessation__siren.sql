{{ config(indexes=[{'columns': ['siren'], 'unique': true}]) }}

{%- set known_at = computed_end_date() %}

with

-- Periods and establishments as they stand at the end of the last month computed, each known since the first version that says
-- the same state.
historique as (

    select
        siret,
        date_debut,
        etat_administratif,
        min(known_from) as known_from
    from {{ ref('stg_insee__etablissement_historique') }}
    where known_from < {{ known_at }} and date_debut is not null and etat_administratif is not null
    group by siret, date_debut, etat_administratif
    having bool_or(known_to >= {{ known_at }})

),

etablissement as (

    select
        siret,
        etat_administratif,
        min(known_from) as known_from
    from {{ ref('stg_insee__etablissement') }}
    where known_from < {{ known_at }}
    group by siret, etat_administratif
    having bool_or(known_to >= {{ known_at }})

),

compte as (

    select * from {{ ref('stg_urssaf__compte') }}
    where known_from < {{ known_at }} and known_to >= {{ known_at }}

),

period_and_the_one_before as (

    select
        *,
        lag(etat_administratif) over (partition by siret order by date_debut) as state_before
    from historique

),

-- A period that began with another attribute went on with the state of the one before.
state as (

    select
        siret,
        etat_administratif,
        date_debut,
        known_from,
        row_number() over (partition by siret order by date_debut desc) as recency
    from period_and_the_one_before
    where etat_administratif is distinct from state_before

),

last_state as (

    select
        siret,
        etat_administratif,
        date_debut,
        known_from
    from state
    where recency = 1
    union all
    select
        siret,
        etat_administratif,
        null as date_debut,
        known_from
    from etablissement
    where siret not in (select historique.siret from historique)

),

-- A company has stopped when every one of its establishments is closed, on the last closing date.
cessation as (

    select
        left(siret, 9) as siren,
        max(date_debut) as date_sortie,
        max(known_from) as sortie_connue_le
    from last_state
    group by 1
    having bool_and(etat_administratif = 'F') and max(date_debut) is not null

),

account_and_its_next_company as (

    select
        siren,
        lead(siren) over (partition by compte order by date_creation, siret) as next_siren,
        lead(date_creation) over (partition by compte order by date_creation, siret) as next_date
    from compte

),

-- A merger, as far as the sources tell: around the closure, another company took the URSSAF account over.
taken_over as (

    select distinct cessation.siren
    from cessation
    inner join account_and_its_next_company as account using (siren)
    where
        account.next_siren <> cessation.siren
        and account.next_date between cessation.date_sortie - interval '6 months' and cessation.date_sortie + interval '6 months'

),

typed_cessation as (

    select
        cessation.siren,
        cessation.date_sortie,
        cessation.sortie_connue_le,
        case when taken_over.siren is null then 'fermeture' else 'fusion' end as type_sortie
    from cessation
    left join taken_over using (siren)

)

select * from typed_cessation
