{# A table between two others, that nobody reads while it is made: one builder at a time, and no reader's role has its schema. The
   old one goes and the new one comes in one transaction, under one name. dbt's own `table` takes two other names on the way, for
   readers that a step has not. #}
{% materialization step, adapter='postgres' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if existing is not none %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}
    {% call statement('main') %}
        {{ create_table_as(False, target, sql) }}
    {% endcall %}
    {% if config.get('indexes') %}
        {% call statement('indexes') %}
            {% for index in config.get('indexes') %}{{ get_create_index_sql(target, index) }};{% endfor %}
        {% endcall %}
    {% endif %}
    {% do persist_docs(target, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
