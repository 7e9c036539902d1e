"""Gate 3, ml.score: a probability is a probability, for every company followed, on the scale of the month before."""

from __future__ import annotations

from datetime import date

from expectations.checks import (
    ENOUGH_ROWS,
    Check,
    Suite,
    at_least,
    between,
    day,
    duplicates,
    measured,
    months_before,
    not_null,
    rule_counts,
    rule_measures,
    span,
    unique,
)

SCORES = ("p12", "p18", "p24")
LOGIT_BOUNDS = (-50, 50)  # beyond, a probability could not be told from 0 or 1; not-a-number is above
MEAN_SCORE_BOUNDS = (0.5, 2.0)
PSI_LIMIT = 0.25  # usual reading of the population stability index: above 0.25 the population is another one
PSI_ROWS = 200  # with fewer rows in ten classes, chance alone moves the index

# Limits of ml.monitoring: (told, refused). On the simulated region (8,000 companies, 2022-10 to 2025-12) the highest values seen were
# 1.9 for a variable (partial activity after 2021), 0.02 for the scores, 0.46 for the renewal: a doubt is told, only a break refuses.
VARIABLE_PSI = (0.5, 3.0)
# Ages and times since an event move with the calendar, from one delivery to the next: their index is written, not judged.
CALENDAR = (
    "age_mois", "ap_mois_depuis_derniere", "bilan_anciennete_mois", "effectif_anciennete_mois", "mois_depuis_dernier_ecart",
    "secteur_taux_defaillance_24m",
)  # fmt: skip
SCORE_PSI = (0.1, 0.5)
# Observed over expected failures of a month scored: the whole 95 % interval is outside. A cycle that turns is told, not refused.
LEVEL_BOUNDS = ((0.8, 1.25), (0.25, 4.0))
RENEWAL = (0.75, 1.5)  # entries and exits of the month over the alerts of the month before
RENEWAL_ALERTS = 30  # with fewer alerts the month before, chance alone renews a list


def score_suites(month_start: date, month_end: date) -> tuple[Suite, ...]:
    """Suites of ml.score for the months `month_start` to `month_end` (first days, both included).

    Only the scores of each month's own model (ml.run_month) are judged; those of the month before are the reference.
    """
    rules = (
        *[not_null(column) for column in ("siren", *SCORES, "logit")],
        *[between(column, 0, 1, strict=True) for column in SCORES],
        between("logit", *LOGIT_BOUNDS),
        at_least("p18", "p12"),
        at_least("p24", "p18"),
    )
    checks = (
        unique(("siren", "month", "model_id"), "un seul score par siren, mois et modèle"),
        measured("modele_du_mois", "le mois doit avoir un modèle, connu de ml.model"),
        measured("a_risque_sans_score", "chaque entreprise à suivre doit avoir un score"),
        measured("score_hors_suivi", "aucun score pour une entreprise qui n'est pas à suivre"),
        measured(
            "mois_compare_renote",
            "quand le modèle change, le mois précédent et celui de la liste précédente doivent être renotés avec lui",
        ),
        measured("dispersion", "les scores doivent distinguer les entreprises"),
        measured("moyenne", "la probabilité moyenne doit rester proche de celle du mois précédent"),
        measured("derive", "la répartition des scores (PSI) doit rester celle du mois précédent"),
        measured("suivi", "chaque mois doit avoir son suivi dans ml.monitoring"),
        *_twice("psi_variable", "la répartition d'une variable doit rester celle de l'apprentissage du modèle (PSI)"),
        *_twice("psi_score", "la répartition des scores doit rester celle de l'apprentissage du modèle (PSI)"),
        *_twice("observe_sur_attendu", "les défaillances venues doivent être celles qui étaient annoncées"),
        *_twice("renouvellement", "la liste d'alertes ne doit pas se renouveler d'un mois à l'autre"),
    )
    rows = f"""select s.* from ml.score as s
inner join ml.run_month as r on r.month = s.month and r.model_id = s.model_id
where s.month between {day(month_start)} and {day(month_end)}"""
    return (
        Suite(
            f"ml.score, {span(month_start, month_end)}",
            _score_measures(month_start, month_end, rules),
            (*rules, *checks),
            rows=rows,
            identifiers=("siren", "month"),
        ),
    )


def _twice(name: str, label: str) -> tuple[Check, Check]:
    """The check of a monitored measure that refuses, and the one with closer limits that warns."""
    return measured(name, label), measured(f"{name}_a_surveiller", f"{label} : à surveiller", "warning")


def _score_measures(month_start: date, month_end: date, rules: tuple[Check, ...]) -> str:
    """Measures of each month; its reference is the month before, scored by the same model where it exists."""
    first, last = day(month_start), day(month_end)
    return f"""
with mois as (
    select
        cast(jour as date) as month,
        cast(jour - interval '1 month' as date) as avant,
        (select r.model_id from ml.run_month as r where r.month = cast(jour as date)) as model_id,
        (select r.liste_comparee from ml.run_month as r where r.month = cast(jour as date)) as liste_comparee,
        (select r.model_id from ml.run_month as r where r.month = cast(jour - interval '1 month' as date)) as modele_avant
    from generate_series({first}, {last}, interval '1 month') as jour
),
compares as (
    select m.month, m.model_id, r.month as avant
    from mois as m
    inner join ml.run_month as r on r.model_id <> m.model_id and r.month in (m.avant, m.liste_comparee, (
        select max(p.month) from publication.month as p
        where p.status = 'published' and p.month < {first} and m.month = {first}
    ))
),
suivies as materialized (
    select siren, month from marts.mart_company_month
    where month between {day(months_before(month_start, 1))} and {last} and a_risque
),
courant as materialized (
    select m.month, s.siren, s.p12, s.p18, s.p24, s.logit
    from mois as m inner join ml.score as s on s.month = m.month and s.model_id = m.model_id
    where s.month between {first} and {last}
),
modeles_reference as (
    select m.month, m.avant,
        case
            when exists (select 1 from ml.score as s where s.month = m.avant and s.model_id = m.model_id)
                then m.model_id
            else m.modele_avant
        end as model_id
    from mois as m
),
reference as materialized (
    select m.month, s.siren, s.p12, s.p18, s.p24
    from modeles_reference as m inner join ml.score as s on s.month = m.avant and s.model_id = m.model_id
),
{_score_drift_ctes()},
{_score_profile_ctes(rules)}
{rule_measures(rules, "profil", "to_char(month, 'YYYY-MM')")}
union all
{_score_presence_measures()}
union all
{_score_scale_measures()}
union all
{_monitoring_measures(month_start, month_end)}
union all
{duplicates("ml.score", ("siren", "month", "model_id"), f"where month between {first} and {last}")}
"""


def _score_drift_ctes() -> str:
    """Population stability index of p18 for each month, in the tenths of its reference."""
    means = ", ".join(f"avg({score}) as moyenne_{score}" for score in SCORES)
    return f"""bornes as (
    select
        month, count(*) as nb, {means},
        percentile_cont(array[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) within group (order by p18) as seuils
    from reference group by month
),
classes as (
    select
        b.month, width_bucket(t.p18, b.seuils) as classe,
        cast(count(*) filter (where t.est_courant) as double precision) as nb,
        cast(count(*) filter (where not t.est_courant) as double precision) as nb_avant
    from (
        select month, p18, true as est_courant from courant union all select month, p18, false from reference
    ) as t
    inner join bornes as b on b.month = t.month
    group by b.month, width_bucket(t.p18, b.seuils)
),
parts as (
    select
        month,
        greatest(nb / nullif(sum(nb) over (partition by month), 0), 0.0001) as part,
        greatest(nb_avant / nullif(sum(nb_avant) over (partition by month), 0), 0.0001) as part_avant
    from classes
),
derives as (select month, sum((part - part_avant) * ln(part / part_avant)) as psi from parts group by month)"""


def _score_profile_ctes(rules: tuple[Check, ...]) -> str:
    """Counts of each month, those without any score included, then the companies followed next to those scored."""
    shapes = ", ".join(f"avg({s}) as moyenne_{s}, count(distinct {s}) as distincts_{s}" for s in SCORES)
    return f"""comptes as (
    select
    month, {shapes},
    {rule_counts(rules)}
    from courant
    group by month
),
profil as (
    select m.month, {", ".join(f"p.moyenne_{s}, p.distincts_{s}" for s in SCORES)}, {
        ", ".join(
            f"coalesce(p.{name}, 0) as {name}" for name in ("nb_lignes", *(f"fautes_{n}" for n in range(len(rules))))
        )
    }
    from mois as m left join comptes as p on p.month = m.month
),
presences as (
    select
        coalesce(s.month, c.month) as month,
        count(*) filter (where s.month is not null and c.month is null) as sans_score,
        count(*) filter (where s.month is null) as en_trop,
        count(s.month) as suivies
    from suivies as s full join courant as c on c.month = s.month and c.siren = s.siren
    group by coalesce(s.month, c.month)
)"""


def _score_presence_measures() -> str:
    return """
select 'modele_du_mois', concat('modèle du mois ', to_char(m.month, 'YYYY-MM')), count(k.model_id), 1, 1, null
from mois as m left join ml.model as k on k.model_id = m.model_id
group by m.month
union all
select v.controle, concat(v.ou, ' ', to_char(m.month, 'YYYY-MM')), v.observe, v.minimum, v.maximum, null
from mois as m left join presences as p on p.month = m.month
cross join lateral (values
    ('a_risque_sans_score', 'entreprises sans score', coalesce(p.sans_score, 0), null, 0),
    ('a_risque_sans_score', 'entreprises à suivre', coalesce(p.suivies, 0), 1, null),
    ('score_hors_suivi', 'scores en trop', coalesce(p.en_trop, 0), null, 0)
) as v (controle, ou, observe, minimum, maximum)
union all
select 'mois_compare_renote',
    concat('entreprises à suivre en ', to_char(c.avant, 'YYYY-MM'), ', sans score du modèle de ', to_char(c.month, 'YYYY-MM')),
    count(s.siren) filter (where n.siren is null), 0, 0, null
from compares as c
inner join marts.mart_company_month as s on s.month = c.avant and s.a_risque
left join ml.score as n on n.month = c.avant and n.model_id = c.model_id and n.siren = s.siren
group by c.avant, c.month
"""


def _score_scale_measures() -> str:
    low, high = MEAN_SCORE_BOUNDS
    spread = "".join(
        f"""
select 'dispersion', concat('valeurs distinctes de {score} ', to_char(month, 'YYYY-MM')),
    distincts_{score}, least(10, nb_lignes / 10), null, null
from profil where nb_lignes >= {ENOUGH_ROWS}
union all
select 'moyenne', concat('moyenne de {score} ', to_char(p.month, 'YYYY-MM')),
    p.moyenne_{score}, b.moyenne_{score} * {low}, b.moyenne_{score} * {high}, null
from profil as p inner join bornes as b on b.month = p.month
where b.nb >= {ENOUGH_ROWS}
union all
"""
        for score in SCORES
    )
    return f"""{spread}
select 'derive', concat('PSI de p18 ', to_char(p.month, 'YYYY-MM')), d.psi, null, {PSI_LIMIT}, null
from profil as p
inner join bornes as b on b.month = p.month
left join derives as d on d.month = p.month
where b.nb >= {PSI_ROWS} and p.nb_lignes >= {PSI_ROWS}
"""


def _monitoring_measures(month_start: date, month_end: date) -> str:
    """What this run wrote in ml.monitoring against both limits; a model without a reference profile has no drift to measure."""
    first, last = day(month_start), day(month_end)
    limits = []
    for suffix, variable, score, (low, high), renewal in zip(
        ("_a_surveiller", ""), VARIABLE_PSI, SCORE_PSI, LEVEL_BOUNDS, RENEWAL, strict=True
    ):
        limits += [
            f"('psi_variable', '{suffix}', 'valeur', null, {variable})",
            f"('psi_score', '{suffix}', 'valeur', null, {score})",
            f"('observe_sur_attendu', '{suffix}', 'bas', null, {high})",
            f"('observe_sur_attendu', '{suffix}', 'haut', {low}, null)",
            f"('renouvellement', '{suffix}', 'valeur', null, {renewal})",
        ]
    return f"""
select 'suivi', concat('suivi du mois ', to_char(m.month, 'YYYY-MM')), count(s.objet), 1, null, null
from mois as m
inner join ml.model as k on k.model_id = m.model_id and k.profil <> '{{}}'
left join ml.monitoring as s on s.month = m.month and s.mesure = 'psi_score'
group by m.month
union all
select concat(s.mesure, l.suffixe), concat(s.objet, ' ', to_char(s.month, 'YYYY-MM')),
    case l.colonne when 'bas' then s.bas when 'haut' then s.haut else s.valeur end, l.minimum, l.maximum, null
from ml.monitoring as s
inner join (values {", ".join(limits)}) as l (mesure, suffixe, colonne, minimum, maximum) on l.mesure = s.mesure
where (
    (
        s.mesure in ('psi_variable', 'psi_score') and s.effectif >= {PSI_ROWS}
        and s.objet not in ({", ".join(f"'{name}'" for name in CALENDAR)})
    )
    or (s.mesure = 'renouvellement' and s.effectif >= {RENEWAL_ALERTS})
) and s.month between {first} and {last}
or s.mesure = 'observe_sur_attendu' and s.mesure_en between {first} and {last}
"""
