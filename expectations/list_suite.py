"""Gate 4, the candidate lists: complete, coherent with scores and mart, of the size of the lists already published."""

from __future__ import annotations

from datetime import date

from expectations.checks import Check, Suite, at_least, between, day, in_set, measured, not_null, span, unique

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


def list_suites(month_start: date, month_end: date) -> tuple[Suite, ...]:
    """Suites of the candidate lists of the months `month_start` to `month_end` (first days, both included)."""
    months_told = span(month_start, month_end)
    months = f"month between {day(month_start)} and {day(month_end)}"
    rows = Suite(
        f"publication.candidate_detection, {months_told}",
        f"select * from publication.candidate_detection where {months}",
        (
            *[not_null(name) for name in ("month", "siren", "alerte", "departement", "region", "p12", "p18", "p24")],
            *[not_null(name) for name in ("est_nouvelle_detection", "motif_nouveaute", "premiere_alerte_le")],
            unique(("month", "siren"), "une entreprise ne figure qu'une fois dans une liste"),
            in_set("alerte", ALERTS),
            in_set("alerte_precedente", ALERTS),
            in_set("motif_nouveaute", NOVELTY_REASONS),
            *[between(column, 0, 1, strict=True) for column in ("p12", "p18", "p24")],
            at_least("p18", "p12"),
            at_least("p24", "p18"),
            between("nb_alertes_4_listes", 0, 4),
            at_least("month", "premiere_alerte_le"),
        ),
        identifiers=("month", "siren"),
    )
    measures = Suite(
        f"liste candidate, {months_told}",
        _list_measures(month_start, month_end),
        _list_measure_checks(),
        materialised=True,
    )
    return rows, measures


def _list_measure_checks() -> tuple[Check, ...]:
    return (
        measured("mois_present", "chaque mois demandé doit avoir des entreprises suivies dans candidate_score"),
        measured("detection_dans_les_scores", "chaque alerte doit figurer à l'identique dans candidate_score"),
        measured("alerte_dans_la_liste", "chaque score en alerte doit figurer dans la liste"),
        measured("alertes", "le nombre d'alertes doit rester proche de la médiane des 12 dernières listes"),
        measured("nouvelles", "le nombre de nouvelles détections doit rester proche des 12 dernières listes"),
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


def _list_measures(month_start: date, month_end: date) -> str:
    first, last = day(month_start), day(month_end)
    months = f"month between {first} and {last}"
    return f"""
with liste as (select * from publication.candidate_detection where {months}),
scores as (select * from publication.candidate_score where {months}),
raisons as (select * from publication.candidate_raison where {months}),
territoires as (select * from publication.candidate_territoire where {months}),
demandes as (
    select cast(jour as date) as month from generate_series({first}, {last}, interval '1 month') as jour
),
{_list_history_ctes(first)}
select 'mois_present' as controle, to_char(d.month, 'YYYY-MM') as ou,
    cast((select count(*) from scores as s where s.month = d.month) as double precision) as observe,
    cast(1 as double precision) as minimum, cast(null as double precision) as maximum
from demandes as d
union all
{_list_volume_measures()}
union all
{_list_coherence_measures()}
union all
{_list_territory_measures()}
"""


def _list_history_ctes(first: str) -> str:
    """Counts of each list that readers see (withdrawn and replaced ones aside), then of the candidates."""
    return f"""publiees as (
    select p.month, count(d.siren) as alertes, count(*) filter (where d.est_nouvelle_detection) as nouvelles
    from publication.month as p
    left join publication.detection as d on d.publication_id = p.publication_id and d.month = p.month
    where p.status = 'published' and p.month >= {first} - interval '12 months' and p.month < {first}
    group by p.month
),
candidates as (
    select d.month, count(l.siren) as alertes, count(*) filter (where l.est_nouvelle_detection) as nouvelles
    from demandes as d left join liste as l on l.month = d.month
    group by d.month
),
suite_listes as (select * from publiees union all select * from candidates),
compares as (
    select
        c.month, c.alertes, c.nouvelles, count(p.month) as nb_listes,
        percentile_cont(0.5) within group (order by p.alertes) as mediane_alertes,
        percentile_cont(0.5) within group (order by p.nouvelles) as mediane_nouvelles
    from candidates as c
    inner join suite_listes as p on p.month < c.month and p.month >= c.month - interval '12 months'
    group by c.month, c.alertes, c.nouvelles
)"""


def _list_volume_measures() -> str:
    low, high = LIST_BOUNDS
    new_low, new_high = NOVELTY_BOUNDS
    return f"""
select 'alertes', to_char(month, 'YYYY-MM'), alertes, mediane_alertes * {low}, mediane_alertes * {high}
from compares where mediane_alertes >= {LIST_MEDIAN_MIN}
union all
select 'nouvelles', to_char(month, 'YYYY-MM'), nouvelles,
    mediane_nouvelles * {new_low}, mediane_nouvelles * {new_high}
from compares where mediane_nouvelles >= {LIST_MEDIAN_MIN} and nb_listes >= 3
"""


def _list_coherence_measures() -> str:
    return f"""
select 'detection_dans_les_scores', 'alertes sans score identique', count(*), 0, 0
from liste as l
where not exists (
    select 1 from scores as s
    where s.month = l.month and s.siren = l.siren and s.alerte = l.alerte and s.p18 = l.p18
)
union all
select 'alerte_dans_la_liste', 'scores en alerte absents de la liste', count(*), 0, 0
from scores as s
where
    s.alerte is not null
    and not exists (select 1 from liste as l where l.month = s.month and l.siren = s.siren)
union all
select 'retenue_nouvelle', 'retenues sans être nouvelles', count(*), 0, 0
from liste where (retenue_region or retenue_departement) and not est_nouvelle_detection
union all
select 'nouveaute_fondee', 'nouvelles sans motif tenant à l''entreprise', count(*), 0, 0
from liste where est_nouvelle_detection
and motif_nouveaute not in ('premiere_alerte', 'aggravation')
union all
select 'nouveaute_coherente', concat('indicateur de ', motif), count(*), 0, 0
from liste cross join lateral (values
    ('premiere_alerte', est_premiere_alerte), ('aggravation', est_aggravation)
) as m (motif, indicateur)
where est_nouvelle_detection and motif_nouveaute = motif and not coalesce(indicateur, false)
group by motif
union all
select 'hors_procedure', 'entreprises de la liste', count(*), 0, 0
from liste as l
where not exists (
    select 1 from marts.mart_company_month as c
    where c.month = l.month and c.siren = l.siren and c.a_risque and not c.en_procedure
)
union all
select 'raison_presente', 'nouvelles détections sans raison', count(*), 0, 0
from liste as l
where l.est_nouvelle_detection
and not exists (select 1 from raisons as r where r.month = l.month and r.siren = l.siren)
union all
select 'raison_fondee', 'raisons hors liste ou sans phrase', count(*), 0, 0
from raisons as r
where coalesce(trim(r.phrase), '') = ''
or not exists (select 1 from liste as l where l.month = r.month and l.siren = r.siren)
union all
select 'seuils_ordonnes', to_char(month, 'YYYY-MM'),
    min(p18) filter (where alerte = '{ALERTS[0]}'), max(p18) filter (where alerte = '{ALERTS[1]}'), null
from liste group by month having count(distinct alerte) > 1
"""


def _list_territory_measures() -> str:
    """Capacity, ranks and counts by territory, for régions and départements alike."""
    parts = []
    for kind, column in (("region", "region"), ("departement", "departement")):
        parts.append(f"""
select 'capacite', concat('{kind} ', l.{column}, ' ', to_char(l.month, 'YYYY-MM')),
    count(*) filter (where l.retenue_{kind}), 0, coalesce(max(t.capacite), 0)
from liste as l
left join territoires as t on t.month = l.month and t.type = '{kind}' and t.territoire = l.{column}
group by l.month, l.{column}
union all
select 'rang_continu', concat('{kind} ', {column}, ' ', to_char(month, 'YYYY-MM'), ', ', m.mesure), m.rangs, nb, nb
from (
    select month, {column}, count(*) as nb, count(distinct rang_{kind}) as distincts, max(rang_{kind}) as dernier
    from liste where est_nouvelle_detection group by month, {column}
) as rangs_{kind}
cross join lateral (values ('rangs distincts', distincts), ('dernier rang', dernier)) as m (mesure, rangs)
union all
select 'territoires', concat('{kind} ', t.territoire, ' ', to_char(t.month, 'YYYY-MM'), ', ', m.mesure),
    m.liste, m.annonce, m.annonce
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
