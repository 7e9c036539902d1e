{# Generic data tests. Each returns the offending rows. #}

{% test unique_key(model, columns) %}
select {{ columns | join(', ') }}, count(*) as n
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{% test expression_is_true(model, expression) %}
select 1 as failing from {{ model }} where not ({{ expression }})
{% endtest %}

{# The rows that a data test looks at: dbt's own macro, with the months of the run in place of their names. #}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where') -%}
    {%- if where -%}
        (
            select * from {{ relation }}
            where {{ where | replace('__first_day_of_the_run__', range_start_date()) | replace('__last_month_of_the_run__', "'" ~ var('month_end') ~ "'::date") }}
        ) as tested
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
