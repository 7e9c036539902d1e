{# The schema of a model is its folder, bare: staging, intermediate, marts, publication, reference. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}

{# Memory for the sorts of one model only; the setting dies with the transaction. #}
{% macro session_settings() -%}
    set local work_mem = '128MB'
{%- endmacro %}
