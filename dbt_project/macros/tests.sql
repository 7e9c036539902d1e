{# Generic data tests. Each returns the offending rows. #}

{% test unique_key(model, columns) %}
select {{ columns | join(', ') }}, count(*) as n
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{% test known_from_before_known_to(model) %}
select known_from, known_to from {{ model }} where known_from >= known_to
{% endtest %}

{% test parts_sum_to_total(model, parts, total) %}
select {{ parts | join(', ') }}, {{ total }} as total
from {{ model }}
where {{ parts | join(' + ') }} is distinct from {{ total }}
{% endtest %}

{% test expression_is_true(model, expression) %}
select 1 as failing from {{ model }} where not ({{ expression }})
{% endtest %}
