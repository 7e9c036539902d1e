{# The schema of a model is its folder, bare: staging, intermediate, marts, publication, reference. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}

{# Memory for the sorts of one model only; the setting dies with the transaction. #}
{% macro session_settings() -%}
    set local work_mem = '128MB'
{%- endmacro %}

{# Empties the months of the range, and only those, before they are written again. #}
{% macro delete_range() -%}
    {%- if has_frozen_months() -%}
        delete from {{ this }} where month between {{ range_start_date() }} and '{{ var('month_end') }}'::date
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{# Empties the last year of observation months whose 18 months were over, and observed (two months more), when the range begins. #}
{% macro delete_last_closed_year() -%}
    {%- if has_frozen_months() -%}
        delete from {{ this }} where month >= {{ range_start_date() }} - interval '31 months'
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{# Empties what the events of a run write again: all that courts and Sirene say as of its last month, and the URSSAF defaults of
   its months and of the month after, whose beginning depends on them. #}
{% macro delete_events() -%}
    {%- if has_frozen_months() -%}
        delete from {{ this }}
        where
            type_evenement <> 'defaut_urssaf'
            or date_evenement between {{ range_start_date() }} and {{ month_end_after(range_end_date(), 0) }}
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}
