"""Gate 2, marts.mart_company_month: rows within bounds, and each month comparable with those before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from expectations.checks import (
    ENOUGH_ROWS,
    SMALL_COUNT,
    Check,
    Suite,
    between,
    day,
    duplicates,
    in_set,
    literal,
    matches,
    measured,
    months_before,
    not_null,
    rule_counts,
    rule_measures,
    rule_sums,
    span,
    unique,
)

MART = "marts.mart_company_month"
PROCEDURE_STATES = (
    "in_bonis",
    "sauvegarde",
    "redressement",
    "liquidation",
    "plan_sauvegarde",
    "plan_redressement",
)
VOLUME_BOUNDS = (0.7, 1.5)  # a population moves by a percent a month; half a file and a doubled file must both be out
SCALE_BOUNDS = (0.4, 2.5)  # geometric means, month on month, on nearly the same population
NULL_JUMP = 0.15  # share of nulls of a feature against the highest of the three months before
SECTION_SHIFT = 0.10  # total variation distance between two months' sectors

# Absolute scales: they see a first import which is wrong as a whole, when there is no past to compare with.
DEBT_IN_MONTHS_BOUNDS = (0.02, 60.0)  # geometric mean of debt / monthly contribution, companies in debt
CONTRIBUTION_PER_HEAD_BOUNDS = (30.0, 6000.0)  # euros a month and per employee, geometric mean

# Key features whose loss empties a list without a noise. Amounts and sizes also have their scale watched.
WATCHED_NULLS = (
    "departement",
    "naf",
    "effectif",
    "effectif_evolution_12m",
    "cotisation_moyenne_12m_eur",
    "dette_eur",
    "dette_sur_cotisation",
    "dette_variation_3m",
    "paydex_jours",
    "marge_ebe",
    "autonomie_financiere",
    "age_mois",
    "siret_siege",
)
WATCHED_SCALES = (
    "effectif",
    "cotisation_moyenne_12m_eur",
    "dette_eur",
    "dette_part_ouvriere_eur",
    "dette_part_patronale_eur",
    "dette_sur_cotisation",
    "dette_par_salarie_eur",
    "age_mois",
)
#: Null while the débits are late, as they should be: such a month is told by its freshness, and compared with none.
OF_LATE_DEBITS = (
    "dette_eur",
    "dette_part_ouvriere_eur",
    "dette_part_patronale_eur",
    "dette_sur_cotisation",
    "dette_par_salarie_eur",
)
OF_DEBITS_LATE_3_MONTHS_AGO = ("dette_variation_3m",)
WATCHED_POSITIVE_SHARES = ("effectif", "cotisation_moyenne_12m_eur", "dette_eur")
POSITIVE = (
    "dette_eur",
    "dette_part_ouvriere_eur",
    "dette_part_patronale_eur",
    "ap_etp_consomme_12m",
    "age_mois",
    "nb_etablissements",
)


def mart_suites(month_start: date, month_end: date) -> tuple[Suite, ...]:
    """Suites of marts.mart_company_month for the months `month_start` to `month_end` (first days, both included)."""
    rules = _mart_rules()
    where = f"where month between {day(month_start)} and {day(month_end)}"
    return (
        Suite(
            f"marts.mart_company_month, {span(month_start, month_end)}",
            _mart_measures(month_start, month_end, rules, where),
            (*rules, *_mart_measure_checks()),
            rows=f"select * from {MART} {where}",
            identifiers=("siren", "month"),
        ),
    )


def _mart_rules() -> tuple[Check, ...]:
    filled = ("siren", "month", "est_actif", "en_procedure", "a_risque", "procedure_statut")
    return (
        *[not_null(column) for column in filled],
        not_null("departement", mostly=0.98),
        unique(("siren", "month"), "une seule ligne par siren et par mois"),
        matches("siren", "^[0-9]{9}$", "neuf chiffres"),
        in_set("procedure_statut", PROCEDURE_STATES),
        *[between(column, 0) for column in POSITIVE],
        between("effectif", 0, 1_000_000),
        between("effectif_evolution_12m", -1),
        between("nb_mois_dette_12m", 0, 12),
        between("nb_mois_dette_24m", 0, 24),
        between("delai_en_cours", 0, 1),
        between("bilans_manquants", 0, 1),
        between("secteur_taux_defaillance_24m", 0, 1),
    )


def _mart_measure_checks() -> tuple[Check, ...]:
    return (
        measured("mois_present", "chaque mois demandé doit avoir des entreprises"),
        measured("a_risque_present", "chaque mois demandé doit avoir des entreprises à suivre"),
        measured("volume", "le nombre d'entreprises doit rester proche de celui du mois précédent"),
        measured("a_risque", "le nombre d'entreprises à suivre doit rester proche de celui du mois précédent"),
        measured("departement", "chaque département du mois précédent doit rester présent, à volume comparable"),
        measured("secteurs", "la répartition par section d'activité doit rester celle du mois précédent"),
        measured("nuls", "la part de valeurs absentes ne doit pas bondir"),
        measured("echelle", "les montants et effectifs doivent garder leur échelle"),
        measured("part_positive", "la part d'entreprises concernées ne doit pas s'effondrer ni bondir"),
        measured("echelle_absolue", "les montants doivent être en euros, d'un ordre de grandeur plausible"),
        measured("dette_totale", "part ouvrière + part patronale doit égaler la dette"),
        measured("etat_coherent", "une entreprise à suivre est active et hors procédure collective"),
        measured("premier_du_mois", "month doit être le premier jour d'un mois"),
    )


def _mart_measures(month_start: date, month_end: date, rules: Sequence[Check], where: str) -> str:
    """Measures of each month asked for, against up to three months before it (present in the mart).

    What is null because the débits are late is left out: a month without a source is scored without it, and says so.

    The mart is read once, added up by month, département and section; everything else is made from those sums.
    """
    first, last = day(month_start), day(month_end)
    values = [
        "('volume', '', nb_lignes, nb_lignes)",
        "('a_risque', '', nb_a_risque, nb_lignes)",
        *[f"('nuls', '{name}', nuls_{name} / nb_lignes, nb_lignes)" for name in WATCHED_NULLS],
        *[f"('echelle', '{name}', exp(log_{name} / nullif(nb_{name}, 0)), nb_{name})" for name in WATCHED_SCALES],
        *[f"('part_positive', '{name}', nb_{name} / nb_lignes, nb_lignes)" for name in WATCHED_POSITIVE_SHARES],
    ]
    separator = ",\n    "
    of_older_debits = ", ".join(literal(name) for name in OF_DEBITS_LATE_3_MONTHS_AGO)
    of_late_debits = ", ".join(literal(name) for name in (*OF_LATE_DEBITS, *OF_DEBITS_LATE_3_MONTHS_AGO))
    return f"""
with fin as (
    select
    month, departement, naf_section,
    {separator.join(f"{value} as {name}" for name, value in _mart_sums().items())},
    {rule_counts(rules)}
    from {MART}
    where month between {day(months_before(month_start, 3))} and {last}
    group by month, departement, naf_section
),
demandes as (
    select cast(jour as date) as month from generate_series({first}, {last}, interval '1 month') as jour
),
profil as (
    select
    month,
    {separator.join(f"cast(sum({name}) as double precision) as {name}" for name in _mart_sums())},
    {rule_sums(rules)}
    from fin
    group by month
),
mesures as (
    select p.month, m.controle, m.ou, cast(m.valeur as double precision) as valeur, m.poids
    from profil as p
    cross join lateral (values {separator.join(values)}) as m (controle, ou, valeur, poids)
    where not exists (
        select 1 from marts.mart_source_freshness as f
        where
            f.source = 'urssaf__debit' and f.en_retard
            and (
                f.month = p.month and m.ou in ({of_late_debits})
                or f.month = p.month - interval '3 months' and m.ou in ({of_older_debits})
            )
    )
),
passees as (
    select
        month, controle, ou, valeur, poids,
        lag(valeur) over mois as precedent,
        lag(poids) over mois as poids_precedent,
        max(valeur) over (mois rows between 3 preceding and 1 preceding) as plus_haut
    from mesures
    window mois as (partition by controle, ou order by month)
),
{_mart_share_ctes()},
regles as (
    select * from profil where month between {first} and {last}
)
{rule_measures(rules, "regles", "to_char(month, 'YYYY-MM')")}
union all
{_mart_present_measures()}
union all
{_mart_compared_measures()}
union all
{_mart_absolute_measures()}
union all
{duplicates(MART, ("siren", "month"), where)}
"""


def _mart_sums() -> dict[str, str]:
    """Aggregates of the rows, by name, all of them sums or counts: those of a month are the sums of its parts."""
    positive = {name: f"{name} > 0" for name in WATCHED_SCALES}
    head = "cotisation_moyenne_12m_eur > 0 and effectif > 0"
    return {
        "nb_a_risque": "count(*) filter (where a_risque)",
        "dette_fausse": "count(*) filter (where"
        " abs(dette_part_ouvriere_eur + dette_part_patronale_eur - dette_eur) > 0.011)",
        "etat_faux": "count(*) filter (where a_risque and (en_procedure or not est_actif))",
        "statut_faux": "count(*) filter (where en_procedure and procedure_statut = 'in_bonis')",
        "jour_faux": "count(*) filter (where month <> date_trunc('month', month))",
        "log_tete": f"sum(ln(cast(cotisation_moyenne_12m_eur as double precision) / effectif)) filter (where {head})",
        "nb_tete": f"count(*) filter (where {head})",
        **{f"nuls_{name}": f"count(*) filter (where {name} is null)" for name in WATCHED_NULLS},
        **{
            f"log_{name}": f"sum(ln(cast({name} as double precision))) filter (where {condition})"
            for name, condition in positive.items()
        },
        **{f"nb_{name}": f"count(*) filter (where {condition})" for name, condition in positive.items()},
    }


def _mart_share_ctes() -> str:
    """Counts by département and by section, for each month next to the last one before it; absent counts as zero."""
    return """suite_mois as (select month, lag(month) over (order by month) as avant, nb_lignes from profil),
departements as (
    select month, departement, sum(nb_lignes) as nb from fin where departement is not null group by month, departement
),
departements_compares as (
    select s.month, a.departement, coalesce(c.nb, 0) as nb, a.nb as precedent
    from suite_mois as s
    inner join departements as a on a.month = s.avant
    left join departements as c on c.month = s.month and c.departement = a.departement
),
sections as (
    select s.month, s.avant, coalesce(f.naf_section, '') as section, sum(f.nb_lignes) / s.nb_lignes as part
    from suite_mois as s
    inner join fin as f on f.month = s.month
    group by s.month, s.avant, coalesce(f.naf_section, ''), s.nb_lignes
),
sections_comparees as (
    -- half of the sum of the differences = the sum of what was lost, over the sections of the month before
    select s.month, sum(greatest(a.part - coalesce(c.part, 0), 0)) as distance
    from suite_mois as s
    inner join sections as a on a.month = s.avant
    left join sections as c on c.month = s.month and c.section = a.section
    group by s.month
)"""


def _mart_present_measures() -> str:
    return """
select 'mois_present', to_char(d.month, 'YYYY-MM'),
    coalesce(p.nb_lignes, 0), 1, null, null
from demandes as d left join profil as p on p.month = d.month
union all
select 'a_risque_present', to_char(d.month, 'YYYY-MM'), coalesce(p.nb_a_risque, 0), 1, null, null
from demandes as d left join profil as p on p.month = d.month
"""


def _mart_compared_measures() -> str:
    low, high = VOLUME_BOUNDS
    scale_low, scale_high = SCALE_BOUNDS
    return f"""
select p.controle, concat_ws(' ', nullif(p.ou, ''), to_char(p.month, 'YYYY-MM')), p.valeur,
    case p.controle
        when 'nuls' then null
        when 'echelle' then p.precedent * {scale_low}
        when 'part_positive' then p.precedent * 0.5
        else p.precedent * {low}
    end,
    case p.controle
        when 'nuls' then p.plus_haut + {NULL_JUMP}
        when 'echelle' then p.precedent * {scale_high}
        when 'part_positive' then p.precedent * 2 + 0.05
        else p.precedent * {high}
    end,
    null
from passees as p
inner join demandes as d on d.month = p.month
where
    p.precedent is not null
    and case
        when p.controle in ('volume', 'a_risque') then p.precedent >= {SMALL_COUNT}
        when p.controle = 'echelle' then p.poids >= {ENOUGH_ROWS} and p.poids_precedent >= {ENOUGH_ROWS}
        when p.controle = 'part_positive' then p.precedent * p.poids_precedent >= {ENOUGH_ROWS}
        else p.poids >= {ENOUGH_ROWS}
    end
union all
select 'departement', concat(c.departement, ' ', to_char(c.month, 'YYYY-MM')), c.nb,
    case when c.precedent >= {SMALL_COUNT} then c.precedent * {low} else 1 end,
    case when c.precedent >= {SMALL_COUNT} then c.precedent * {high} end,
    null
from departements_compares as c
inner join demandes as d on d.month = c.month
where c.precedent >= 5
union all
select 'secteurs', to_char(c.month, 'YYYY-MM'), c.distance, null, {SECTION_SHIFT}, null
from sections_comparees as c
inner join demandes as d on d.month = c.month
inner join profil as p on p.month = c.month
where p.nb_lignes >= {ENOUGH_ROWS}
"""


def _mart_absolute_measures() -> str:
    debt, head = DEBT_IN_MONTHS_BOUNDS, CONTRIBUTION_PER_HEAD_BOUNDS
    return f"""
select m.controle, concat_ws(' ', nullif(m.ou, ''), to_char(p.month, 'YYYY-MM')), m.observe, m.minimum, m.maximum, null
from regles as p
cross join lateral (values
    ('dette_totale', '', dette_fausse, 0, 0),
    ('etat_coherent', 'à suivre mais inactive ou en procédure', etat_faux, 0, 0),
    ('etat_coherent', 'en procédure mais statut in_bonis', statut_faux, 0, 0),
    ('premier_du_mois', '', jour_faux, 0, 0),
    ('echelle_absolue', 'dette en mois de cotisation',
        case when nb_dette_sur_cotisation >= {ENOUGH_ROWS}
            then exp(log_dette_sur_cotisation / nb_dette_sur_cotisation) else {debt[0]} end, {debt[0]}, {debt[1]}),
    ('echelle_absolue', 'cotisation mensuelle par salarié, en euros',
        coalesce(exp(log_tete / nullif(nb_tete, 0)), {head[0]}), {head[0]}, {head[1]})
) as m (controle, ou, observe, minimum, maximum)
"""
