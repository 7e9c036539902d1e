"""The four gates: run the suites with Great Expectations, inside PostgreSQL, and say in French what is wrong.

Belongs here: connecting, running, reading results. Does not belong here: what must be true (the `*_suite.py` modules), what to do about a
refusal (`orchestration`).

A gate never lets a doubt through: a check that cannot run, a query that exceeds its time, a column that is missing, an
unreachable server all give a failed gate, with the reason. Nothing is written: no file, no table but temporary ones.
Great Expectations is imported inside functions (several seconds), and its context lives only as long as the gate.

What costs in Great Expectations is each expectation (a few milliseconds) and each look at a table: hence one batch per gate,
and two expectations on it, one for the blocking checks and one for the warnings (`checks.faults`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from expectations.checks import Check, Severity, Suite, examples, faults
from expectations.list_suite import list_suites
from expectations.mart_suite import mart_suites
from expectations.raw_suite import raw_suites
from expectations.score_suite import score_suites

if TYPE_CHECKING:
    from expectations.contract import Contract

TIMEOUT_SECONDS = 300.0
CONNECT_TIMEOUT_SECONDS = 10
_REASON_LENGTH = 300


@dataclass(frozen=True)
class Failure:
    """One check that did not pass. `severity` "warning" is told to people but does not close the gate."""

    expectation: str
    column: str | None
    observed: str
    expected: str
    message: str
    severity: Severity = "critical"


@dataclass(frozen=True)
class GateResult:
    """Outcome of a gate: closed (`passed` false) as soon as one failure is critical. `seconds` of wall time, import included."""

    gate: str
    passed: bool
    failures: tuple[Failure, ...]
    n_expectations: int
    seconds: float

    def summary_fr(self) -> str:
        """Text for the Dagster UI and the `vigie` command: verdict first, then one line per failure (Markdown)."""
        blocking = sum(failure.severity == "critical" for failure in self.failures)
        warnings = len(self.failures) - blocking
        verdict = (
            "franchi" if self.passed else f"REFUSÉ : {_count(blocking, 'contrôle en échec', 'contrôles en échec')}"
        )
        lines = [
            f"Contrôle « {self.gate} » {verdict}, {self.n_expectations} vérifications en {_number(self.seconds)} s."
        ]
        if warnings:
            lines[0] += f" {_count(warnings, 'avertissement', 'avertissements')}."
        for failure in self.failures:
            mark = "**Bloquant**" if failure.severity == "critical" else "Avertissement"
            lines.append(f"- {mark} : {failure.message}")
        return "\n".join(lines)


def gate_raw(
    url: str, contract: Contract, delivery_ids: Sequence[int], *, timeout_seconds: float = TIMEOUT_SECONDS
) -> GateResult:
    """Check the rows of the deliveries `delivery_ids` in raw.<contract name> and their accounting in the ledger.

    `url`: postgresql://… ; an empty `delivery_ids` fails, as there is then nothing that was checked.
    """
    return _run(f"raw/{contract.name}", url, lambda: raw_suites(contract, delivery_ids), timeout_seconds)


def gate_mart(url: str, month_start: date, month_end: date, *, timeout_seconds: float = TIMEOUT_SECONDS) -> GateResult:
    """Check marts.mart_company_month for the months `month_start` to `month_end` (first days, both included).

    Each month is compared with the three before it that the mart holds.
    """
    return _run("mart_company_month", url, lambda: mart_suites(month_start, month_end), timeout_seconds)


def gate_scores(
    url: str, month_start: date, month_end: date, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> GateResult:
    """Check ml.score for the months `month_start` to `month_end` (first days, both included), each with its own model.

    Each month is compared with the one before it, scored by the same model where it was.
    """
    return _run("score", url, lambda: score_suites(month_start, month_end), timeout_seconds)


def gate_list(url: str, month_start: date, month_end: date, *, timeout_seconds: float = TIMEOUT_SECONDS) -> GateResult:
    """Check the candidate lists (schema publication) of the months, against the twelve lists published before each."""
    return _run("liste", url, lambda: list_suites(month_start, month_end), timeout_seconds)


# ----------------------------------------------------------------------------------------------------------- running


def _run(gate: str, url: str, build: Callable[[], Iterable[Suite]], timeout_seconds: float) -> GateResult:
    """Run all suites of a gate. Anything that goes wrong on the way is a critical failure: a gate fails closed."""
    start = time.perf_counter()
    failures: list[Failure] = []
    done = 0
    try:
        for suite in build():
            done += len(suite.checks)
            failures += _validate(suite, url, timeout_seconds)
    except Exception as error:
        failures.append(_impossible(gate, None, _reason(error)))
    passed = done > 0 and not any(failure.severity == "critical" for failure in failures)
    return GateResult(gate, passed, tuple(failures), done, time.perf_counter() - start)


def _validate(suite: Suite, url: str, timeout_seconds: float) -> list[Failure]:
    """Measure, then read the faults; a second query finds examples of faulty rows, for the rules that failed only."""
    found, failures = _faults(suite, url, timeout_seconds)
    shown = [c for c in suite.checks if c.name in found and c.shows_values and (c.faulty or c.example)]
    rows = _examples(suite, shown, url, timeout_seconds) if shown else {}
    return failures + [
        _failure(check, suite, found[check.name], rows.get(check.name, []))
        for check in suite.checks
        if check.name in found
    ]


def _faults(suite: Suite, url: str, timeout_seconds: float) -> tuple[dict[str, list[Mapping[str, Any]]], list[Failure]]:
    """Faulty measures by name of check, and what prevented some checks from being run."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    failures: list[Failure] = []
    groups: dict[Severity, list[Check]] = {}
    for check in suite.checks:
        groups.setdefault(check.severity, []).append(check)
    queries = {severity: faults(checks) for severity, checks in groups.items()}
    for severity, result in _unexpected_rows(url, suite.query, queries, timeout_seconds).items():
        reason = _raised(result) if result is not None else "aucun résultat"
        rows = [] if reason or result.success else result.result["details"]["unexpected_rows"]
        if reason is None and not result.success and len(rows) < result.result["observed_value"]:
            reason = "plus de défauts que ce qui peut être lu"
        if reason:
            failures += [_impossible(suite.subject, check, reason) for check in groups[severity]]
        for row in rows:
            found.setdefault(row["controle"], []).append(row)
    return found, failures


def _examples(
    suite: Suite, checks: Sequence[Check], url: str, timeout_seconds: float
) -> dict[str, list[Mapping[str, Any]]]:
    """Faulty rows by name of check. None where they cannot be read: the verdict does not depend on them."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    query: dict[Severity, str] = {
        "critical": "select controle, rang, texte from {batch} as exemples order by controle, rang"
    }
    try:
        result = _unexpected_rows(url, examples(suite, checks), query, timeout_seconds)["critical"]
        rows = [] if result.success or _raised(result) else result.result["details"]["unexpected_rows"]
    except Exception:
        return found
    for row in rows:
        found.setdefault(row["controle"], []).append(row)
    return found


def _unexpected_rows(
    url: str, batch: str, queries: Mapping[Severity, str], timeout_seconds: float
) -> dict[Severity, Any]:
    """Result of Great Expectations for each of `queries` (by severity), on the temporary table that `batch` gives."""
    import great_expectations as gx
    from great_expectations.validator.v1_validator import Validator

    source = _open_source(url, batch, timeout_seconds)
    try:
        # `Batch.validate` would run the batch's query again at each call; a validator keeps its batch.
        definition = source.get_asset("lot").get_batch_definition("tout")
        validator = Validator(batch_definition=definition, result_format={"result_format": "COMPLETE"})
        expectations = [
            gx.expectations.UnexpectedRowsExpectation(
                unexpected_rows_query=query, severity=severity, meta={"lot": severity}
            )
            for severity, query in queries.items()
        ]
        outcome = validator.validate_expectation_suite(gx.ExpectationSuite(name="vigie", expectations=expectations))
        results = {result.expectation_config.meta["lot"]: result for result in outcome.results}
        return {severity: results.get(severity) for severity in queries}
    finally:
        source.get_execution_engine().close()
        source.get_engine().dispose()


def _open_source(url: str, batch: str, timeout_seconds: float) -> Any:
    """Data source of an ephemeral context, silent: no analytics, no progress bar, no file."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    source = context.data_sources.add_postgres(
        "vigie", connection_string=_sqlalchemy_url(url, timeout_seconds), create_temp_table=True
    )
    # Great Expectations takes a query that starts with SELECT only: the suites' own may start with WITH.
    source.add_query_asset("lot", query=f"select * from ({batch}) as lot").add_batch_definition_whole_table("tout")
    return source


def _sqlalchemy_url(url: str, timeout_seconds: float) -> str:
    """The same server through psycopg2, with time limits. `$` is written %24: Great Expectations would substitute it."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url).set(drivername="postgresql+psycopg2")
    given = parsed.query.get("options", "")
    limits = f"-c statement_timeout={math.ceil(timeout_seconds * 1000)} -c timezone=UTC -c jit=off"
    parsed = parsed.update_query_dict(
        {
            "options": f"{given if isinstance(given, str) else ' '.join(given)} {limits}".strip(),
            "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
            "application_name": "vigie_gate",
        }
    )
    return parsed.render_as_string(hide_password=False).replace("$", "%24")


# ----------------------------------------------------------------------------------------------------------- reading


def _failure(
    check: Check, suite: Suite, rows: Sequence[Mapping[str, Any]], shown: Sequence[Mapping[str, Any]]
) -> Failure:
    """Failure of one check: what was observed and where, with faulty rows `shown` unless they are personal data."""
    told = [_observed(row) for row in rows]
    hidden = rows[0]["nombre"] - len(rows)
    observed = ", ".join(told) + (f" et {_count(hidden, 'autre', 'autres')}" if hidden else "")
    if not check.shows_values:
        observed += " (valeurs non montrées : donnée personnelle)"
    elif shown:
        observed += ", par exemple " + ", ".join(row["texte"] for row in shown)
    bounds = list(dict.fromkeys(_bounds(row["minimum"], row["maximum"]) for row in rows))
    expected = check.expected or " ; ".join(bounds)
    message = f"{suite.subject} : {check.label}. Observé : {observed} ; attendu : {expected}."
    return Failure(check.expectation, check.column or check.name, observed, expected, message, check.severity)


def _observed(row: Mapping[str, Any]) -> str:
    """One measure out of bounds: its value, or the count of faulty rows among how many, and where it was taken."""
    place = f" ({row['ou']})" if row["ou"] else ""
    if row["parmi"] is None or row["observe"] is None:
        return _number(row["observe"]) + place
    return f"{_count(int(row['observe']), 'ligne en défaut', 'lignes en défaut')} sur {_number(row['parmi'])}{place}"


def _impossible(subject: str, check: Check | None, reason: str) -> Failure:
    """A check that could not run counts as critical whatever its severity: nobody knows what it would have said."""
    label = f"contrôle impossible ({check.label})" if check else "contrôle impossible"
    name, column = (check.expectation, check.column) if check else ("", None)
    return Failure(name, column, reason, "un contrôle mené à son terme", f"{subject} : {label} : {reason}")


def _raised(result: Any) -> str | None:
    """Reason of a check that raised, or None when it ran. Great Expectations nests it by metric, or not."""
    info = result.exception_info or {}
    for item in (info, *info.values()):
        if isinstance(item, Mapping) and item.get("raised_exception"):
            return _short(str(item.get("exception_message") or "erreur inconnue"))
    return None


def _reason(error: Exception) -> str:
    return _short(f"{type(error).__name__} : {error}" if not isinstance(error, ValueError) else str(error))


def _short(text: str) -> str:
    """First line of an error, bounded: what follows is the SQL text. A time limit is named in French."""
    if "statement timeout" in text:
        return "durée maximale dépassée"
    first = text.strip().splitlines()[0] if text.strip() else "erreur sans message"
    return first[:_REASON_LENGTH]


def _bounds(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and minimum == maximum:
        return _number(minimum)
    if minimum is None:
        return f"au plus {_number(maximum)}"
    return f"au moins {_number(minimum)}" if maximum is None else f"entre {_number(minimum)} et {_number(maximum)}"


def _count(number: int, singular: str, plural: str) -> str:
    return f"{_number(number)} {singular if abs(number) < 2 else plural}"


def _number(value: Any) -> str:
    """Number as a French reader writes it: comma, spaces by thousands, four significant digits below 100."""
    if value is None:
        return "aucune valeur"
    number = float(value)
    if not math.isfinite(number):
        return "non fini"
    if number == int(number):
        return f"{int(number):,}".replace(",", " ")
    text = f"{number:,.1f}" if abs(number) >= 100 else f"{number:.4g}"
    return text.replace(",", " ").replace(".", ",")
