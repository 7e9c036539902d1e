"""Quarantine taken up again after a contract was corrected."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from delivery_base import Base

from expectations.contract import Contract
from expectations.gates import gate_raw
from ingestion.replay import Replay, replay_quarantine
from ingestion.withdraw import withdraw

JAN, FEB, MAR, APR = date(2026, 1, 15), date(2026, 2, 15), date(2026, 3, 15), date(2026, 4, 15)
DEBIT = "urssaf__debit"
PAYDEX = "SIREN;NB_JOURS;NB_JOURS_LIB;DATE_VALEUR\n"


def strict(base: Base, column: str, **changes: Any) -> dict[str, Contract]:
    """The contracts with one column of the débits changed."""
    contract = base.contracts[DEBIT]
    columns = tuple(c.model_copy(update=changes) if c.name == column else c for c in contract.columns)
    return {**base.contracts, DEBIT: contract.model_copy(update={"columns": columns})}


def replay(
    base: Base, received: date = MAR, contracts: Mapping[str, Contract] | None = None, **options: Any
) -> list[Replay]:
    done = replay_quarantine(base.url, received_on=received, contracts=contracts or base.contracts, **options)
    sums = base.query(
        "select delivery_id, lines = loaded + unchanged + rejected + out_of_scope, rejected = (select count(*) "
        "from ingest.rejected_row r where r.delivery_id = d.delivery_id and kind = 'rejet') from ingest.delivery d"
    )
    assert all(equation and quarantined for _, equation, quarantined in sums), sums
    return done


def waiting(base: Base) -> list[tuple[Any, ...]]:
    return base.query(
        "select delivery_id, line, rule from ingest.rejected_row where kind = 'rejet' and replayed_by is null order by 1, 2"
    )


def everything(base: Base) -> list[Any]:
    return [
        base.query(f"select t::text from {table} t order by 1")
        for table in ("raw.urssaf__debit", "ingest.delivery", "ingest.rejected_row")
    ]


def deliver_under(base: Base, contracts: Mapping[str, Contract], text: str, received: date) -> Any:
    return Base(base.url, base.folder, contracts).deliver(text, received=received)


def test_lines_that_a_corrected_contract_accepts_are_loaded_and_known_from_the_day_of_the_replay(
    base: Base, debits: str
) -> None:
    """Three lines: one passes now, one still fails, one was loaded at once; each keeps its physical line."""
    refusing = strict(base, "numero_historique", min=2)
    bad = debits.replace(";100000;0;", ";12,5a;0;")
    first = deliver_under(base, refusing, bad, JAN)
    assert first.status == "loaded" and first.rejected >= 2
    lines = [line for _, line, _ in waiting(base)]
    [done] = replay(base)
    account = done.account
    assert account is not None
    assert (account.replay_of, account.lines, account.rejected) == (first.delivery_id, len(lines), 1)
    assert account.loaded == len(lines) - 1
    [(delivery, line, rule)] = waiting(base)
    assert (delivery, rule) == (account.delivery_id, "montant") and line in lines
    assert base.query(f"select distinct _known_from, _line = any(%s) from raw.{DEBIT} where _delivery_id = %s",
                      lines, account.delivery_id) == [(MAR, True)]  # fmt: skip
    assert account.file_name == "sigfaible_debits.csv"


def test_replaying_twice_changes_nothing(base: Base, debits: str) -> None:
    deliver_under(base, strict(base, "numero_historique", min=2), debits.replace(";100000;0;", ";x;0;"), JAN)
    replay(base)
    before = everything(base)
    [again] = replay(base, APR)
    assert again.account is None
    assert "aucune ligne ne passe" in (again.reason or "")
    assert everything(base) == before
    whole = replay(base, APR, strict(base, "part_ouvriere_eur", type="text"), source="altares__paydex")
    assert whole == []


def test_a_replay_does_not_overrule_what_a_later_file_said(base: Base) -> None:
    """An old increment taken up again must not bring back a value that was corrected since."""
    base.deliver(PAYDEX + "012345674;2,5;x;15/12/2018\n023456783;2,5;x;15/12/2018\n", "paydex_1.csv", received=JAN)
    base.deliver(PAYDEX + "012345674;7;x;15/12/2018\n", "paydex_2.csv", received=FEB)
    contract = base.contracts["altares__paydex"]
    columns = tuple(
        c.model_copy(update={"on_invalid": "null"}) if c.name == "nb_jours" else c for c in contract.columns
    )
    corrected = {**base.contracts, contract.name: contract.model_copy(update={"columns": columns})}
    [done] = replay(base, MAR, corrected)
    assert done.account is not None
    assert (done.account.loaded, done.account.rejected, done.account.rejects_by_rule) == (1, 1, {"depassee": 1})
    assert base.open_rows("altares__paydex", "siren, nb_jours", "siren") == [("012345674", 7), ("023456783", None)]
    assert [(line, rule) for _, line, rule in waiting(base)] == [(2, "depassee")]
    [again] = replay(base, APR, corrected)
    assert again.account is None


def test_an_old_stock_is_not_taken_up_once_a_newer_one_came(base: Base, debits: str) -> None:
    deliver_under(base, strict(base, "numero_historique", min=2), debits, JAN)
    newer = base.deliver(debits.replace(";100000;0;", ";100001;0;"), received=FEB)
    before = everything(base)
    [done] = replay(base)
    assert (done.account, done.reason) == (
        None,
        f"un stock plus récent a remplacé ce fichier (livraison {newer.delivery_id})",
    )
    assert everything(base) == before


def test_the_other_lines_of_a_stock_stay_open_when_its_rejects_are_replayed(base: Base, debits: str) -> None:
    """The rejected lines are not the whole stock: loaded as one, they would close everything else."""
    deliver_under(base, strict(base, "numero_historique", min=2), debits, JAN)
    opened = base.query(f"select count(*) from raw.{DEBIT}")[0][0]
    [done] = replay(base)
    assert done.account is not None
    assert done.account.rows_closed == 0
    assert base.query(f"select count(*) from raw.{DEBIT} where _known_to = 'infinity'") == [
        (opened + done.account.loaded,)
    ]


def test_a_file_refused_whole_is_loaded_whole_once_its_header_is_known(base: Base, debits: str) -> None:
    text = debits.replace("Mt_PO", "Montant_PO")
    refused = base.deliver(text, received=JAN)
    assert refused.status == "refused"
    contracts = strict(base, "part_ouvriere_eur", headers=("Mt_PO", "Montant_PO"))
    [done] = replay(base, FEB, contracts)
    assert done.account is not None
    assert (done.account.lines, done.account.loaded, waiting(base)) == (4, 4, [])
    direct = base.query(
        f"select compte, part_ouvriere_eur, _line, _known_from < '2026-01-01' from raw.{DEBIT} order by _line"
    )
    assert [row[2] for row in direct] == [2, 3, 4, 5]
    assert all(row[3] for row in direct), "it is the first delivery of the source: its knowledge dates are rebuilt"
    assert replay(base, MAR, contracts) == []


def test_a_file_of_unknown_name_is_loaded_once_a_contract_knows_it(base: Base, debits: str) -> None:
    base.deliver(debits, "inconnu_2026.csv", received=JAN)
    [still] = replay(base)
    assert (still.account, still.reason) == (None, "aucun contrat ne reconnaît ce fichier")
    contract = base.contracts[DEBIT]
    known = {**base.contracts, DEBIT: contract.model_copy(update={"file_names": (*contract.file_names, "inconnu_.*")})}
    [done] = replay(base, FEB, known)
    assert done.account is not None and done.account.loaded == 4


def test_repeated_keys_and_broken_quotes_are_for_their_producer(base: Base, debits: str) -> None:
    """Alone in the replayed file, the second of two lines with one key would replace the first."""
    header, *rows = debits.splitlines()
    broken = rows[1].replace("217;25", '217;"25')
    base.deliver("\n".join([header, *rows, rows[0].replace(";195907;", ";195908;"), broken]) + "\n", received=JAN)
    assert [rule for _, _, rule in waiting(base)] == ["cle_en_double", "guillemet_non_ferme"]
    assert replay(base) == []


def test_a_withdrawn_replay_puts_its_lines_back_in_quarantine(base: Base, debits: str) -> None:
    deliver_under(base, strict(base, "numero_historique", min=2), debits, JAN)
    before, versions = waiting(base), base.query(f"select t::text from raw.{DEBIT} t order by 1")
    [done] = replay(base)
    assert done.account is not None
    withdraw(base.url, done.account.delivery_id)
    assert (waiting(base), base.query(f"select t::text from raw.{DEBIT} t order by 1")) == (before, versions)
    [again] = replay(base, APR)
    assert again.account is not None and again.account.loaded == done.account.loaded


def test_the_gate_counts_the_lines_that_still_wait(base: Base, debits: str) -> None:
    """A source blocked by its rejects must be free again once they were replayed."""
    from orchestration import schema

    schema.create(base.url)
    header, row = debits.splitlines()[:2]
    many = [row.replace("100000000000000001", f"1000000000000{n:05}") for n in range(20)]
    text = "\n".join([header, *(line.replace(";195907;", ";1,5;") if n < 12 else line for n, line in enumerate(many))])
    first = base.deliver(text + "\n", received=JAN)
    assert first.rejected == 12
    assert not gate_raw(base.url, base.contracts[DEBIT], [first.delivery_id]).passed
    [done] = replay(base, JAN, strict(base, "part_ouvriere_eur", type="decimal"))
    assert done.account is not None and done.account.loaded == 12
    result = gate_raw(base.url, base.contracts[DEBIT], [first.delivery_id, done.account.delivery_id])
    assert result.passed, result.summary_fr()


def test_a_file_whose_header_was_not_kept_is_told(base: Base, debits: str) -> None:
    """Deliveries of before headers were kept were left out without a word, as if nothing waited."""
    deliver_under(base, strict(base, "part_ouvriere_eur", max=10), debits, JAN)
    base.execute("update ingest.delivery set header = null")
    before = everything(base)
    (told,) = replay(base)
    assert told.account is None
    assert told.reason is not None and "en-tête" in told.reason
    assert everything(base) == before
