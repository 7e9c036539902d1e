{#- Table of the front end, source, and the column that says how far its data go. -#}
{%- set tables = [
    ('osf_ap', 'dgefp__consommation_ap', 'mois'),
    ('osf_cotisation', 'urssaf__cotisation', 'periode_debut'),
    ('osf_debit', 'urssaf__debit', 'mois_comptable'),
    ('osf_delai', 'urssaf__delai', 'date_creation'),
    ('osf_effectif', 'urssaf__effectif', 'periode'),
    ('osf_effectif_ent', 'urssaf__effectif_ent', 'periode'),
] -%}

with

delivery as (

    select * from {{ ref('stg_ingest__delivery') }}
    where status in ('loaded', 'identical')

),

freshness as (

    {% for name, source, column in tables -%}
    select
        '{{ name }}' as name,
        '{{ source }}' as source,
        max({{ column }}) as data_freshness
    from {{ ref('stg_' ~ source) }}
    where known_to = 'infinity'
    {% if not loop.last %}union all
    {% endif %}
    {%- endfor %}

),

import as (

    select
        freshness.name,
        max(delivery.received_on) as import_date,
        freshness.data_freshness
    from freshness
    left join delivery on freshness.source = delivery.source
    group by freshness.name, freshness.data_freshness

)

select * from import
