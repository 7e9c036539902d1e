{# Turns contributions (key, start_month, end_month exclusive, measures) into one row per key and month of change.
   What was open before the range is put on its first month, so the sum up to a month is the level of that month.
   Never one row per month: the cost follows the events, not the length of the history. Rows are in the order of the spine's,
   so that a merge adds them up. #}
{% macro month_deltas(contribution, measures, key='siren') -%}
    select
        {{ key }},
        month_index,
        {%- for measure in measures %}
        sum({{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        select
            {{ key }},
            greatest(start_month, {{ range_first() }}) as month_index,
            {{ measures | join(', ') }}
        from {{ contribution }}
        where {{ touches_range('start_month', 'end_month') }}
        union all
        select
            {{ key }},
            end_month as month_index,
            {% for measure in measures %}-{{ measure }}{{ ', ' if not loop.last }}{% endfor %}
        from {{ contribution }}
        where {{ touches_range('start_month', 'end_month') }} and end_month <= {{ range_last() }}
    ) as opened_and_closed
    group by {{ key }}, month_index
    order by {{ key }}, month_index
{%- endmacro %}

{# Spans of months, inside the range, in which the same rows are valid, for each key: what is known is constant in a segment.
   `version` holds key, valid_from and valid_to (month indexes). What was true before the range begins on its first month. #}
{% macro knowledge_segments(version, key) -%}
    select
        {{ key | join(', ') }},
        change_month as segment_from,
        coalesce(lead(change_month) over (partition by {{ key | join(', ') }} order by change_month), 999999) as segment_to
    from (
        select {{ key | join(', ') }}, greatest(valid_from, {{ range_first() }}) as change_month
        from {{ version }}
        where {{ touches_range() }}
        union
        select {{ key | join(', ') }}, valid_to as change_month
        from {{ version }}
        where {{ touches_range() }} and valid_to <= {{ range_last() }}
    ) as change
{%- endmacro %}

{# Which of several competing rows rules, and when: in each segment of a key, the valid row with the highest rank.
   `version` holds key, valid_from, valid_to (month indexes) and the columns kept. Exact also when a row is corrected or
   withdrawn. Quadratic in the rows of ONE key: for short histories only (an ecart negatif, an establishment's states).
   `first_of` also gives the least value of a column among the valid rows. PostgreSQL's DISTINCT ON stays in here. #}
{% macro ruling_segments(version, key, rank, columns, first_of=none) -%}
    select distinct on ({% for k in key %}segment.{{ k }}, {% endfor %}segment.segment_from)
        {% for k in key %}segment.{{ k }}, {% endfor %}
        segment.segment_from as change_month,
        segment.segment_to,
        (version.valid_from is not null) as is_known,
        {% for column in columns %}version.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
        {%- if first_of %},
        min(version.{{ first_of }}) over (
            partition by {% for k in key %}segment.{{ k }}, {% endfor %}segment.segment_from
            order by {{ rank }}
            rows between unbounded preceding and unbounded following
        ) as first_{{ first_of }}
        {%- endif %}
    {% if range_first() == range_last() -%}
    {#- In one month nothing changes: the rows valid then compete once. #}
    from (
        select *, {{ range_first() }} as segment_from, 999999 as segment_to
        from {{ version }}
        where {{ touches_range() }}
    ) as version
    cross join lateral (
        select {% for k in key %}version.{{ k }}, {% endfor %}version.segment_from, version.segment_to
    ) as segment
    {%- else -%}
    from (
        {{ knowledge_segments(version, key) }}
    ) as segment
    left join {{ version }} as version
        on {% for k in key %}segment.{{ k }} = version.{{ k }} and {% endfor %}
        version.valid_from <= segment.segment_from and version.valid_to > segment.segment_from
    {%- endif %}
    order by {% for k in key %}segment.{{ k }}, {% endfor %}segment.segment_from, {{ rank }}
{%- endmacro %}

{# The row with the greatest `rank` (a month index, never after the month) among those valid at each month of the spine.
   For long series with one row a month: one index probe per (siren, month). `relation` needs an index on (siren, rank).
   `condition` (on `candidate` and the spine) leaves rows out. PostgreSQL's LATERAL stays in here. #}
{% macro latest_known(spine, relation, rank, columns, tie=none, condition=none) -%}
    select
        {{ spine }}.siren,
        {{ spine }}.month_index,
        {% for column in columns %}latest.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ spine }}
    cross join lateral (
        select {{ columns | join(', ') }}
        from {{ relation }} as candidate
        where
            candidate.siren = {{ spine }}.siren
            and candidate.{{ rank }} <= {{ spine }}.month_index
            and candidate.valid_from <= {{ spine }}.month_index
            and candidate.valid_to > {{ spine }}.month_index
            {%- if condition %}
            and {{ condition }}
            {%- endif %}
        order by candidate.{{ rank }} desc{% if tie %}, candidate.{{ tie }} desc{% endif %}
        limit 1
    ) as latest
{%- endmacro %}

{# Union of the intervals of a key: rows that touch or overlap become one, holes stay holes. #}
{% macro merged_intervals(interval, key) -%}
    select
        {{ key | join(', ') }},
        min(start_month) as start_month,
        max(end_month) as end_month
    from (
        select
            *,
            sum(opens_island) over (partition by {{ key | join(', ') }} order by start_month, end_month) as island
        from (
            select
                *,
                case
                    when start_month <= max(end_month) over (
                        partition by {{ key | join(', ') }}
                        order by start_month, end_month
                        rows between unbounded preceding and 1 preceding
                    ) then 0
                    else 1
                end as opens_island
            from {{ interval }}
        ) as marked
    ) as numbered
    group by {{ key | join(', ') }}, island
{%- endmacro %}
