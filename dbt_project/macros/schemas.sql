{# The schema of a model is its folder, bare: staging, intermediate, marts, publication, reference. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}

{# Memory for the sorts of one model only, and statistics from three thousand rows: tables of one month, or of one run, are alike
   from end to end. Nested loops are off, but where nothing else can join: the planner has no statistics on the steps inside a
   query, takes millions of rows for a few, and would go through the others once for each. No workers: dbt builds a model on each core
   already. The settings die with the transaction. #}
{% macro session_settings() -%}
    set local work_mem = '128MB';
    set local enable_nestloop = off;
    set local max_parallel_workers_per_gather = 0;
    set local default_statistics_target = 10
{%- endmacro %}

{# Empties the months of the range, and only those, before they are written again. #}
{% macro delete_range() -%}
    {%- if has_frozen_months() -%}
        delete from {{ this }} where month between {{ range_start_date() }} and '{{ var('month_end') }}'::date
    {%- endif -%}
{%- endmacro %}

{# Empties the last year of observation months whose 18 months were over, and observed (two months more), when the range begins. #}
{% macro delete_last_closed_year() -%}
    {%- if has_frozen_months() -%}
        delete from {{ this }} where month >= {{ range_start_date() }} - interval '31 months'
    {%- endif -%}
{%- endmacro %}

{# Empties what the events of a run write again: all that courts and Sirene say as of the last month computed, and the URSSAF
   defaults of the months of the run and of the month after, whose beginning depends on them. #}
{% macro delete_events() -%}
    {%- if has_frozen_months() -%}
        delete from {{ this }}
        where
            type_evenement <> 'defaut_urssaf'
            or date_evenement between {{ range_start_date() }} and {{ month_end_after(range_end_date(), 0) }}
    {%- endif -%}
{%- endmacro %}

{# Whether the model has months of other runs to read back. #}
{% macro has_frozen_months() -%}
    {{ return(execute and load_relation(this) is not none) }}
{%- endmacro %}

{# Statistics after many months, or the first; a month more changes none that a plan depends on, and the server refreshes them itself. #}
{% macro analyze_months(columns) -%}
    {%- if not (is_one_month() and has_frozen_months()) -%}
        analyze {{ this }} ({{ columns | join(', ') }})
    {%- endif -%}
{%- endmacro %}

{# A mart of months that steps of the same run read back, as it was left by other runs; none before the first. Not a `ref`: the mart
   is made from these steps, and dbt's graph has no circles. #}
{% macro frozen_mart(name) -%}
    {%- if execute -%}
        {{ return(load_relation(api.Relation.create(database=target.database, schema=generate_schema_name('marts', none), identifier=name))) }}
    {%- endif -%}
{%- endmacro %}

{# First day after the last month computed, by this run or another: what events say as of that day must not be forgotten when an
   old month is computed again. #}
{% macro computed_end_date() -%}
    {%- set mart = frozen_mart('mart_company_month') -%}
    {%- if mart -%}
        {%- set last = run_query("select greatest(max(month), '" ~ var('month_end') ~ "') from " ~ mart).rows[0][0] -%}
        ('{{ last }}'::date + interval '1 month')::date
    {%- else -%}
        {{ range_end_date() }}
    {%- endif -%}
{%- endmacro %}
