{# Level of a p18 between the two thresholds of its model (exact words of the existing service; null: no alert). #}
{% macro alert_level(p18, seuil_f1, seuil_f2) -%}
    case
        when {{ p18 }} >= {{ seuil_f1 }} then 'Alerte seuil F1'
        when {{ p18 }} >= {{ seuil_f2 }} then 'Alerte seuil F2'
    end
{%- endmacro %}

{# Same, as a number to compare: 2, 1, 0. #}
{% macro alert_rank(alerte) -%}
    case {{ alerte }} when 'Alerte seuil F1' then 2 when 'Alerte seuil F2' then 1 else 0 end
{%- endmacro %}
