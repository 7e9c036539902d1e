{# What a company was in the months before, from `month_seen` (siren, month_index, the range and the 25 months before it).
   A range looks back over `every_month` (the same, with a row for each month, seen or not) by counting rows, one frame for each
   depth: frames that compare months take half as long again. One month needs only one row for each company: the same functions
   then aggregate the rows of that depth. Both add up in the order of the months, so that no digit differs. #}
{% macro is_one_month() -%}
    {{ return(range_first() == range_last()) }}
{%- endmacro %}

{# A value as it was some months before; null when the company was not followed then. #}
{% macro months_before(value, months) -%}
    {%- if is_one_month() -%}
        max({{ value }}) filter (where month_index = {{ range_last() }} - {{ months }})
    {%- else -%}
        lag({{ value }}, {{ months }}) over by_company
    {%- endif -%}
{%- endmacro %}

{# An aggregate of the last months, the month itself included. #}
{% macro over_last_months(aggregate, arguments, months) -%}
    {%- if is_one_month() -%}
        {{ aggregate }}({{ arguments }} order by month_index) filter (where month_index > {{ range_last() }} - {{ months }})
    {%- else -%}
        {{ aggregate }}({{ arguments }}) over (by_company rows between {{ months - 1 }} preceding and current row)
    {%- endif -%}
{%- endmacro %}
