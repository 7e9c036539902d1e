{{ config(indexes=[{'columns': ['source', 'month_index'], 'unique': true}]) }}

{#- The date, in each source, up to which its facts go. -#}
{%- set facts = {
    'urssaf__compte': 'date_creation',
    'urssaf__cotisation': 'periode_debut',
    'urssaf__debit': 'date_traitement',
    'urssaf__delai': 'date_creation',
    'urssaf__ccsf': 'date_traitement',
    'urssaf__procol': 'date_effet',
    'urssaf__effectif': 'periode',
    'urssaf__effectif_ent': 'periode',
    'dgefp__demande_ap': 'date_statut',
    'dgefp__consommation_ap': 'periode',
    'insee__etablissement': 'date_creation',
    'insee__unite_legale': 'date_creation',
    'insee__etablissement_historique': 'date_debut',
    'bodacc__annonce': 'date_parution',
    'inpi__ratio': 'date_cloture_exercice',
    'altares__paydex': 'date_valeur',
    'banque_de_france__ratio': 'arrete_bilan',
    'altares__procedure': 'date_parution',
    'diane__bilan': 'date_cloture',
    'ellisphere__groupe': 'known_from',
} -%}

with

delivery as (

    select * from {{ ref('stg_ingest__delivery') }}

),

source_declaree as (

    select * from {{ ref('source') }}

),

months as (

    select * from {{ ref('int_month') }}

),

{% for source_name, fact_date in facts.items() %}
{%- set end_of_first_month = range_start_date() ~ " + interval '1 month'" -%}
{{ source_name }} as (

    -- What was known in the first month: what came lately says from which date on older blocks can still matter, the others stay
    -- unread. A fact dated after the day it was known is a typing error, and says nothing of how far the source goes.
    select
        '{{ source_name }}' as source,
        coalesce(
            lately.known_on,
            (
                select max(anytime.known_from) from {{ ref('stg_' ~ source_name) }} as anytime
                where anytime.known_from < {{ end_of_first_month }}
            )
        ) as known_on,
        (
            select max(anytime.{{ fact_date }}) from {{ ref('stg_' ~ source_name) }} as anytime
            where
                anytime.known_from < {{ end_of_first_month }}
                and anytime.{{ fact_date }} >= coalesce(lately.derniere_periode, '-infinity')
                and anytime.{{ fact_date }} <= anytime.known_from
        ) as derniere_periode
    from (
        select
            max(known_from) as known_on,
            max({{ fact_date }}) filter (where {{ fact_date }} <= known_from) as derniere_periode
        from {{ ref('stg_' ~ source_name) }}
        where known_from < {{ end_of_first_month }} and known_from >= {{ range_start_date() }} - interval '2 months'
    ) as lately
    {% if not is_one_month() %}
    union all
    select
        '{{ source_name }}' as source,
        known_from as known_on,
        max({{ fact_date }}) filter (where {{ fact_date }} <= known_from) as derniere_periode
    from {{ ref('stg_' ~ source_name) }}
    where known_from >= {{ end_of_first_month }} and known_from < {{ range_end_date() }}
    group by known_from
    {% endif %}

),

{% endfor %}

received_delivery as (

    select
        source,
        received_on as known_on,
        null::date as derniere_periode
    from delivery
    where status in ('loaded', 'identical') and received_on < {{ range_end_date() }}

),

day_with_news as (

    {% for source_name in facts %}
    select * from {{ source_name }}
    union all
    {% endfor %}
    select * from received_delivery

),

sign_of_life as (

    select
        source,
        greatest({{ month_index('known_on') }}, {{ range_first() }}) as month_index,
        max(known_on) as derniere_livraison,
        max(derniere_periode) as derniere_periode
    from day_with_news
    group by 1, 2

),

last_sign_of_life as (

    select
        source_declaree.code as source,
        source_declaree.producteur,
        source_declaree.libelle,
        source_declaree.max_age_jours,
        source_declaree.facultative,
        months.month_index,
        months.month,
        months.month_end,
        max(max(sign_of_life.derniere_livraison)) over so_far as derniere_livraison,
        max(max(sign_of_life.derniere_periode)) over so_far as derniere_periode
    from source_declaree
    cross join months
    left join sign_of_life
        on source_declaree.code = sign_of_life.source and months.month_index = sign_of_life.month_index
    group by 1, 2, 3, 4, 5, 6, 7, 8
    window so_far as (partition by source_declaree.code order by months.month_index)

),

last_delivery as (

    select
        months.month_index,
        delivery.source,
        delivery.lignes,
        delivery.rejets,
        row_number() over (
            partition by months.month_index, delivery.source
            order by delivery.received_on desc, delivery.delivery_id desc
        ) as recency
    from months
    inner join delivery on months.month_end >= delivery.received_on
    where delivery.status in ('loaded', 'identical')

),

freshness as (

    select
        sign.source,
        sign.month_index,
        sign.month,
        sign.producteur,
        sign.libelle,
        sign.derniere_livraison,
        sign.derniere_periode,
        last_delivery.lignes,
        last_delivery.rejets,
        sign.month_end - sign.derniere_livraison as age_jours,
        sign.derniere_livraison is null or sign.month_end - sign.derniere_livraison > sign.max_age_jours as en_retard
    from last_sign_of_life as sign
    left join last_delivery
        on
            sign.source = last_delivery.source
            and sign.month_index = last_delivery.month_index
            and last_delivery.recency = 1
    -- A source that the others make do without is not missed before its first delivery.
    where not sign.facultative or sign.derniere_livraison is not null

)

select * from freshness
