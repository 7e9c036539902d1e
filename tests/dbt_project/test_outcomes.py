"""What happens after a month, written by hand: failures and their corrections, closures, mergers, URSSAF defaults."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from dbt_warehouse import Warehouse

(
    OPENED, CORRECTED, CANCELLED, CLOSED, MERGED, FAILED_THEN_CLOSED, INDEBTED, TAKER, REFUNDED
) = (f"00000002{i}" for i in range(9))  # fmt: skip
SIRENS = [OPENED, CORRECTED, CANCELLED, CLOSED, MERGED, FAILED_THEN_CLOSED, INDEBTED, TAKER, REFUNDED]
FIRST, LAST = "2019-01-01", "2021-06-01"
MONTHS = [date(2018 + m // 12, m % 12 + 1, 1) for m in range(42)]


def _notice(siren: str, number: str, judged: str, published: str, kind: str = "redressement", **more: Any) -> dict[str, Any]:
    return {
        "siren": siren, "numero_annonce": number, "date_parution": published, "type_annonce": "Avis initial",
        "jugement_type": "initial", "jugement_famille": "Jugement d'ouverture", "jugement_date": judged,
        "jugement_nature": f"Jugement d'ouverture d'une procédure de {kind} judiciaire", "known": published,
    } | more  # fmt: skip


def _history(siren: str, closed: str) -> list[dict[str, Any]]:
    opened = {"siret": f"{siren}00001", "date_debut": "2010-01-01", "etat_administratif": "A", "known": "2010-02-01"}
    ended = {"siret": f"{siren}00001", "date_debut": closed, "etat_administratif": "F", "known": date.fromisoformat(closed)}
    return [row | {"changement_etat": True} for row in (opened, ended | {"known": ended["known"] + timedelta(days=20)})]


def _debts(balances: dict[int, int]) -> list[dict[str, Any]]:
    """One ecart of INDEBTED whose balance becomes the value, treated on the 10th of the month with this index."""
    return [
        {
            "siret": f"{INDEBTED}00001", "siren": INDEBTED, "compte": "D", "periode_debut": "2018-01-01",
            "periode_fin": "2018-02-01", "numero_ecart_negatif": "101", "numero_historique": rank,
            "date_traitement": MONTHS[index].replace(day=10), "part_ouvriere_eur": 0, "part_patronale_eur": amount,
            "known": MONTHS[index].replace(day=21),
        }
        for rank, (index, amount) in enumerate(balances.items(), start=1)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def built(warehouse: Warehouse) -> Warehouse:
    warehouse.write(
        "urssaf__effectif_ent",
        [
            {"siren": siren, "periode": month, "effectif": 20, "known": month.replace(day=20)}
            for siren in SIRENS
            for month in MONTHS
        ],
    )
    warehouse.write(
        "bodacc__annonce",
        [
            _notice(OPENED, "1", "2020-02-10", "2020-02-20"),
            # The judgment was of March, not of February: a rectificatif replaces the notice.
            _notice(CORRECTED, "2", "2020-02-10", "2020-02-20"),
            _notice(CORRECTED, "3", "2020-03-10", "2020-04-20", type_annonce="Avis rectificatif"),
            _notice(CANCELLED, "4", "2020-02-10", "2020-02-20"),
            _notice(CANCELLED, "5", "2020-02-10", "2020-05-20", type_annonce="Avis d’annulation"),
            _notice(FAILED_THEN_CLOSED, "6", "2020-06-02", "2020-06-12", "liquidation"),
        ],
    )
    warehouse.write(
        "insee__etablissement_historique",
        [*_history(CLOSED, "2020-03-15"), *_history(MERGED, "2020-03-15"), *_history(FAILED_THEN_CLOSED, "2020-09-15")],
    )
    warehouse.write(
        "urssaf__compte",
        [
            {"compte": "M", "siren": MERGED, "siret": f"{MERGED}00001", "date_creation": "2010-01-01", "known": "2010-02-01"},
            {"compte": "M", "siren": TAKER, "siret": f"{TAKER}00001", "date_creation": "2020-03-16", "known": "2020-04-20"},
        ],
    )  # fmt: skip
    warehouse.write(
        "urssaf__cotisation",
        [
            {
                "siret": f"{siren}00001", "compte": siren, "periode_debut": month,
                "periode_fin": (month + timedelta(days=31)).replace(day=1), "mise_en_recouvrement": "0",
                "cotisation_due_eur": due, "known": month + timedelta(days=40),
            }
            for siren, due in ((INDEBTED, 1000), (REFUNDED, -1000))
            for month in MONTHS
        ],
    )  # fmt: skip
    # From June 2019: two months above a contribution, one at exactly one contribution, then six above, paid, then three above.
    balances = dict.fromkeys(range(12, 42), 0) | {17: 1500, 18: 1500, 19: 1000} | dict.fromkeys(range(20, 26), 1001)
    balances |= dict.fromkeys(range(30, 33), 5000)
    warehouse.write("urssaf__debit", _debts(dict(sorted(balances.items()))))
    warehouse.features(FIRST, LAST)
    return warehouse


def _outcome(built: Warehouse, siren: str, month: str, *columns: str) -> tuple[Any, ...]:
    (row,) = built.query(
        f"select {', '.join(columns)} from marts.mart_outcome where siren = '{siren}' and month = '{month}'"
    )
    return row


WINDOWS = ("defaillance_12m", "defaillance_18m", "defaillance_24m")


def test_a_window_says_nothing_while_it_is_open(built: Warehouse) -> None:
    """Observed until 30 April 2021: a year without failure from May 2020 is not over, though a known failure may lie in it."""
    assert _outcome(built, TAKER, "2019-04-01", *WINDOWS) == (False, False, False)
    assert _outcome(built, TAKER, "2019-05-01", *WINDOWS) == (False, False, None)
    assert _outcome(built, TAKER, "2020-04-01", *WINDOWS) == (False, None, None)
    assert _outcome(built, FAILED_THEN_CLOSED, "2020-05-01", *WINDOWS) == (None, None, None)


def test_a_failure_falls_in_each_window_that_holds_its_judgment(built: Warehouse) -> None:
    """Judged on 10 February 2020: within twelve months of February 2019, not of January; a day too much would move it."""
    assert _outcome(built, OPENED, "2019-02-01", *WINDOWS) == (True, True, True)
    assert _outcome(built, OPENED, "2019-01-01", *WINDOWS) == (False, True, True)
    assert _outcome(built, OPENED, "2020-02-01", "date_defaillance") == (None,)


def test_a_rectificatif_moves_the_failure_and_an_annulation_removes_it(built: Warehouse) -> None:
    columns = ("date_defaillance", "type_defaillance", "defaillance_24m")
    assert _outcome(built, CORRECTED, "2019-02-01", *columns) == (date(2020, 3, 10), "redressement", True)
    assert _outcome(built, CORRECTED, "2019-02-01", "defaillance_12m") == (False,)
    assert _outcome(built, CANCELLED, "2019-02-01", *columns) == (None, None, False)


def test_closure_and_merger_compete_with_failure(built: Warehouse) -> None:
    """A company whose accounts went to another has not died like one that closed; neither has failed."""
    columns = ("premier_evenement", "date_sortie", "type_sortie", "defaillance_12m")
    assert _outcome(built, CLOSED, "2019-06-01", *columns) == ("fermeture", date(2020, 3, 15), "fermeture", False)
    assert _outcome(built, MERGED, "2019-06-01", *columns) == ("fusion", date(2020, 3, 15), "fusion", False)
    assert _outcome(built, FAILED_THEN_CLOSED, "2019-12-01", *columns) == (
        "liquidation", date(2020, 9, 15), "fermeture", True,
    )  # fmt: skip
    assert _outcome(built, TAKER, "2019-06-01", *columns) == (None, None, None, False)


def test_an_urssaf_default_takes_three_months_in_a_row(built: Warehouse) -> None:
    """Two months, then exactly one contribution: the counter starts again, and the default is of November, not of September."""
    state = dict(built.query(f"select month, en_defaut_urssaf from marts.mart_company_month where siren = '{INDEBTED}'"))
    in_default = [month for month, value in sorted(state.items()) if value]
    assert in_default == [*MONTHS[22:26], MONTHS[32]]
    events = built.query("select siren, date_evenement from marts.mart_evenement where type_evenement = 'defaut_urssaf' order by 2")
    assert events == [(INDEBTED, date(2019, 11, 30)), (INDEBTED, date(2020, 9, 30))]


def test_who_owes_nothing_is_in_no_default(built: Warehouse) -> None:
    """Regularisations that refund more than a year's contributions make the mean negative: no debt is above it, and no default."""
    rows = built.query(
        "select distinct cotisation_moyenne_12m_eur, dette_eur, nb_mois_dette_elevee_12m, en_defaut_urssaf"
        f" from marts.mart_company_month where siren = '{REFUNDED}' and month >= '2020-01-01'"
    )
    assert rows == [(-1000, 0, 0.0, False)]


def test_an_urssaf_default_that_lasts_is_not_a_new_one(built: Warehouse) -> None:
    columns = ("date_defaut_urssaf", "defaut_urssaf_12m", "defaut_urssaf_18m", "defaut_urssaf_24m")
    assert _outcome(built, INDEBTED, "2019-01-01", *columns) == (date(2019, 11, 30), True, True, True)
    assert _outcome(built, INDEBTED, "2019-11-01", *columns) == (date(2020, 9, 30), True, True, None)
    assert _outcome(built, INDEBTED, "2020-06-01", *columns) == (date(2020, 9, 30), True, None, None)
    assert _outcome(built, INDEBTED, "2020-09-01", *columns) == (None, None, None, None)
