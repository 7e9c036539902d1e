{# Months are counted as integers (year x 12 + month - 1): windows and ranges on them read the same on PostgreSQL and Spark. #}

{# First day of the month of a date. The cast to timestamp keeps the session's time zone out of it. #}
{% macro month_start_of(column) -%}
    date_trunc('month', {{ column }}::timestamp)::date
{%- endmacro %}

{# Integer index of the month of a date. #}
{% macro month_index(column) -%}
    (date_part('year', {{ column }}) * 12 + date_part('month', {{ column }}) - 1)::integer
{%- endmacro %}

{# Same, where 'infinity' (still true) becomes a month that never comes. #}
{% macro month_index_open(column) -%}
    (case
        when {{ column }} is null or {{ column }} = 'infinity' then 999999
        else date_part('year', {{ column }}) * 12 + date_part('month', {{ column }}) - 1
    end)::integer
{%- endmacro %}

{# First day of a month index. #}
{% macro month_date(column) -%}
    make_date({{ column }} / 12, {{ column }} % 12 + 1, 1)
{%- endmacro %}

{# Last day of a month index. #}
{% macro month_last_day(column) -%}
    (make_date(({{ column }} + 1) / 12, ({{ column }} + 1) % 12 + 1, 1) - 1)
{%- endmacro %}

{# First and last month index of the range being built. #}
{% macro range_first() -%}
    {{ var('month_start')[:4] | int * 12 + var('month_start')[5:7] | int - 1 }}
{%- endmacro %}

{% macro range_last() -%}
    {{ var('month_end')[:4] | int * 12 + var('month_end')[5:7] | int - 1 }}
{%- endmacro %}

{# Keeps the rows known on the last day of at least one month of the range. #}
{% macro known_in_range(alias='') -%}
    {%- set prefix = alias ~ '.' if alias else '' -%}
    {{ prefix }}known_from < {{ range_end_date() }} and {{ prefix }}known_to >= {{ range_start_date() }} + interval '1 month'
{%- endmacro %}

{# A row known at [known_from, known_to), among those of `known_in_range`, counts in the months whose last day falls inside:
   from the month of known_from, up to and without the month of known_to. In a range of one month they all count in that month. #}
{% macro known_months(alias='') -%}
    {%- set prefix = alias ~ '.' if alias else '' -%}
    {%- if is_one_month() -%}
    {{ range_first() }} as valid_from,
    999999 as valid_to
    {%- else -%}
    {{ month_index(prefix ~ 'known_from') }} as valid_from,
    {{ month_index_open(prefix ~ 'known_to') }} as valid_to
    {%- endif -%}
{%- endmacro %}

{# Keeps the rows that count in at least one month of the range. #}
{% macro touches_range(first='valid_from', end='valid_to') -%}
    {{ first }} < {{ end }} and {{ first }} <= {{ range_last() }} and {{ end }} > {{ range_first() }}
{%- endmacro %}

{# The URSSAF closes its month on the 20th: an event treated later belongs to the next month. #}
{% macro urssaf_accounting_month(column) -%}
    (case
        when date_part('day', {{ column }}) <= 20 then {{ month_start_of(column) }}
        else ({{ month_start_of(column) }} + interval '1 month')::date
    end)
{%- endmacro %}

{# Keeps what the URSSAF treated in an accounting month that is not after the range. #}
{% macro accounted_in_range(column) -%}
    {{ column }} <= '{{ var('month_end') }}'::date + 19
{%- endmacro %}

{# One row per month index between two bounds, as a table function. #}
{% macro month_series(first, last, alias='series') -%}
    generate_series({{ first }}, {{ last }}) as {{ alias }}(month_index)
{%- endmacro %}

{# One row per month that a month interval covers, cut to the range (segments to months). #}
{% macro months_of_segment(first, end, alias='series') -%}
    generate_series(greatest({{ first }}, {{ range_first() }}), least({{ end }} - 1, {{ range_last() }})) as {{ alias }}(month_index)
{%- endmacro %}

{# One row per month between two bounds that come from the row on the left (PostgreSQL's lateral stays in here). #}
{% macro each_month(first, last, alias='series') -%}
    cross join lateral generate_series({{ first }}, {{ last }}) as {{ alias }}(month_index)
{%- endmacro %}

{# Text compared without case, accents nor apostrophes. #}
{% macro plain_text(column) -%}
    translate(lower({{ column }}), 'àâäéèêëîïôöùûüç''’', 'aaaeeeeiioouuuc  ')
{%- endmacro %}

{# First day of the range, and first day after it, as dates: cheap filters on known_from, known_to and periods. #}
{% macro range_start_date() -%}
    '{{ var('month_start') }}'::date
{%- endmacro %}

{% macro range_end_date() -%}
    ('{{ var('month_end') }}'::date + interval '1 month')::date
{%- endmacro %}

{# Last day of the month that comes a number of months after a month. #}
{% macro month_end_after(column, months) -%}
    (({{ column }} + interval '{{ months + 1 }} months')::date - 1)
{%- endmacro %}

{# A consumption of partial activity is known two months after its month: month M shows the hours of month M - 2. #}
{% macro consommation_shown_after() -%}
    2
{%- endmacro %}

{# Hours of one full-time month (DGEFP convention). #}
{% macro heures_etp() -%}
    151.67
{%- endmacro %}
