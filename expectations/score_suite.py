"""Gate 3, ml.score: a probability is a probability, for every company followed, on the scale of the month before."""

from __future__ import annotations

from datetime import date

from expectations.checks import ENOUGH_ROWS, Suite, at_least, between, day, measured, not_null, span, unique

MEAN_SCORE_BOUNDS = (0.5, 2.0)
PSI_LIMIT = 0.25  # usual reading of the population stability index: above 0.25 the population is another one
PSI_ROWS = 200  # with fewer rows in ten classes, chance alone moves the index


def score_suites(month: date) -> tuple[Suite, ...]:
    """Suites of ml.score for `month` and the model of that month (ml.run_month)."""
    subject = f"ml.score, {span(month, month)}"
    rows = Suite(
        subject,
        f"""select s.* from ml.score as s
inner join ml.run_month as r on r.month = s.month and r.model_id = s.model_id
where s.month = {day(month)}""",
        (
            *[not_null(column) for column in ("siren", "p12", "p18", "p24", "logit")],
            unique(("siren", "month", "model_id"), "un seul score par siren, mois et modèle"),
            *[between(column, 0, 1, strict=True) for column in ("p12", "p18", "p24")],
            at_least("p18", "p12"),
            at_least("p24", "p18"),
        ),
        identifiers=("siren",),
    )
    checks = (
        measured("modele_du_mois", "le mois doit avoir un modèle, connu de ml.model"),
        measured("a_risque_sans_score", "chaque entreprise à suivre doit avoir un score"),
        measured("score_hors_suivi", "aucun score pour une entreprise qui n'est pas à suivre"),
        measured("mois_precedent_renote", "quand le modèle change, le mois précédent doit être renoté avec lui"),
        measured("dispersion", "les scores doivent distinguer les entreprises"),
        measured("moyenne", "la probabilité moyenne doit rester proche de celle du mois précédent"),
        measured("derive", "la répartition des scores (PSI) doit rester celle du mois précédent"),
    )
    return rows, Suite(subject, _score_measures(month), checks, materialised=True)


def _score_measures(month: date) -> str:
    """Measures of the month; the reference is the month before, scored by the same model where it exists."""
    this_month = day(month)
    low, high = MEAN_SCORE_BOUNDS
    return f"""
with modele as (select model_id from ml.run_month where month = {this_month}),
mois_avant as (select cast({this_month} - interval '1 month' as date) as month),
suivies as (select siren from marts.mart_company_month where month = {this_month} and a_risque),
courant as (
    select s.siren, s.p18 from ml.score as s inner join modele as m on m.model_id = s.model_id where s.month = {this_month}
),
avant as (
    select s.siren, s.p18, s.model_id, s.model_id = (select m.model_id from modele as m) as meme_modele
    from ml.score as s inner join mois_avant as a on a.month = s.month
),
reference as (
    select a.siren, a.p18 from avant as a
    where
        a.meme_modele
        or (
            not exists (select 1 from avant as b where b.meme_modele)
            and a.model_id = (
                select r.model_id from ml.run_month as r inner join mois_avant as v on v.month = r.month
            )
        )
),
bornes as (
    select percentile_cont(array[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) within group (order by p18) as seuils
    from reference
),
parts as (
    select
        classe,
        greatest(coalesce(sum(cast(est_courant as integer)), 0)
            / nullif((select cast(count(*) as double precision) from courant), 0), 0.0001) as part,
        greatest(coalesce(sum(cast(not est_courant as integer)), 0)
            / nullif((select cast(count(*) as double precision) from reference), 0), 0.0001) as part_avant
    from (
        select width_bucket(p18, seuils) as classe, true as est_courant from courant cross join bornes
        union all
        select width_bucket(p18, seuils), false from reference cross join bornes
    ) as tous
    group by classe
),
effectifs as (
    select
        (select count(*) from courant) as nb,
        (select count(*) from reference) as nb_avant,
        (select avg(p18) from courant) as moyenne,
        (select avg(p18) from reference) as moyenne_avant
)
select 'modele_du_mois' as controle, 'modèle du mois' as ou,
    cast(count(*) as double precision) as observe,
    cast(1 as double precision) as minimum, cast(1 as double precision) as maximum
from modele as m inner join ml.model as k on k.model_id = m.model_id
union all
select 'a_risque_sans_score', 'entreprises sans score', count(*), 0, 0
from suivies as s where not exists (select 1 from courant as c where c.siren = s.siren)
union all
select 'a_risque_sans_score', 'entreprises à suivre', count(*), 1, null from suivies
union all
select 'score_hors_suivi', 'scores en trop', count(*), 0, 0
from courant as c where not exists (select 1 from suivies as s where s.siren = c.siren)
union all
select 'mois_precedent_renote', 'entreprises à suivre le mois précédent, sans score du nouveau modèle', count(*), 0, 0
from marts.mart_company_month as c
inner join mois_avant as v on v.month = c.month
inner join ml.run_month as r on r.month = v.month
where
    c.a_risque
    and r.model_id <> (select m.model_id from modele as m)
    and not exists (select 1 from avant as a where a.meme_modele and a.siren = c.siren)
union all
select 'dispersion', 'valeurs distinctes de p18', count(distinct p18), least(10, count(*) / 10), null
from courant having count(*) >= {ENOUGH_ROWS}
union all
select 'moyenne', 'moyenne de p18', moyenne, moyenne_avant * {low}, moyenne_avant * {high}
from effectifs where nb_avant >= {ENOUGH_ROWS}
union all
select 'derive', 'PSI de p18', (select sum((part - part_avant) * ln(part / part_avant)) from parts), null, {PSI_LIMIT}
from effectifs where nb_avant >= {PSI_ROWS} and nb >= {PSI_ROWS}
"""
