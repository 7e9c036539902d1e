{# What the existing front end expects of `compat_sfor`: its words and its units. #}

{# NAF code with its dot (`2841X` and `28.41X` are one), only when it is a code of NAF Rev. 2. #}
{% macro naf_with_dot(code, nomenclature) -%}
    case
        when replace(lower({{ nomenclature }}), '_', '') = 'nafrev2' and {{ code }} ~ '^\d{2}\.?\d{2}[A-Z]$'
            then left({{ code }}, 2) || '.' || right({{ code }}, 3)
    end
{%- endmacro %}

{# « Janvier 2026 ». #}
{% macro french_month(column) -%}
    (array[
        'Janvier', 'Février', 'Mars', 'Avril', 'Mai', 'Juin',
        'Juillet', 'Août', 'Septembre', 'Octobre', 'Novembre', 'Décembre'
    ])[date_part('month', {{ column }})::integer] || ' ' || to_char({{ column }}, 'YYYY')
{%- endmacro %}

{# A list bears the month that follows the one observed: the front end shows the data as of the day before `list_date`. #}
{% macro list_date(month) -%}
    ({{ month }} + interval '1 month')::date
{%- endmacro %}

{# Group of reasons under the exact key that the front end's waterfall looks up. The context of a company (age, sector) has none. #}
{% macro macro_group(theme) -%}
    case {{ theme }}
        when 'Dettes sociales' then 'Dettes-sociales'
        when 'Données financières' then 'Données-financières'
        when 'Activité partielle' then 'Recours-à-l''activité-partielle'
        when 'Effectif' then 'Variation-de-l''effectif-de-l''entreprise'
    end
{%- endmacro %}

{# Siret of each row as known today: its own, else that of its account for the period (files before December 2025).
   `rows` holds siret, compte and the period; rows that no account places are left out, as in the existing service. #}
{% macro rows_with_siret(rows, period, columns) -%}
    select
        coalesce({{ rows }}.siret, account.siret) as siret,
        {% for column in columns %}{{ rows }}.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ rows }}
    left join {{ ref('int_compat__compte') }} as account
        on
            {{ rows }}.siret is null
            and {{ rows }}.compte = account.compte
            and {{ rows }}.{{ period }} >= account.periode_from
            and {{ rows }}.{{ period }} < account.periode_to
    where coalesce({{ rows }}.siret, account.siret) is not null
{%- endmacro %}

{# Condition that keeps the companies of the service (see int_compat__exclusion). The siren must name its table: a bare one
   would be that of the excluded companies. #}
{% macro not_excluded(siren) -%}
    not exists (select 1 from {{ ref('int_compat__exclusion') }} as excluded where excluded.siren = {{ siren }})
{%- endmacro %}

{# Part of `total` that goes to a contribution, so that the parts add up to `total` and keep their sign: what reduces takes its
   share down, what adds shares the rest. `weight` is the sum of the absolute contributions, `adding` that of the positive ones.
   Dividing by the signed sum, as was done, blows up when contributions cancel each other. #}
{% macro signed_share(total, contribution, weight, adding) -%}
    case
        when {{ contribution }} <= 0 then {{ total }} * {{ contribution }} / {{ weight }}
        else {{ total }} * (2 * {{ weight }} - {{ adding }}) / {{ weight }} * {{ contribution }} / {{ adding }}
    end
{%- endmacro %}
