{# Columns of mart_clignotant that hold a rule, in the order of the seed `clignotant`. #}
{% macro clignotants() -%}
    {{ return([
        'creanciers_publics', 'cotisations_deux_trimestres', 'dettes_superieures_actif', 'deux_exercices_deficitaires',
        'comptes_non_publies', 'liquidite_insuffisante',
    ]) }}
{%- endmacro %}
