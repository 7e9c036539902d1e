{# Gives each row its siren and siret: its own when the file has them, else those of its account as of the period and as known
   then. `version` holds compte, siret, valid_from, valid_to and the columns kept; the validity is cut where the account's siren changes. #}
{% macro rows_with_siren(version, own_siren, period, columns) -%}
    select
        {{ own_siren }} as siren,
        siret,
        {% for column in columns %}{{ column }}, {% endfor %}
        valid_from,
        valid_to
    from {{ version }}
    where {{ own_siren }} is not null
    union all
    select
        account.siren,
        account.siret,
        {% for column in columns %}unmapped.{{ column }}, {% endfor %}
        greatest(unmapped.valid_from, account.segment_from) as valid_from,
        least(unmapped.valid_to, account.segment_to) as valid_to
    from (select * from {{ version }} where {{ own_siren }} is null) as unmapped
    inner join {{ ref('int_compte__siren') }} as account
        on
            unmapped.compte = account.compte
            and unmapped.{{ period }} >= account.periode_from
            and unmapped.{{ period }} < account.periode_to
            and unmapped.valid_from < account.segment_to
            and unmapped.valid_to > account.segment_from
{%- endmacro %}

{# What remains of a delai's instalments at the end of a month: the whole amount, by the share of the days still to run. #}
{% macro remaining_instalments(amount, month_end) -%}
    case
        when {{ month_end }} < date_echeance then {{ amount }} * (date_echeance - {{ month_end }}) / (date_echeance - date_creation)
        else 0
    end
{%- endmacro %}

{# Warns of the accounts whose lines have no company of their own and that the account table never knew: their amounts are
   kept in raw and in staging, and count in no company. #}
{% test account_is_known(model, own_siren) %}
{{ config(severity='warn') }}
with

line as (

    select * from {{ model }}

)

select
    line.compte,
    count(*) as lignes
from line
where
    line.{{ own_siren }} is null
    and line.known_to = 'infinity'
    and not exists (select 1 from {{ ref('stg_urssaf__compte') }} as account where account.compte = line.compte)
group by line.compte
{% endtest %}
