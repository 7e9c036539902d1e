"""Gate 4, the candidate lists: complete, coherent with scores and mart, of the size of the lists already published."""

from __future__ import annotations

from datetime import date

from expectations.checks import (
    SMALL_COUNT,
    Check,
    Suite,
    at_least,
    between,
    day,
    duplicates,
    in_set,
    measured,
    months_before,
    not_null,
    rule_counts,
    rule_measures,
    span,
    unique,
)

LIST = "publication.candidate_detection"
ALERTS = ("Alerte seuil F1", "Alerte seuil F2")
NOVELTY_REASONS = (
    "premiere_alerte",
    "aggravation",
    "retour",
    "entree_perimetre",
    "changement_modele",
    "deja_en_alerte",
)
LIST_BOUNDS = (0.5, 2.0)
NOVELTY_BOUNDS = (0.2, 4.0)  # few companies a month: the spread is wider than that of the alerts
LIST_MEDIAN_MIN = 20  # below, a ratio of small counts says nothing
# Shares of the companies followed that no list exceeds, whatever the model and the past: above, nobody can follow it.
MAX_ALERT_SHARE = 0.25
MAX_NOVELTY_SHARE = 0.05


def list_suites(month_start: date, month_end: date) -> tuple[Suite, ...]:
    """Suites of the candidate lists of the months `month_start` to `month_end` (first days, both included)."""
    rules = (
        *[not_null(name) for name in ("siren", "alerte", "departement", "region", "p12", "p18", "p24")],
        *[not_null(name) for name in ("est_nouvelle_detection", "motif_nouveaute", "premiere_alerte_le")],
        in_set("alerte", ALERTS),
        in_set("alerte_precedente", ALERTS),
        in_set("motif_nouveaute", NOVELTY_REASONS),
        *[between(column, 0, 1, strict=True) for column in ("p12", "p18", "p24")],
        at_least("p18", "p12"),
        at_least("p24", "p18"),
        between("nb_alertes_4_listes", 0, 4),
        at_least("month", "premiere_alerte_le"),
    )
    where = f"where month between {day(month_start)} and {day(month_end)}"
    return (
        Suite(
            f"liste candidate, {span(month_start, month_end)}",
            _list_measures(month_start, month_end, rules, where),
            (*rules, *_list_measure_checks()),
            rows=f"select * from {LIST} {where}",
            identifiers=("month", "siren"),
        ),
    )


def _list_measure_checks() -> tuple[Check, ...]:
    alerts = "le nombre d'alertes doit rester proche de la médiane des 12 dernières listes"
    news = "le nombre de nouvelles détections doit rester proche des 12 dernières listes"
    return (
        unique(("month", "siren"), "une entreprise ne figure qu'une fois dans une liste"),
        measured("mois_present", "chaque mois demandé doit avoir des entreprises suivies dans candidate_score"),
        measured("detection_dans_les_scores", "chaque alerte doit figurer à l'identique dans candidate_score"),
        measured("alerte_dans_la_liste", "chaque score en alerte doit figurer dans la liste"),
        measured("alertes", alerts),
        measured("alertes_modele", f"{alerts} (le modèle a changé ce mois-ci)", "warning"),
        measured("alertes_part", "une liste d'alertes ne doit porter que sur une part des entreprises suivies"),
        measured("nouvelles", news),
        measured("nouvelles_modele", f"{news} (le modèle a changé, ou peu de nouvelles : à regarder)", "warning"),
        measured("nouvelles_part", "les nouvelles détections doivent rester rares parmi les entreprises suivies"),
        measured("capacite", "les détections retenues ne doivent pas dépasser la capacité du territoire"),
        measured("retenue_nouvelle", "une détection retenue est une nouvelle détection"),
        measured(
            "nouveaute_fondee", "une nouvelle détection est une première alerte ou une aggravation de l'entreprise"
        ),
        measured("nouveaute_coherente", "les indicateurs de nouveauté et leur motif doivent concorder"),
        measured("hors_procedure", "aucune entreprise en procédure collective, inactive ou inconnue du mart"),
        measured("raison_presente", "chaque nouvelle détection doit avoir au moins une raison"),
        measured("raison_fondee", "une raison porte sur une entreprise de la liste et se lit en français"),
        measured("seuils_ordonnes", "tout score en alerte F1 dépasse tout score en alerte F2 de la même liste"),
        measured("rang_continu", "les rangs d'un territoire vont de 1 au nombre de nouvelles détections"),
        measured("territoires", "les comptes par territoire doivent être ceux de la liste"),
    )


def _list_measures(month_start: date, month_end: date, rules: tuple[Check, ...], where: str) -> str:
    first, last = day(month_start), day(month_end)
    counts = ", ".join(
        f"coalesce(p.{name}, 0) as {name}" for name in ("nb_lignes", *(f"fautes_{n}" for n in range(len(rules))))
    )
    return f"""
with liste as materialized (select * from {LIST} {where}),
scores as materialized (select month, siren, alerte, p18 from publication.candidate_score {where}),
raisons as materialized (select month, siren, phrase from publication.candidate_raison {where}),
territoires as materialized (select * from publication.candidate_territoire {where}),
demandes as (
    select cast(jour as date) as month from generate_series({first}, {last}, interval '1 month') as jour
),
comptes as (
    select
    month,
    {rule_counts(rules)}
    from liste
    group by month
),
profil as (select d.month, {counts} from demandes as d left join comptes as p on p.month = d.month),
{_list_history_ctes(month_start)}
{rule_measures(rules, "profil", "to_char(month, 'YYYY-MM')")}
union all
select 'mois_present', to_char(month, 'YYYY-MM'), suivies, 1, null, null from candidates
union all
{_list_volume_measures()}
union all
{_list_coherence_measures(where)}
union all
{_list_territory_measures()}
union all
{duplicates(LIST, ("month", "siren"), where)}
"""


def _list_history_ctes(month_start: date) -> str:
    """Counts of each list that readers see (withdrawn and replaced ones aside), of the candidates, and their models.

    A month is compared with the lists of its own model where there are enough of them, else with all of them.
    """
    first, start = day(month_start), day(months_before(month_start, 12))
    return f"""publiees as (
    select
        p.month, min(p.model_id) as model_id,
        count(d.siren) as alertes, count(*) filter (where d.est_nouvelle_detection) as nouvelles
    from publication.month as p
    left join publication.detection as d on d.publication_id = p.publication_id and d.month = p.month
    where p.status = 'published' and p.month >= {start} and p.month < {first}
    group by p.month
),
comptes_scores as (select month, count(*) as suivies from scores group by month),
comptes_liste as (
    select month, count(*) as alertes, count(*) filter (where est_nouvelle_detection) as nouvelles
    from liste group by month
),
candidates as (
    select
        d.month, r.model_id, coalesce(s.suivies, 0) as suivies,
        coalesce(l.alertes, 0) as alertes, coalesce(l.nouvelles, 0) as nouvelles
    from demandes as d
    left join ml.run_month as r on r.month = d.month
    left join comptes_scores as s on s.month = d.month
    left join comptes_liste as l on l.month = d.month
),
suite_listes as (
    select month, model_id, alertes, nouvelles from publiees
    union all
    select month, model_id, alertes, nouvelles from candidates
),
compares as (
    select
        c.month, c.alertes, c.nouvelles,
        count(*) as nb_listes,
        count(*) filter (where p.model_id = c.model_id) as nb_du_modele,
        coalesce((array_agg(p.model_id order by p.month desc))[1] <> c.model_id, false) as autre_modele,
        percentile_cont(0.5) within group (order by p.alertes) as alertes_toutes,
        percentile_cont(0.5) within group (order by p.alertes) filter (where p.model_id = c.model_id) as alertes_modele,
        percentile_cont(0.5) within group (order by p.nouvelles) as nouvelles_toutes,
        percentile_cont(0.5) within group (order by p.nouvelles)
            filter (where p.model_id = c.model_id) as nouvelles_modele
    from candidates as c
    inner join suite_listes as p on p.month < c.month and p.month >= c.month - interval '12 months'
    group by c.month, c.model_id, c.alertes, c.nouvelles
)"""


def _list_volume_measures() -> str:
    """Size of each list against those before it; the first list of a model is only told."""
    low, high = LIST_BOUNDS
    new_low, new_high = NOVELTY_BOUNDS
    return f"""
select v.controle, to_char(c.month, 'YYYY-MM'), v.nombre, v.mediane * v.bas, v.mediane * v.haut, null
from compares as c
cross join lateral (values
    (case when c.autre_modele then 'alertes_modele' else 'alertes' end, c.alertes,
        case when c.nb_du_modele >= 1 then c.alertes_modele else c.alertes_toutes end, {low}, {high}, true),
    -- A quiet month is told; none at all where there are always some, or a flood, is refused.
    (case when c.autre_modele or c.nouvelles > 0 and c.nouvelles < coalesce(c.nouvelles_modele, c.nouvelles_toutes)
        then 'nouvelles_modele' else 'nouvelles' end, c.nouvelles,
        case when c.nb_du_modele >= 3 then c.nouvelles_modele else c.nouvelles_toutes end, {new_low}, {new_high},
        c.nb_listes >= 3)
) as v (controle, nombre, mediane, bas, haut, comparable)
where v.comparable and v.mediane >= {LIST_MEDIAN_MIN}
union all
select v.controle, concat(to_char(c.month, 'YYYY-MM'), ', sur ', c.suivies, ' suivies'),
    v.nombre, null, greatest({SMALL_COUNT}, floor(c.suivies * v.part)), null
from candidates as c
cross join lateral (values
    ('alertes_part', c.alertes, {MAX_ALERT_SHARE}), ('nouvelles_part', c.nouvelles, {MAX_NOVELTY_SHARE})
) as v (controle, nombre, part)
"""


def _list_coherence_measures(where: str) -> str:
    return f"""
select 'detection_dans_les_scores', 'alertes sans score identique', count(*), 0, 0, null
from liste as l
where not exists (
    select 1 from scores as s
    where s.month = l.month and s.siren = l.siren and s.alerte = l.alerte and s.p18 = l.p18
)
union all
select 'alerte_dans_la_liste', 'scores en alerte absents de la liste', count(*), 0, 0, null
from scores as s
where
    s.alerte is not null
    and not exists (select 1 from liste as l where l.month = s.month and l.siren = s.siren)
union all
select 'retenue_nouvelle', 'retenues sans être nouvelles', count(*), 0, 0, null
from liste where (retenue_region or retenue_departement) and not est_nouvelle_detection
union all
select 'nouveaute_fondee', 'nouvelles sans motif tenant à l''entreprise', count(*), 0, 0, null
from liste where est_nouvelle_detection
and motif_nouveaute not in ('premiere_alerte', 'aggravation')
union all
select 'nouveaute_coherente', concat('indicateur de ', motif), count(*), 0, 0, null
from liste cross join lateral (values
    ('premiere_alerte', est_premiere_alerte), ('aggravation', est_aggravation)
) as m (motif, indicateur)
where est_nouvelle_detection and motif_nouveaute = motif and not coalesce(indicateur, false)
group by motif
union all
select 'hors_procedure', 'entreprises de la liste', count(*), 0, 0, null
from liste as l
where not exists (
    select 1
    from (select month, siren from marts.mart_company_month {where} and a_risque and not en_procedure) as c
    where c.month = l.month and c.siren = l.siren
)
union all
select 'raison_presente', 'nouvelles détections sans raison', count(*), 0, 0, null
from liste as l
where l.est_nouvelle_detection
and not exists (select 1 from raisons as r where r.month = l.month and r.siren = l.siren)
union all
select 'raison_fondee', 'raisons hors liste ou sans phrase', count(*), 0, 0, null
from raisons as r
where coalesce(trim(r.phrase), '') = ''
or not exists (select 1 from liste as l where l.month = r.month and l.siren = r.siren)
union all
select 'seuils_ordonnes', to_char(month, 'YYYY-MM'),
    min(p18) filter (where alerte = '{ALERTS[0]}'), max(p18) filter (where alerte = '{ALERTS[1]}'), null, null
from liste group by month having count(distinct alerte) > 1
"""


def _list_territory_measures() -> str:
    """Capacity, ranks and counts by territory, for régions and départements alike."""
    parts = []
    for kind, column in (("region", "region"), ("departement", "departement")):
        parts.append(f"""
select 'capacite', concat('{kind} ', l.{column}, ' ', to_char(l.month, 'YYYY-MM')),
    count(*) filter (where l.retenue_{kind}), 0, coalesce(max(t.capacite), 0), null
from liste as l
left join territoires as t on t.month = l.month and t.type = '{kind}' and t.territoire = l.{column}
group by l.month, l.{column}
union all
select 'rang_continu', concat('{kind} ', {column}, ' ', to_char(month, 'YYYY-MM'), ', ', m.mesure), m.rangs, nb, nb, null
from (
    select month, {column}, count(*) as nb, count(distinct rang_{kind}) as distincts, max(rang_{kind}) as dernier
    from liste where est_nouvelle_detection group by month, {column}
) as rangs_{kind}
cross join lateral (values ('rangs distincts', distincts), ('dernier rang', dernier)) as m (mesure, rangs)
union all
select 'territoires', concat('{kind} ', t.territoire, ' ', to_char(t.month, 'YYYY-MM'), ', ', m.mesure),
    m.liste, m.annonce, m.annonce, null
from territoires as t
left join (
    select month, {column} as code,
        count(*) filter (where alerte = '{ALERTS[0]}') as f1,
        count(*) filter (where alerte = '{ALERTS[1]}') as f2,
        count(*) filter (where est_nouvelle_detection) as nouvelles
    from liste group by month, {column}
) as l on l.month = t.month and l.code = t.territoire
cross join lateral (values
    ('alertes F1', coalesce(l.f1, 0), t.nb_f1), ('alertes F2', coalesce(l.f2, 0), t.nb_f2),
    ('nouvelles', coalesce(l.nouvelles, 0), t.nb_nouvelles)
) as m (mesure, liste, annonce)
where t.type = '{kind}'
""")
    return " union all ".join(parts)
