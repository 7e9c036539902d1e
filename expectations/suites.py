"""The suites: what must be true of a delivery, of the mart, of the scores and of a candidate list.

Belongs here: the checks themselves, as data (name, French sentence, Great Expectations class, arguments, SQL of the rows
under test). Does not belong here: running them (`gates.py`), fixing data, any import of Great Expectations (slow).

Two forms of batch, chosen for cost on PostgreSQL:

- *rows*: the rows under test, seen through a subquery. Great Expectations bundles every map expectation in one scan.
- *mesures*: one aggregate query, kept in a temporary table, with one row per thing measured:
  `(controle, ou, observe, minimum, maximum)`. A check on it is an `UnexpectedRowsExpectation`: a row out of its bounds, or
  with no observed value, is a failure. A bound that is null does not apply. A comparison with the past that is not possible
  (no past, too few rows) gives no row.

SQL is assembled from dates, integers and names checked by `_identifier` only, never from text that came with the data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from expectations.contract import Column, Contract

Severity = Literal["critical", "warning"]

ALERTS = ("Alerte seuil F1", "Alerte seuil F2")
NOVELTY_REASONS = (
    "premiere_alerte",
    "aggravation",
    "retour",
    "entree_perimetre",
    "changement_modele",
    "deja_en_alerte",
)
PROCEDURE_STATES = (
    "in_bonis",
    "sauvegarde",
    "redressement",
    "liquidation",
    "plan_sauvegarde",
    "plan_redressement",
)

# Bounds, with their reason. A ratio is to the reference named in the check.
VOLUME_BOUNDS = (0.7, 1.5)  # a monthly stock moves by a few percent; half a file and a doubled file must both be out
INCREMENT_BOUNDS = (0.2, 5.0)  # increments follow the calendar of the producer: warn only
CHURN_LIMIT = 0.5  # half of what was known closed by one delivery = wrong unit, wrong file or half a file
SCALE_BOUNDS = (0.1, 10.0)  # geometric mean; euros read as cents move it by 100
MART_SCALE_BOUNDS = (0.4, 2.5)  # same, month on month, on the same population
NULL_JUMP = 0.15  # share of nulls of a feature against the highest of the three months before
SECTION_SHIFT = 0.10  # total variation distance between two months' sectors
MEAN_SCORE_BOUNDS = (0.5, 2.0)
PSI_LIMIT = 0.25  # usual reading of the population stability index: above 0.25 the population is another one
LIST_BOUNDS = (0.5, 2.0)
NOVELTY_BOUNDS = (0.2, 4.0)  # few companies a month: the spread is wider than that of the alerts
LIST_MEDIAN_MIN = 20  # below, a ratio of small counts says nothing
SMALL_COUNT = 20
ENOUGH_ROWS = 30

# Absolute scales: they see a first import which is wrong as a whole, when there is no past to compare with.
DEBT_IN_MONTHS_BOUNDS = (0.02, 60.0)  # geometric mean of debt / monthly contribution, companies in debt
CONTRIBUTION_PER_HEAD_BOUNDS = (30.0, 6000.0)  # euros a month and per employee, geometric mean

MOJIBAKE = "Ã[\u0080-\u00bf]|â€|\ufffd"  # UTF-8 read as Latin-1 or cp1252, or a lost byte


@dataclass(frozen=True)
class Check:
    """One thing that must be true: `expectation` is the name of a Great Expectations class, `arguments` its own."""

    name: str
    label: str  # French, what the reader of a refusal sees
    expectation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    column: str | None = None
    expected: str = ""
    severity: Severity = "critical"
    shows_values: bool = True  # False for personal data: counts only


@dataclass(frozen=True)
class Suite:
    """Checks on one batch. `subject` names it in French; `identifiers` locate a bad row without showing its content."""

    subject: str
    query: str
    checks: tuple[Check, ...]
    materialised: bool = False
    identifiers: tuple[str, ...] = ()


# ---------------------------------------------------------------------------------------------------- building blocks


def _identifier(name: str) -> str:
    """Return `name` if it is a plain SQL identifier, else raise ValueError: names are put into SQL as they are."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        raise ValueError(f"not a plain SQL identifier: {name!r}")
    return name


def _day(value: date) -> str:
    return f"date '{value.isoformat()}'"


def measured(name: str, label: str, severity: Severity = "critical") -> Check:
    """Check on the measures of that name: every row within its bounds, none without an observed value."""
    inside = "(minimum is null or observe >= minimum) and (maximum is null or observe <= maximum)"
    query = (
        "select ou, observe, minimum, maximum from {batch} "
        f"where controle = '{_identifier(name)}' and (observe is null or not ({inside})) order by ou"
    )
    return Check(name, label, "UnexpectedRowsExpectation", {"unexpected_rows_query": query}, severity=severity)


def not_null(column: str, *, mostly: float = 1.0, shows_values: bool = True) -> Check:
    """Column filled in for at least the share `mostly` of the rows."""
    share = "" if mostly == 1.0 else f" pour au moins {mostly:.1%} des lignes".replace(".", ",")
    return Check(
        f"{column}_renseigne",
        f"{column} doit être renseigné{share}",
        "ExpectColumnValuesToNotBeNull",
        {"column": column, "mostly": mostly},
        column,
        "non nul",
        shows_values=shows_values,
    )


def between(
    column: str, minimum: Any = None, maximum: Any = None, *, strict: bool = False, shows_values: bool = True
) -> Check:
    """Column within bounds (either may be None), nulls aside."""
    bounds = [f"{'>' if strict else '>='} {minimum}"] if minimum is not None else []
    bounds += [f"{'<' if strict else '<='} {maximum}"] if maximum is not None else []
    arguments = {"column": column, "min_value": minimum, "max_value": maximum}
    return Check(
        f"{column}_dans_ses_bornes",
        f"{column} doit rester dans ses bornes",
        "ExpectColumnValuesToBeBetween",
        arguments | {"strict_min": strict, "strict_max": strict},
        column,
        " et ".join(bounds),
        shows_values=shows_values,
    )


def in_set(column: str, allowed: Sequence[Any], *, shows_values: bool = True) -> Check:
    """Column among the listed values, nulls aside."""
    return Check(
        f"{column}_parmi_les_valeurs_admises",
        f"{column} doit être l'une des valeurs admises",
        "ExpectColumnValuesToBeInSet",
        {"column": column, "value_set": list(allowed)},
        column,
        "parmi " + ", ".join(str(value) for value in allowed),
        shows_values=shows_values,
    )


def unique(columns: Sequence[str], label: str) -> Check:
    """One row per combination of the columns."""
    return Check(
        "une_ligne_par_cle",
        label,
        "ExpectCompoundColumnsToBeUnique",
        {"column_list": list(columns)},
        ", ".join(columns),
        "une seule ligne par " + ", ".join(columns),
    )


def at_least(column_a: str, column_b: str) -> Check:
    """`column_a` >= `column_b` on every row where both are known."""
    return Check(
        f"{column_a}_au_moins_{column_b}",
        f"{column_a} doit être supérieur ou égal à {column_b}",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": column_a, "column_B": column_b, "or_equal": True, "ignore_row_if": "either_value_is_missing"},
        f"{column_a}, {column_b}",
        f"{column_a} >= {column_b}",
    )


def matches(column: str, regex: str, expected: str) -> Check:
    """Column of a given form, nulls aside."""
    return Check(
        f"{column}_bien_forme",
        f"{column} doit avoir la forme attendue",
        "ExpectColumnValuesToMatchRegex",
        {"column": column, "regex": regex},
        column,
        expected,
    )


def readable(column: str, *, shows_values: bool = True) -> Check:
    """Text without traces of a wrong encoding, but for one row in a thousand."""
    return Check(
        f"{column}_lisible",
        f"{column} ne doit pas porter de traces d'un mauvais encodage",
        "ExpectColumnValuesToNotMatchRegex",
        {"column": column, "regex": MOJIBAKE, "mostly": 0.999},
        column,
        "texte lisible (au plus 1 ligne sur 1 000 en défaut)",
        shows_values=shows_values,
    )


# ------------------------------------------------------------------------------------------------------ gate 1: raw


def raw_suites(contract: Contract, delivery_ids: Sequence[int]) -> tuple[Suite, ...]:
    """Suites of the deliveries `delivery_ids` of one source, generated from its contract.

    Raises ValueError when no delivery is given: nothing to check is not the same as checked.
    """
    if not delivery_ids:
        raise ValueError("aucune livraison à contrôler")
    name = _identifier(contract.name)
    ids = ", ".join(str(int(item)) for item in delivery_ids)
    subject = f"raw.{name}, livraison{'s' if len(delivery_ids) > 1 else ''} {ids}"
    rows = Suite(
        subject,
        f"select * from raw.{name} where _delivery_id in ({ids})",
        tuple(_contract_checks(contract)),
        identifiers=("_delivery_id", "_line"),
    )
    return rows, _delivery_suite(contract, ids, subject)


def _contract_checks(contract: Contract) -> list[Check]:
    """Checks of the columns, each derived from the contract, then those of the version clock."""
    checks: list[Check] = []
    for column in contract.columns:
        checks += _column_checks(column, is_key=column.name in contract.key)
    checks += [not_null(name) for name in ("_delivery_id", "_line", "_known_from", "_known_to")]
    checks += [between("_line", 1), at_least("_known_to", "_known_from")]
    return checks


def _column_checks(column: Column, *, is_key: bool) -> list[Check]:
    shows = not column.personal_data
    checks: list[Check] = []
    if not column.storage_nullable or is_key:
        checks.append(not_null(column.name, shows_values=shows))
    if column.type == "siren":
        checks.append(matches(column.name, "^[0-9]{9}$", "neuf chiffres"))
    if column.type == "siret":
        checks.append(matches(column.name, "^[0-9A-Z]{14}$", "quatorze caractères"))
    if column.min is not None or column.max is not None:
        checks.append(between(column.name, _bound(column.min), _bound(column.max), shows_values=shows))
    if column.allowed:
        allowed = [int(value) for value in column.allowed] if column.type == "integer" else column.allowed
        checks.append(in_set(column.name, allowed, shows_values=shows))
    elif column.type == "text":
        checks.append(readable(column.name, shows_values=shows))
    return checks


def _bound(value: Any) -> Any:
    """Bound as Great Expectations takes it: numbers as float or int, dates as ISO text."""
    if value is None or isinstance(value, (int, float)):
        return value
    return value.isoformat() if isinstance(value, date) else float(value)


def _delivery_suite(contract: Contract, ids: str, subject: str) -> Suite:
    """Accounting of the deliveries against the ledger, the quarantine, the table and the deliveries before."""
    name = _identifier(contract.name)
    is_stock = contract.mode == "snapshot"
    amounts = [_identifier(column.name) for column in contract.columns if column.name.endswith("_eur")]
    parts = [
        _reject_measures(contract.max_reject_share),
        _accounting_measures(name, ids),
        _version_measures(name, ids, [_identifier(column) for column in contract.key]),
        _volume_measures(is_stock, contract.volume.min_share_of_previous),
        *([_churn_measures(name, ids)] if is_stock else []),
        *[_amount_scale_measures(name, ids, column) for column in amounts],
    ]
    query = f"""
with livraison as (select * from ingest.delivery where delivery_id in ({ids})),
historique as (
    select
        received_on,
        sum(lines) as lignes,
        sum(rows_opened) as ouvertes,
        bool_or(delivery_id in ({ids})) as controlee,
        row_number() over (order by received_on) as numero
    from ingest.delivery
    where
        source = '{name}'
        and status = 'loaded'
        and received_on <= (select max(l.received_on) from livraison as l)
    group by received_on
)
{" union all ".join(parts)}
"""
    checks = [
        measured("livraison_connue", "chaque livraison doit figurer au registre pour cette source"),
        measured("part_rejets", "la part de lignes rejetées doit rester sous le seuil du contrat"),
        measured("comptes_justes", "les lignes du fichier doivent toutes être comptées"),
        measured("quarantaine_complete", "chaque ligne rejetée doit être en quarantaine"),
        measured("versions_chargees", "la table doit contenir les versions ouvertes selon le registre"),
        measured("premiere_livraison", "la première livraison d'une source doit ouvrir des lignes"),
        measured("version_ouverte_unique", "une seule version ouverte par clé du contrat"),
        measured("connu_avant_reception", "une ligne ne peut pas être connue après la réception de sa livraison"),
        measured(
            "volume",
            "le nombre de lignes doit rester proche de celui de la livraison précédente",
            "critical" if is_stock else "warning",
        ),
    ]
    if is_stock:
        checks.append(measured("bouleversement", "une livraison ne doit pas remplacer la majeure partie du connu"))
    if amounts:
        checks.append(measured("echelle", "les montants doivent garder l'échelle des livraisons précédentes"))
    return Suite(subject, query, tuple(checks), materialised=True)


def _reject_measures(max_reject_share: float) -> str:
    return f"""
select
    'part_rejets' as controle,
    concat('livraison ', delivery_id, ' (', file_name, ')') as ou,
    cast(case when lines > 0 then cast(rejected as numeric) / lines else 0 end as double precision) as observe,
    cast(null as double precision) as minimum,
    cast({float(max_reject_share)!r} as double precision) as maximum
from livraison
"""


def _accounting_measures(name: str, ids: str) -> str:
    expected = len(set(ids.split(", ")))
    return f"""
select 'livraison_connue', 'livraisons de {name}', count(*), {expected}, {expected} from livraison
where source = '{name}' and status in ('loaded', 'identical')
union all
select 'comptes_justes', concat('livraison ', delivery_id),
    loaded + unchanged + rejected + out_of_scope, lines, lines
from livraison
union all
select 'quarantaine_complete', concat('livraison ', l.delivery_id),
    (select count(*) from ingest.rejected_row as r where r.delivery_id = l.delivery_id), l.rejected, l.rejected
from livraison as l
union all
select 'versions_chargees', concat('livraison ', l.delivery_id),
    coalesce(t.nombre, 0), l.rows_opened, l.rows_opened
from livraison as l
left join (
    select _delivery_id, count(*) as nombre from raw.{name} where _delivery_id in ({ids}) group by _delivery_id
) as t on t._delivery_id = l.delivery_id
union all
select 'premiere_livraison', concat('reçue le ', received_on), ouvertes, 1, null
from historique
where numero = 1 and controlee
"""


def _version_measures(name: str, ids: str, key: Sequence[str]) -> str:
    columns = ", ".join(key)
    return f"""
select 'version_ouverte_unique', 'clés ({columns}) en double', count(*), 0, 0
from (
    select 1 from raw.{name} where _known_to = 'infinity'
    group by {columns}
    having count(*) > 1 and bool_or(_delivery_id in ({ids}))
) as doublon
union all
select 'connu_avant_reception', 'lignes connues trop tard', count(*), 0, 0
from raw.{name} as t
inner join livraison as l on l.delivery_id = t._delivery_id
where t._known_from > l.received_on
"""


def _volume_measures(is_stock: bool, contract_share: float) -> str:
    """Lines of a day's files against the delivery before (stock) or the median of the increments before (at least 2).

    A contract that allows less than half, or asks for more than our bound, is followed.
    """
    bounds = INCREMENT_BOUNDS
    if is_stock:
        reference = "lag(lignes) over (order by numero)"
        low, high = VOLUME_BOUNDS
        bounds = (contract_share if contract_share < 0.5 else max(contract_share, low), high)
    else:
        reference = """(
            select case when count(*) >= 2 then percentile_cont(0.5) within group (order by p.lignes) end
            from historique as p where p.numero > 1 and p.numero < h.numero
        )"""
    return f"""
select 'volume', concat('reçue le ', received_on), lignes, reference * {bounds[0]}, reference * {bounds[1]}
from (select h.*, {reference} as reference from historique as h) as compare
where controlee and reference >= {SMALL_COUNT}
"""


def _churn_measures(name: str, ids: str) -> str:
    """Share of what was open before that these deliveries closed."""
    return f"""
select 'bouleversement', 'part des lignes connues fermées', cast(fermees as double precision) / avant, null, {CHURN_LIMIT}
from (
    select
        (select sum(rows_closed) from livraison) as fermees,
        (select count(*) from raw.{name} where _known_to = 'infinity')
        - (select sum(rows_opened) from livraison) + (select sum(rows_closed) from livraison) as avant
) as bilan
where avant >= {SMALL_COUNT}
"""


def _amount_scale_measures(name: str, ids: str, column: str) -> str:
    """Geometric mean of the positive amounts of these deliveries over that of the rows known before."""
    low, high = SCALE_BOUNDS
    logarithm = f"ln(cast({column} as double precision))"
    return f"""
select 'echelle', '{column}', exp(recent - ancien), {low}, {high}
from (
    select
        avg({logarithm}) filter (where _delivery_id in ({ids})) as recent,
        avg({logarithm}) filter (where _delivery_id not in ({ids})) as ancien,
        count(*) filter (where _delivery_id in ({ids})) as nombre,
        count(*) filter (where _delivery_id not in ({ids})) as nombre_ancien
    from raw.{name}
    where {column} > 0
) as echelle_{column}
where nombre >= {ENOUGH_ROWS} and nombre_ancien >= {ENOUGH_ROWS}
"""


# ----------------------------------------------------------------------------------------------------- gate 2: mart

# Key features whose loss empties a list without a noise. Amounts and sizes also have their scale watched.
MART_WATCHED_NULLS = (
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
MART_WATCHED_SCALES = (
    "effectif",
    "cotisation_moyenne_12m_eur",
    "dette_eur",
    "dette_part_ouvriere_eur",
    "dette_part_patronale_eur",
    "dette_sur_cotisation",
    "dette_par_salarie_eur",
    "age_mois",
)
MART_WATCHED_POSITIVE_SHARES = ("effectif", "cotisation_moyenne_12m_eur", "dette_eur")
MART_POSITIVE = (
    "dette_eur",
    "dette_part_ouvriere_eur",
    "dette_part_patronale_eur",
    "ap_etp_consomme_12m",
    "age_mois",
    "nb_etablissements",
)


def mart_suites(month_start: date, month_end: date) -> tuple[Suite, ...]:
    """Suites of marts.mart_company_month for the months `month_start` to `month_end` (first days, both included)."""
    subject = f"marts.mart_company_month, {_span(month_start, month_end)}"
    rows = Suite(
        subject,
        f"""select * from marts.mart_company_month
where month between {_day(month_start)} and {_day(month_end)}""",
        _mart_row_checks(),
        identifiers=("siren", "month"),
    )
    measures = Suite(subject, _mart_measures(month_start, month_end), _mart_measure_checks(), materialised=True)
    return rows, measures


def _mart_row_checks() -> tuple[Check, ...]:
    filled = ("siren", "month", "est_actif", "en_procedure", "a_risque", "procedure_statut")
    return (
        *[not_null(column) for column in filled],
        not_null("departement", mostly=0.98),
        unique(("siren", "month"), "une seule ligne par siren et par mois"),
        matches("siren", "^[0-9]{9}$", "neuf chiffres"),
        in_set("procedure_statut", PROCEDURE_STATES),
        *[between(column, 0) for column in MART_POSITIVE],
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


def _mart_measures(month_start: date, month_end: date) -> str:
    """Measures of each month asked for, against up to three months before it (present in the mart)."""
    first, last = _day(month_start), _day(month_end)
    values = [
        "('volume', '', nb, nb)",
        "('a_risque', '', nb_a_risque, nb)",
        *[f"('nuls', '{name}', nuls_{name}, nb)" for name in MART_WATCHED_NULLS],
        *[f"('echelle', '{name}', exp(log_{name}), nb_{name})" for name in MART_WATCHED_SCALES],
        *[
            f"('part_positive', '{name}', cast(nb_{name} as double precision) / nb, nb)"
            for name in MART_WATCHED_POSITIVE_SHARES
        ],
    ]
    aggregates = [
        *[f"avg(cast({name} is null as integer)) as nuls_{name}" for name in MART_WATCHED_NULLS],
        *[
            f"avg(ln(cast({name} as double precision))) filter (where {name} > 0) as log_{name}"
            for name in MART_WATCHED_SCALES
        ],
        *[f"count(*) filter (where {name} > 0) as nb_{name}" for name in MART_WATCHED_SCALES],
    ]
    separator = ",\n    "
    return f"""
with lignes as (
    select * from marts.mart_company_month
    where month between {first} - interval '3 months' and {last}
),
demandes as (
    select cast(jour as date) as month from generate_series({first}, {last}, interval '1 month') as jour
),
profil as (
    select
    month,
    count(*) as nb,
    count(*) filter (where a_risque) as nb_a_risque,
    count(*) filter (
        where abs(dette_part_ouvriere_eur + dette_part_patronale_eur - dette_eur) > 0.011
    ) as dette_fausse,
    count(*) filter (where a_risque and (en_procedure or not est_actif)) as etat_faux,
    count(*) filter (where en_procedure and procedure_statut = 'in_bonis') as statut_faux,
    count(*) filter (where month <> date_trunc('month', month)) as jour_faux,
    exp(avg(ln(cast(dette_sur_cotisation as double precision))) filter (where dette_sur_cotisation > 0)) as dette_mois,
    exp(avg(ln(cast(cotisation_moyenne_12m_eur as double precision) / effectif))
        filter (where cotisation_moyenne_12m_eur > 0 and effectif > 0)) as cotisation_tete,
    {separator.join(aggregates)}
    from lignes
    group by month
),
mesures as (
    select p.month, m.controle, m.ou, cast(m.valeur as double precision) as valeur, m.poids
    from profil as p
    cross join lateral (values {separator.join(values)}) as m (controle, ou, valeur, poids)
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
{_mart_share_ctes()}
{_mart_present_measures()}
union all
{_mart_compared_measures()}
union all
{_mart_absolute_measures(first, last)}
"""


def _mart_share_ctes() -> str:
    """Counts by département and by section, for each month next to the last one before it; absent counts as zero."""
    return """suite_mois as (select month, lag(month) over (order by month) as avant from profil),
departements as (
    select month, departement, count(*) as nb from lignes where departement is not null group by month, departement
),
departements_compares as (
    select s.month, a.departement, coalesce(c.nb, 0) as nb, a.nb as precedent
    from suite_mois as s
    inner join departements as a on a.month = s.avant
    left join departements as c on c.month = s.month and c.departement = a.departement
),
sections as (
    select month, coalesce(naf_section, '') as section, count(*) / sum(count(*)) over (partition by month) as part
    from lignes group by month, coalesce(naf_section, '')
),
sections_comparees as (
    select s.month, 0.5 * sum(abs(coalesce(c.part, 0) - coalesce(a.part, 0))) as distance
    from suite_mois as s
    inner join (select distinct month as avant_month, section from sections) as liste on true
    left join sections as a on a.month = s.avant and a.section = liste.section
    left join sections as c on c.month = s.month and c.section = liste.section
    where s.avant is not null and liste.avant_month = s.avant
    group by s.month
)"""


def _mart_present_measures() -> str:
    return """
select 'mois_present' as controle, to_char(d.month, 'YYYY-MM') as ou,
    cast(coalesce(p.nb, 0) as double precision) as observe,
    cast(1 as double precision) as minimum, cast(null as double precision) as maximum
from demandes as d left join profil as p on p.month = d.month
union all
select 'a_risque_present', to_char(d.month, 'YYYY-MM'), coalesce(p.nb_a_risque, 0), 1, null
from demandes as d left join profil as p on p.month = d.month
"""


def _mart_compared_measures() -> str:
    low, high = VOLUME_BOUNDS
    scale_low, scale_high = MART_SCALE_BOUNDS
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
    end
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
    case when c.precedent >= {SMALL_COUNT} then c.precedent * {high} end
from departements_compares as c
inner join demandes as d on d.month = c.month
where c.precedent >= 5
union all
select 'secteurs', to_char(c.month, 'YYYY-MM'), c.distance, null, {SECTION_SHIFT}
from sections_comparees as c
inner join demandes as d on d.month = c.month
inner join profil as p on p.month = c.month
where p.nb >= {ENOUGH_ROWS}
"""


def _mart_absolute_measures(first: str, last: str) -> str:
    debt, head = DEBT_IN_MONTHS_BOUNDS, CONTRIBUTION_PER_HEAD_BOUNDS
    return f"""
select m.controle, concat_ws(' ', nullif(m.ou, ''), to_char(p.month, 'YYYY-MM')), m.observe, m.minimum, m.maximum
from profil as p
cross join lateral (values
    ('dette_totale', '', dette_fausse, 0, 0),
    ('etat_coherent', 'à suivre mais inactive ou en procédure', etat_faux, 0, 0),
    ('etat_coherent', 'en procédure mais statut in_bonis', statut_faux, 0, 0),
    ('premier_du_mois', '', jour_faux, 0, 0),
    ('echelle_absolue', 'dette en mois de cotisation',
        case when nb_dette_sur_cotisation >= {ENOUGH_ROWS} then dette_mois else {debt[0]} end, {debt[0]}, {debt[1]}),
    ('echelle_absolue', 'cotisation mensuelle par salarié, en euros',
        coalesce(cotisation_tete, {head[0]}), {head[0]}, {head[1]})
) as m (controle, ou, observe, minimum, maximum)
where p.month between {first} and {last}
"""


# --------------------------------------------------------------------------------------------------- gate 3: scores


def score_suites(month: date) -> tuple[Suite, ...]:
    """Suites of ml.score for `month` and the model of that month (ml.run_month)."""
    subject = f"ml.score, {_span(month, month)}"
    rows = Suite(
        subject,
        f"""select s.* from ml.score as s
inner join ml.run_month as r on r.month = s.month and r.model_id = s.model_id
where s.month = {_day(month)}""",
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
    day = _day(month)
    low, high = MEAN_SCORE_BOUNDS
    return f"""
with modele as (select model_id from ml.run_month where month = {day}),
mois_avant as (select cast({day} - interval '1 month' as date) as month),
suivies as (select siren from marts.mart_company_month where month = {day} and a_risque),
courant as (
    select s.siren, s.p18 from ml.score as s inner join modele as m on m.model_id = s.model_id where s.month = {day}
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
from effectifs where nb_avant >= 200 and nb >= 200
"""


# ----------------------------------------------------------------------------------------------------- gate 4: list


def list_suites(month_start: date, month_end: date) -> tuple[Suite, ...]:
    """Suites of the candidate lists of the months `month_start` to `month_end` (first days, both included)."""
    span = _span(month_start, month_end)
    months = f"month between {_day(month_start)} and {_day(month_end)}"
    rows = Suite(
        f"publication.candidate_detection, {span}",
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
        f"liste candidate, {span}", _list_measures(month_start, month_end), _list_measure_checks(), materialised=True
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
        measured("nouveaute_fondee", "une nouvelle détection est une première alerte, une aggravation ou un retour"),
        measured("nouveaute_coherente", "les indicateurs de nouveauté et leur motif doivent concorder"),
        measured("hors_procedure", "aucune entreprise en procédure collective, inactive ou inconnue du mart"),
        measured("raison_presente", "chaque nouvelle détection doit avoir au moins une raison"),
        measured("raison_fondee", "une raison porte sur une entreprise de la liste et se lit en français"),
        measured("seuils_ordonnes", "tout score en alerte F1 dépasse tout score en alerte F2 de la même liste"),
        measured("rang_continu", "les rangs d'un territoire vont de 1 au nombre de nouvelles détections"),
        measured("territoires", "les comptes par territoire doivent être ceux de la liste"),
    )


def _list_measures(month_start: date, month_end: date) -> str:
    first, last = _day(month_start), _day(month_end)
    months = f"month between {first} and {last}"
    return f"""
with liste as (select * from publication.candidate_detection where {months}),
scores as (select * from publication.candidate_score where {months}),
raisons as (select * from publication.candidate_raison where {months}),
territoires as (select * from publication.candidate_territoire where {months}),
demandes as (
    select cast(jour as date) as month from generate_series({first}, {last}, interval '1 month') as jour
),
{_list_history_ctes(first, last)}
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


def _list_history_ctes(first: str, last: str) -> str:
    """Counts of each list; a month published several times counts once, by its last publication."""
    counts = "count(*) as alertes, count(*) filter (where est_nouvelle_detection) as nouvelles"
    return f"""publiees as (
    select month, {counts}
    from (
        select d.month, d.est_nouvelle_detection,
            rank() over (partition by d.month order by d.publication_id desc) as version
        from publication.detection as d
        where d.month >= {first} - interval '12 months' and d.month < {first}
    ) as toutes
    where version = 1
    group by month
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
and motif_nouveaute not in ('premiere_alerte', 'aggravation', 'retour')
union all
select 'nouveaute_coherente', concat('indicateur de ', motif), count(*), 0, 0
from liste cross join lateral (values
    ('premiere_alerte', est_premiere_alerte), ('aggravation', est_aggravation), ('retour', est_retour)
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


def _span(month_start: date, month_end: date) -> str:
    if month_start == month_end:
        return f"{month_start:%Y-%m}"
    return f"de {month_start:%Y-%m} à {month_end:%Y-%m}"
