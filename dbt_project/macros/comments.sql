{# Comments of a relation that exists: of each column by its name, none where it has none, and its own under ''. #}
{% macro comments_of(relation) -%}
    {%- set question -%}
        select attname::text, col_description(attrelid, attnum)
        from pg_attribute
        where attrelid = '{{ relation }}'::regclass and attnum > 0 and not attisdropped
        union all
        select '', obj_description('{{ relation }}'::regclass, 'pg_class')
    {%- endset -%}
    {%- set found = {} -%}
    {%- for row in run_query(question).rows -%}
        {%- do found.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{# Writes the descriptions of the model and of its columns that are not among the comments `found` on the relation: in most runs,
   none. dbt's own `persist_docs` writes all of them each time. #}
{% macro comment_what_changed(relation, found) -%}
    {%- set changes -%}
        {%- if found.get('') != model.description %}{{ alter_relation_comment(relation, model.description) }}{% endif -%}
        {%- for column in model.columns.values() if found.get(column.name) != column.description %}
        comment on column {{ relation }}.{{ adapter.quote(column.name) }} is {{ postgres_escape_comment(column.description) }};
        {%- endfor -%}
    {%- endset -%}
    {%- if changes | trim -%}
        {%- do run_query(changes) -%}
    {%- endif -%}
{%- endmacro %}
