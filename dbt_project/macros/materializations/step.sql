{# A table between two others, that nobody reads while it is made: one builder at a time, and no reader's role has its schema. The
   old one goes and the new one comes in one transaction, under one name. dbt's own `table` takes two other names on the way, for
   readers that a step has not. Two scripts: on a step of one month, dbt spends more for each statement than the server. #}
{% materialization step, adapter='postgres' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}

    {% if existing is not none and existing.is_view %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}
    {% call statement('main') %}
        {{ session_settings() }};
        drop table if exists {{ target }} cascade;
        {{ create_table_as(False, target, sql) }}
    {% endcall %}
    {% call statement('finish') %}
        {% for index in config.get('indexes') or [] %}{{ get_create_index_sql(target, index) }};{% endfor %}
        {{ alter_relation_comment(target, model.description) }}
        analyze {{ target }}
    {% endcall %}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
