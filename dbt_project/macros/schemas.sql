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
    {%- if is_incremental() -%}
        delete from {{ this }} where month between {{ range_start_date() }} and '{{ var('month_end') }}'::date
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}
