{# A table that keeps the months of every run: those of the range are emptied by a pre-hook and written again, in one transaction;
   the others are never touched, `--full-refresh` or not. A column that the model gained is added, empty in the months before.
   dbt's own `incremental` would write each row twice, first to a temporary table. A table that nothing was ever written to gets its
   indexes once it is filled: millions of rows, each put at its place in an index, cost more than the index made at the end. #}
{% materialization frozen_months, adapter='postgres' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if existing is not none and existing.is_view %}
        {% do adapter.drop_relation(existing) %}
        {% set existing = none %}
    {% endif %}
    {%- set found = comments_of(existing) if existing is not none else {} -%}
    {%- set is_unwritten = existing is not none and empty_without_indexes(existing) -%}

    {% if existing is none %}
        {% call statement('main') %}
            {{ create_table_as(False, target, sql) }}
        {% endcall %}
        {% do create_indexes(target) %}
    {% else %}
        {% call statement('main') %}
            {{ get_assert_columns_equivalent(sql) }}
            {% for column in model.columns.values() if column.name not in found %}
            alter table {{ target }} add column {{ adapter.quote(column.name) }} {{ column.data_type }};
            {% endfor %}
            insert into {{ target }} ({{ model.columns.values() | map(attribute='name') | join(', ') }})
            {{ get_select_subquery(sql) }}
        {% endcall %}
        {% if is_unwritten %}
            {% do create_indexes(target) %}
        {% endif %}
    {% endif %}

    {% do comment_what_changed(target, found) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# Drops the indexes of a table that has no block, and says whether it was one. A file made in the transaction that fills it needs no
   log, on a server that keeps the least. #}
{% macro empty_without_indexes(relation) -%}
    {%- set is_empty = run_query("select pg_relation_size('" ~ relation ~ "') = 0").rows[0][0] -%}
    {% if is_empty %}
        {%- set indexes = run_query("select indexrelid::regclass::text from pg_index where indrelid = '" ~ relation ~ "'::regclass") -%}
        {% for index in indexes.rows %}
            {% do run_query('drop index ' ~ index[0]) %}
        {% endfor %}
        {% do run_query('truncate ' ~ relation) %}
    {% endif %}
    {{ return(is_empty) }}
{%- endmacro %}
