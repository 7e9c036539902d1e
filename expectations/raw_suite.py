"""Gate 1, deliveries: what must be true of the rows of a delivery (from the contract) and of its accounting."""

from __future__ import annotations

from collections.abc import Sequence

from expectations.checks import (
    ENOUGH_ROWS,
    SMALL_COUNT,
    Check,
    Suite,
    at_least,
    between,
    guaranteed_unique,
    identifier,
    in_set,
    matches,
    measured,
    not_null,
    readable,
    rule_counts,
    rule_measures,
    rule_sums,
)
from expectations.contract import FEW_REJECTS, MOST_REJECTS, Column, Contract

VOLUME_BOUNDS = (0.7, 1.5)  # a monthly stock moves by a few percent; half a file and a doubled file must both be out
INCREMENT_BOUNDS = (0.2, 5.0)  # increments follow the calendar of the producer: warn only
CHURN_LIMIT = 0.5  # half of what was known closed by one delivery = wrong unit, wrong file or half a file
SCALE_BOUNDS = (0.1, 10.0)  # geometric mean; euros read as cents move it by 100
SAMPLE_PAGES = 400  # some 20,000 rows of the past


def raw_suites(contract: Contract, delivery_ids: Sequence[int]) -> tuple[Suite, ...]:
    """Suites of the deliveries `delivery_ids` of one source, generated from its contract.

    Raises ValueError when no delivery is given: nothing to check is not the same as checked.
    """
    if not delivery_ids:
        raise ValueError("aucune livraison à contrôler")
    name = identifier(contract.name)
    ids = ", ".join(str(int(item)) for item in delivery_ids)
    subject = f"raw.{name}, livraison{'s' if len(delivery_ids) > 1 else ''} {ids}"
    rules = tuple(_contract_checks(contract))
    return (
        Suite(
            subject,
            _delivery_measures(contract, ids, rules),
            (*rules, *_delivery_checks(contract)),
            rows=f"select * from raw.{name} where _delivery_id in ({ids})",
            identifiers=("_delivery_id", "_line"),
        ),
    )


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
        checks.append(between(column.name, column.min, column.max, shows_values=shows))
    if column.allowed:
        allowed = [int(value) for value in column.allowed] if column.type == "integer" else column.allowed
        checks.append(in_set(column.name, allowed, shows_values=shows))
    elif column.type == "text":
        checks.append(readable(column.name, shows_values=shows))
    return checks


def _amounts(contract: Contract) -> list[str]:
    return [identifier(column.name) for column in contract.columns if column.name.endswith("_eur")]


def _delivery_measures(contract: Contract, ids: str, rules: Sequence[Check]) -> str:
    """Rules of the contract, and accounting of the deliveries against the ledger, the quarantine and those before.

    The rows of the deliveries are read once, those of the deliveries before by a sample at most (`_sample_of_the_past`).
    """
    name = identifier(contract.name)
    is_stock = contract.mode == "snapshot"
    amounts = _amounts(contract)
    # Another stock of the same day takes the place of the first one; increments of one day add up.
    day_lines = "(array_agg(lines order by delivery_id desc))[1]" if is_stock else "sum(lines)"
    parts = [
        rule_measures(rules, "regles"),
        _reject_measures(contract.max_reject_share),
        _accounting_measures(name, ids),
        _version_measures(name, ids, contract.key),
        _volume_measures(is_stock, contract.volume.min_share_of_previous),
        *([_churn_measures(name)] if is_stock else []),
        *([_amount_scale_measures(amounts)] if amounts else []),
    ]
    scales = "".join(f",\n    {sums}" for sums in _log_sums(amounts))
    return f"""
with livraison as (select * from ingest.delivery where delivery_id in ({ids})),
historique as (
    select
        received_on,
        {day_lines} as lignes,
        sum(rows_opened) as ouvertes,
        bool_or(delivery_id in ({ids})) as controlee,
        row_number() over (order by received_on) as numero
    from ingest.delivery
    where
        source = '{name}'
        and status = 'loaded'
        and not is_partial
        and received_on <= (select max(l.received_on) from livraison as l)
    group by received_on
),
lot as (
    select
    _delivery_id,
    count(*) filter (where _known_from > _recue_le) as trop_tard,
    {rule_counts(rules)}{scales}
    from raw.{name}
    left join (select delivery_id as _livraison, received_on as _recue_le from livraison) as recue
        on _livraison = _delivery_id
    where _delivery_id in ({ids})
    group by _delivery_id
),
regles as (
    select
    {rule_sums(rules)}
    from lot
){_sample_of_the_past(name, ids, amounts) if amounts else ""}
{" union all ".join(parts)}
"""


def _log_sums(amounts: Sequence[str]) -> list[str]:
    """Sums from which a geometric mean of the positive amounts is made."""
    return [
        f"sum(ln(cast({name} as double precision))) filter (where {name} > 0) as log_{name},"
        f" count(*) filter (where {name} > 0) as nb_{name}"
        for name in amounts
    ]


def _sample_of_the_past(name: str, ids: str, amounts: Sequence[str]) -> str:
    """Amounts of the deliveries before, in at most `SAMPLE_PAGES` pages of the table: an order of magnitude needs no more."""
    share = f"{100.0 * SAMPLE_PAGES} * cast(current_setting('block_size') as integer)"
    sums = ",\n    ".join(_log_sums(amounts))
    return f""",
passe as (
    select {sums}
    from raw.{name} tablesample system (
        cast(least(100, {share} / greatest(pg_relation_size('raw.{name}'), 1)) as real)
    ) repeatable (0)
    where _delivery_id not in ({ids})
)"""


def _delivery_checks(contract: Contract) -> list[Check]:
    is_stock = contract.mode == "snapshot"
    checks = [
        measured("livraison_connue", "chaque livraison doit figurer au registre pour cette source"),
        measured("part_rejets", "la part de lignes rejetées doit rester sous le seuil du contrat"),
        measured("comptes_justes", "les lignes du fichier doivent toutes être comptées"),
        measured("quarantaine_complete", "chaque ligne rejetée ou hors périmètre doit être en quarantaine"),
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
        label = "une livraison ne doit pas remplacer la majeure partie du connu"
        checks.append(measured("bouleversement", label))
        checks.append(measured("bouleversement_format", f"{label} (le format a changé)", "warning"))
    if _amounts(contract):
        checks.append(measured("echelle", "les montants doivent garder l'échelle des livraisons précédentes"))
    return checks


def _reject_measures(max_reject_share: float) -> str:
    """Share of the lines of a file that wait in quarantine, those that a replay has taken up since left out."""
    return f"""
select
    'part_rejets',
    concat('livraison ', l.delivery_id, ' (', l.file_name, ')'),
    case when f.lines > 0 then cast(f.en_attente as numeric) / f.lines else 0 end,
    null,
    least({MOST_REJECTS}, greatest({float(max_reject_share)!r}, {FEW_REJECTS}.0 / greatest(f.lines, 1))),
    null
from livraison as l
cross join lateral (
    select
        max(d.lines) filter (where d.replay_of is null) as lines,
        sum(d.rejected) - (
            select count(*) from ingest.rejected_row as r
            inner join ingest.delivery as reprise on reprise.delivery_id = r.replayed_by
            where reprise.replay_of = coalesce(l.replay_of, l.delivery_id)
        ) as en_attente
    from ingest.delivery as d
    where
        d.status in ('loaded', 'refused')
        and coalesce(d.replay_of, d.delivery_id) = coalesce(l.replay_of, l.delivery_id)
) as f
"""


def _accounting_measures(name: str, ids: str) -> str:
    expected = len(set(ids.split(", ")))
    return f"""
select 'livraison_connue', 'livraisons de {name}', count(*), {expected}, {expected}, null from livraison
where source = '{name}' and status in ('loaded', 'identical')
union all
select 'comptes_justes', concat('livraison ', delivery_id),
    loaded + unchanged + rejected + out_of_scope, lines, lines, null
from livraison
union all
select 'quarantaine_complete', concat('livraison ', l.delivery_id, ', ', m.sorte),
    (select count(*) from ingest.rejected_row as r where r.delivery_id = l.delivery_id and r.kind = m.sorte),
    m.nombre, m.nombre, null
from livraison as l
cross join lateral (values ('rejet', l.rejected), ('hors_perimetre', l.out_of_scope)) as m (sorte, nombre)
where l.status <> 'identical'
union all
select 'versions_chargees', concat('livraison ', l.delivery_id),
    coalesce(t.nb_lignes, 0), l.rows_opened, l.rows_opened, null
from livraison as l
left join lot as t on t._delivery_id = l.delivery_id
union all
select 'premiere_livraison', concat('reçue le ', received_on), ouvertes, 1, null, null
from historique
where numero = 1 and controlee
"""


def _version_measures(name: str, ids: str, key: Sequence[str]) -> str:
    columns = ", ".join(identifier(column) for column in key)
    indexed = guaranteed_unique(f"raw.{name}", key, predicate="(_known_to = 'infinity'::date)")
    return f"""
select 'version_ouverte_unique', 'clés ({columns}) en double', case when {indexed} then 0 else (
    select count(*)
    from (
        select 1 from raw.{name} where _known_to = 'infinity'
        group by {columns}
        having count(*) > 1 and bool_or(_delivery_id in ({ids}))
    ) as doublon
) end, 0, 0, null
union all
select 'connu_avant_reception', 'lignes connues trop tard', coalesce(sum(trop_tard), 0), 0, 0, null from lot
"""


def _volume_measures(is_stock: bool, contract_share: float) -> str:
    """Lines of a day (`historique`) against those of the day before (stock), or the median of the days before (at least 2).

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
select 'volume', concat('reçue le ', received_on), lignes, reference * {bounds[0]}, reference * {bounds[1]}, null
from (select h.*, {reference} as reference from historique as h) as compare
where controlee and reference >= {SMALL_COUNT}
"""


def _churn_measures(name: str) -> str:
    """Share of what was open before, according to the ledger, that these deliveries closed.

    A new layout may rightly correct every row (a column that was not delivered before): it is told apart, as a warning.
    """
    return f"""
select
    case
        when (select min(l.layout) from livraison as l) is not distinct from (
            select d.layout from ingest.delivery as d
            where
                d.source = '{name}'
                and d.status = 'loaded'
                and d.delivery_id < (select min(l.delivery_id) from livraison as l)
            order by d.delivery_id desc limit 1
        ) then 'bouleversement'
        else 'bouleversement_format'
    end,
    'part des lignes connues fermées', cast(fermees as double precision) / avant, null, {CHURN_LIMIT}, null
from (
    select
        (select sum(rows_closed) from livraison) as fermees,
        (
            select sum(d.rows_opened) - sum(d.rows_closed) from ingest.delivery as d
            where
                d.source = '{name}'
                and d.status = 'loaded'
                and d.delivery_id < (select min(l.delivery_id) from livraison as l)
        ) as avant
) as bilan
where avant >= {SMALL_COUNT}
"""


def _amount_scale_measures(amounts: Sequence[str]) -> str:
    """Geometric mean of the positive amounts of these deliveries over that of (a sample of) the rows known before."""
    low, high = SCALE_BOUNDS
    values = ",\n    ".join(f"('{name}', l.log_{name}, l.nb_{name}, p.log_{name}, p.nb_{name})" for name in amounts)
    sums = ", ".join(f"sum(log_{name}) as log_{name}, sum(nb_{name}) as nb_{name}" for name in amounts)
    return f"""
select 'echelle', m.ou, exp(m.recent / m.nombre - m.ancien / m.nombre_ancien), {low}, {high}, null
from (select {sums} from lot) as l
cross join passe as p
cross join lateral (values
    {values}
) as m (ou, recent, nombre, ancien, nombre_ancien)
where m.nombre >= {ENOUGH_ROWS} and m.nombre_ancien >= {ENOUGH_ROWS}
"""
