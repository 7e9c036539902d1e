{# A view that stays in place: created when it is missing, replaced only when its definition has changed.
   dbt's own `view` drops and creates again each time, with whatever depends on it: a reader in the middle of a long cursor
   would block the run (and the run, the next readers), and the views of `compat_sfor` would vanish whenever staging is built.
   A definition that only adds columns at the end replaces the view under its dependents; any other change takes them along. #}
{% materialization lasting_view, adapter='postgres' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set proposal = this.identifier ~ '__proposal' -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if existing is not none and not existing.is_view %}
        {% do adapter.drop_relation(existing) %}
        {% set existing = none %}
    {% endif %}

    {% call statement('proposal') %}
        create temporary view {{ adapter.quote(proposal) }}
        {% if config.get('contract').enforced %}{{ get_assert_columns_equivalent(sql) }}{% endif %}
        as (
            {{ sql }}
        )
    {% endcall %}
    {%- set change = 'create' if existing is none else view_change(target, proposal) -%}
    {% if change == 'recreate' %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}

    {% call statement('main') %}
        drop view pg_temp.{{ adapter.quote(proposal) }};
        {% if change != 'none' %}
            create or replace view {{ target }} as (
                {{ sql }}
            );
        {% endif %}
    {% endcall %}

    {% do comment_what_changed(target, comments_of(target)) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# What to do of an existing view for it to become the temporary view `proposal`: 'none', 'replace' or 'recreate'. #}
{% macro view_change(target, proposal) -%}
    {%- set columns -%}
        select attnum, attname, atttypid, atttypmod from pg_attribute where attnum > 0 and attrelid
    {%- endset -%}
    {%- set question -%}
        select
            case
                when pg_get_viewdef('{{ target }}'::regclass) = pg_get_viewdef('pg_temp.{{ proposal }}'::regclass) then 'none'
                when exists (
                    {{ columns }} = '{{ target }}'::regclass
                    except
                    {{ columns }} = 'pg_temp.{{ proposal }}'::regclass
                ) then 'recreate'
                else 'replace'
            end
    {%- endset -%}
    {{ return(run_query(question).rows[0][0]) }}
{%- endmacro %}
