"""Random histories, full of corrections and withdrawals: months built together or one by one, with or without the future."""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from dbt_warehouse import Warehouse, new_warehouse

SIRENS = [f"0000{i:05d}" for i in range(100, 124)]
MONTHS = [date(2019 + m // 12, m % 12 + 1, 1) for m in range(16)]
FIRST, LAST = "2019-09-01", "2020-02-01"
#: As-of months, latest first: each forgets more than the one before it.
AS_OF = ("2020-01-01", "2019-11-01", "2019-09-01")
TABLES = ("mart_company_month", "mart_source_freshness", "mart_perimetre", "mart_clignotant")
EVENTS = "select e::text from marts.mart_evenement e order by 1"


def _versions(dice: random.Random, known: date, row: dict[str, Any], change: str) -> list[dict[str, Any]]:
    """The row as delivered: sometimes corrected later (`change` moves), sometimes withdrawn, sometimes late."""
    known += timedelta(days=dice.choice([0, 0, 0, 35]))
    luck = dice.random()
    if luck < 0.75:
        return [row | {"known": known}]
    end = known + timedelta(days=dice.randrange(5, 120))
    if luck < 0.9:
        return [row | {"known": (known, end)}, row | {change: dice.randrange(1, 90), "known": end}]
    return [row | {"known": (known, end)}]


def _history(dice: random.Random, months: Sequence[date]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, siren in enumerate(SIRENS):
        siret, compte = f"{siren}00001", f"K{number}"
        old_layout = number % 3 == 0
        own = {} if old_layout else {"siret": siret}
        yield from _identity(dice, siren, siret)
        yield from _accounts(dice, number, siren, siret, compte)
        for month in months:
            if dice.random() < 0.9:
                for row in _versions(
                    dice,
                    month + timedelta(days=40),
                    {"siren": siren, "periode": month, "effectif": dice.randrange(4, 60)},
                    "effectif",
                ):
                    yield "urssaf__effectif_ent", row
            after = (month + timedelta(days=31)).replace(day=1)
            cotisation = {
                "compte": compte, "periode_debut": month, "periode_fin": after, "mise_en_recouvrement": "0",
                "cotisation_due_eur": dice.randrange(500, 9000), **own,
            }  # fmt: skip
            for row in _versions(dice, after + timedelta(days=11), cotisation, "cotisation_due_eur"):
                yield "urssaf__cotisation", row
            for row in _versions(
                dice,
                month + timedelta(days=30),
                {"siren": siren, "date_valeur": month, "nb_jours": dice.randrange(60)},
                "nb_jours",
            ):
                yield "altares__paydex", row
            if dice.random() < 0.3:
                yield from _debt(dice, compte, siren, own, month, after)
            if dice.random() < 0.15:
                yield from _short_time_work(dice, siret, month, f"D{number}{month:%y%m}")
            if dice.random() < 0.06:
                yield from _judgment(dice, siren, month, f"{number}{month:%y%m}")
            if month.month % 6 == 4 and number % 2:
                yield from _group(dice, number, siren, month)


def _identity(dice: random.Random, siren: str, siret: str) -> Iterator[tuple[str, dict[str, Any]]]:
    naf = dice.choice(["25.11Z", "43.21A", "56.10A", "64.19Z"])
    created = date(2012, 1, 1) + timedelta(days=dice.randrange(2000))
    known = created + timedelta(days=30)
    yield "insee__unite_legale", {
        "siren": siren, "denomination": "X", "categorie_juridique": "5499", "activite_principale": naf,
        "nomenclature_activite": "NAFRev2", "date_creation": created, "etat_administratif": "A", "known": known,
    }  # fmt: skip
    state = dice.choice("AAAF")
    yield "insee__etablissement", {
        "siren": siren, "nic": "00001", "siret": siret, "est_siege": True, "etat_administratif": state,
        "date_creation": created, "departement": dice.choice(["21", "25", "2A"]), "activite_principale": naf,
        "nomenclature_activite": "NAFRev2", "known": known,
    }  # fmt: skip
    yield "insee__etablissement_historique", {
        "siret": siret, "date_debut": created, "etat_administratif": "A", "changement_etat": True, "known": known,
    }  # fmt: skip
    if state == "F":
        closed = date(2019, 6, 1) + timedelta(days=dice.randrange(300))
        yield "insee__etablissement_historique", {
            "siret": siret, "date_debut": closed, "etat_administratif": "F", "changement_etat": True,
            "known": closed + timedelta(days=30),
        }  # fmt: skip


def _accounts(
    dice: random.Random, number: int, siren: str, siret: str, compte: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "urssaf__compte", {
        "compte": compte, "siren": siren, "siret": siret, "date_creation": date(2015, 1, 1), "known": date(2015, 1, 12)
    }  # fmt: skip
    if number % 6 == 0:
        other = SIRENS[(number + 1) % len(SIRENS)]
        moved = date(2019, 7, 1) + timedelta(days=dice.randrange(150))
        yield "urssaf__compte", {
            "compte": compte, "siren": other, "siret": f"{other}00001", "date_creation": moved,
            "known": moved + timedelta(days=11),
        }  # fmt: skip


def _debt(
    dice: random.Random, compte: str, siren: str, own: dict[str, str], month: date, after: date
) -> Iterator[tuple[str, dict[str, Any]]]:
    treated = after + timedelta(days=dice.randrange(10, 30))
    for history in range(1, dice.randrange(2, 5)):
        row = {
            "compte": compte, "periode_debut": month, "periode_fin": after, "numero_ecart_negatif": "101",
            "numero_historique": history, "date_traitement": treated, "part_ouvriere_eur": dice.randrange(900),
            "part_patronale_eur": dice.randrange(3000), "siren": siren if own else None, **own,
        }  # fmt: skip
        for version in _versions(dice, treated + timedelta(days=11), row, "part_patronale_eur"):
            yield "urssaf__debit", version
        treated += timedelta(days=dice.randrange(10, 60))
    if dice.random() < 0.3:
        created = treated
        yield "urssaf__delai", {
            "compte": compte, "numero_structure": f"{month:%y%m}", "date_creation": created, **own,
            "date_echeance": created + timedelta(days=200), "duree_jours": 200, "montant_echeancier_eur": 3000,
            "stade": dice.choice(["APPROB", "PRO PR"]), "action": "SUR PO", "known": created + timedelta(days=11),
        }  # fmt: skip
        yield "urssaf__ccsf", {
            "compte": compte, "date_traitement": created, "stade": dice.choice(["DEBUT", "REFUS"]), **own,
            "known": created + timedelta(days=11),
        }  # fmt: skip


def _short_time_work(
    dice: random.Random, siret: str, month: date, demande: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    request = {
        "id_demande": demande, "siret": siret, "date_statut": month, "periode_debut": month + timedelta(days=8),
        "periode_fin": month + timedelta(days=70), "heures_autorisees": dice.randrange(100, 9000),
    }  # fmt: skip
    for row in _versions(dice, month + timedelta(days=15), request, "heures_autorisees"):
        yield "dgefp__demande_ap", row
    consumed = {
        "id_demande": demande,
        "siret": siret,
        "periode": month + timedelta(days=14),
        "heures": dice.randrange(50, 3000),
    }
    for row in _versions(dice, month + timedelta(days=74), consumed, "heures"):
        yield "dgefp__consommation_ap", row


def _group(dice: random.Random, number: int, siren: str, month: date) -> Iterator[tuple[str, dict[str, Any]]]:
    """A stake of the group of four companies that the company is in, seen again every half-year."""
    head = number - number % 4
    stake = {
        "code_groupe": f"G{head}{month:%y%m}", "siren_groupe": SIRENS[head] if head % 8 else None, "code_filiale": f"F{number}",
        "siren_filiale": siren, "niveau_detention": 1, "part_financiere": dice.randrange(20, 100),
    }  # fmt: skip
    for row in _versions(dice, month + timedelta(days=60), stake, "part_financiere"):
        yield "ellisphere__groupe", row


def _judgment(dice: random.Random, siren: str, month: date, number: str) -> Iterator[tuple[str, dict[str, Any]]]:
    judged, published = month + timedelta(days=3), month + timedelta(days=dice.randrange(10, 60))
    kind = dice.choice(["redressement", "sauvegarde", "liquidation"])
    notice = {
        "siren": siren, "jugement_famille": "Jugement d'ouverture", "jugement_date": judged, "jugement_type": "initial",
        "jugement_nature": f"Jugement d'ouverture d'une procédure de {kind} judiciaire",
    }  # fmt: skip
    yield (
        "bodacc__annonce",
        notice
        | {"date_parution": published, "numero_annonce": number, "type_annonce": "Avis initial", "known": published},
    )
    if dice.random() < 0.5:
        again = published + timedelta(days=dice.randrange(5, 80))
        what = dice.choice(["Avis rectificatif", "Avis d’annulation"])
        yield (
            "bodacc__annonce",
            notice | {"date_parution": again, "numero_annonce": f"{number}9", "type_annonce": what, "known": again},
        )
    yield "urssaf__procol", {
        "siren": siren, "siret": f"{siren}00001", "date_effet": judged + timedelta(days=90), "libelle": f"{kind}_x",
        "action_procol": kind, "stade_procol": dice.choice(["fin_procedure", "plan_continuation"]),
        "known": judged + timedelta(days=120),
    }  # fmt: skip
    yield "inpi__ratio", {
        "siren": siren, "date_cloture_exercice": date(month.year - 1, month.month, 28), "type_bilan": dice.choice("CKS"),
        "chiffre_affaires_eur": dice.randrange(10**5, 10**7), "resultat_net_eur": dice.randrange(-(10**5), 10**5),
        "marge_ebe": dice.randrange(-20, 30), "known": published,
    }  # fmt: skip
    yield "banque_de_france__ratio", {
        "siren": siren, "arrete_bilan": date(month.year - 1, month.month, 28), "poids_frng": dice.randrange(40), "known": published
    }  # fmt: skip


def fill(warehouse: Warehouse, months: Sequence[date] = MONTHS, *, shuffled: bool = False) -> None:
    """Write the random history into raw, in the order of its making or in another."""
    by_source: dict[str, list[dict[str, Any]]] = {}
    for source, row in _history(random.Random(2016), months):
        by_source.setdefault(source, []).append(row)
    for source, rows in by_source.items():
        warehouse.write(source, random.Random(7).sample(rows, len(rows)) if shuffled else rows)


def cells_of(warehouse: Warehouse, table: str, until: str = LAST) -> list[tuple[Any, ...]]:
    """Every cell of a mart up to a month, as text."""
    return warehouse.query(f"select t::text from marts.{table} t where month <= '{until}' order by 1")


@pytest.fixture(scope="module")
def together(warehouse: Warehouse) -> Warehouse:
    """All the months in one build."""
    fill(warehouse)
    warehouse.features(FIRST, LAST)
    return warehouse


@pytest.fixture(scope="module")
def other(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with new_warehouse(server_url, tmp_path_factory.mktemp("other")) as made:
        fill(made)
        yield made


def compare_as_of(whole: Warehouse, other: Warehouse, first: str, months: Sequence[str]) -> None:
    """For each month, latest first: `other` forgets what came later and builds again; no cell may differ from `whole`."""
    for month in months:
        year, number, _ = map(int, month.split("-"))
        other.forget_after(f"{year}-{number:02d}-{monthrange(year, number)[1]}")
        for table in TABLES:
            other.execute(f"drop table if exists marts.{table} cascade")
        other.features(first, month)
        for table in TABLES:
            assert cells_of(other, table, month) == cells_of(whole, table, month), (table, month)


def test_deleting_later_knowledge_changes_no_cell(together: Warehouse, other: Warehouse) -> None:
    """Promise 3. Every version known after the month goes, every closing after it is forgotten."""
    assert len(cells_of(together, "mart_company_month", AS_OF[-1])) > 15
    compare_as_of(together, other, FIRST, AS_OF)


@pytest.mark.long
def test_deleting_later_knowledge_changes_no_cell_in_two_years(
    server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Promise 3, twenty-four months, each with all that was known before it and nothing of what came after."""
    months = [date(2019 + m // 12, m % 12 + 1, 1) for m in range(36)]
    as_of = [f"{month}" for month in reversed(months[10:34])]
    with (
        new_warehouse(server_url, tmp_path_factory.mktemp("whole")) as whole,
        new_warehouse(server_url, tmp_path_factory.mktemp("forgetful")) as forgetful,
    ):
        fill(whole, months)
        fill(forgetful, months)
        whole.features(FIRST, f"{months[-1]}")
        compare_as_of(whole, forgetful, FIRST, as_of)


def test_months_built_one_by_one_equal_months_built_together(
    together: Warehouse, server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A monthly run touches one month; it must write what a full build would have written, whatever the order of the rows in
    the tables and the number of models built side by side."""
    with new_warehouse(server_url, tmp_path_factory.mktemp("steps")) as steps:
        steps.threads = 1
        fill(steps, shuffled=True)
        steps.features(FIRST, "2019-10-01")
        for month in ("2019-11-01", "2019-12-01", "2020-01-01", "2020-02-01"):
            steps.features(month, month)
        for table in (*TABLES, "mart_outcome", "mart_clignotant_valeur"):
            assert cells_of(steps, table) == cells_of(together, table), table
        assert steps.query(EVENTS) == together.query(EVENTS)
        assert {kind for (kind,) in steps.query("select distinct type_evenement from marts.mart_evenement")} >= {"defaut_urssaf", "fermeture"}


def test_a_mart_that_was_never_written_to_has_its_indexes_once_filled(
    server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A schedule that began before the first delivery leaves empty marts: they are indexed after their first rows."""
    indexes = (
        "select indrelid::regclass::text, indkey::text, indisunique from pg_index"
        " inner join pg_class on indrelid = pg_class.oid where relnamespace = 'marts'::regnamespace order by 1, 2"
    )
    with new_warehouse(server_url, tmp_path_factory.mktemp("early")) as early:
        early.features("2009-01-01", "2009-01-01")
        made = early.query(indexes)
        assert ("marts.mart_company_month", True) in {(table, unique) for table, _, unique in made}
        fill(early, MONTHS[:10])
        early.features(FIRST, FIRST)
        assert cells_of(early, "mart_company_month", FIRST) and cells_of(early, "mart_clignotant", FIRST)
        assert early.query(indexes) == made


def test_establishments_add_up_to_their_company(together: Warehouse) -> None:
    """The sheet of a company and its establishments must not contradict each other."""
    rows = together.query(
        "with establishment as (select siren, sum(dette_part_patronale_eur) as dette, sum(ap_etp_consomme) as consomme,"
        " sum(ap_etp_autorise) as autorise, sum(cotisation_12m_eur) as due, sum(delai_reste_eur) as delai,"
        " bool_or(delai_en_cours) as en_delai from marts.mart_establishment_month group by 1)"
        " select dette is not distinct from dette_part_patronale_eur, abs(consomme - ap_etp_consomme) < 1e-9,"
        " abs(autorise - ap_etp_autorise) < 1e-9,"
        " abs(due / (12 - cotisation_mois_manquants_12m)::numeric - cotisation_moyenne_12m_eur) < 0.02,"
        " abs(delai - delai_reste_eur) < 0.02, (delai_en_cours = 1) = en_delai, autorise > 0"
        f" from marts.mart_company_month inner join establishment using (siren) where month = '{LAST}'"
    )
    assert all(all(equal) for *equal, _ in rows)
    assert any(authorised for *_, authorised in rows)


def test_the_random_history_reaches_groups_and_delais(together: Warehouse) -> None:
    """What no company has, no comparison of cells proves anything of."""
    assert together.query(
        "select bool_or(groupe_nb_filiales > 1), bool_or(dans_un_groupe and groupe_siren_tete is null),"
        " bool_or(groupe_siren_tete = siren), bool_or(not dans_un_groupe), bool_or(delai_reste_eur > 0) from marts.mart_company_month"
    ) == [(True, True, True, True, True)]


def test_a_month_built_again_leaves_the_others_untouched(together: Warehouse) -> None:
    before = together.query(
        "select month, siren, xmin::text from marts.mart_company_month where month <> '2019-12-01' order by 1, 2"
    )
    tables = ("mart_company_month", "mart_outcome")
    cells = [cells_of(together, table) for table in tables]
    events = together.query(EVENTS)
    together.features("2019-12-01", "2019-12-01")
    after = together.query(
        "select month, siren, xmin::text from marts.mart_company_month where month <> '2019-12-01' order by 1, 2"
    )
    assert after == before
    assert [cells_of(together, table) for table in tables] == cells
    assert together.query(EVENTS) == events


def test_lists_built_one_by_one_equal_lists_built_together(together: Warehouse) -> None:
    """A range sees the published lists before it, and itself; the two must tell the same novelty."""
    together.execute(
        "insert into ml.model values ('old', 0.6, 0.35), ('new', 0.5, 0.3);"
        "insert into ml.run_month (month, model_id) select distinct month, case when month < '2020-01-01' then 'old' else 'new' end"
        " from marts.mart_company_month where month >= '2019-10-01';"
        # A score that moves, the same in all runs: the digest of the siren and of the month.
        "insert into ml.score select siren, month, model_id, p / 2, p, least(1, p * 1.5), 0 from marts.mart_company_month,"
        " (values ('old'), ('new')) m (model_id), lateral"
        " (select ('x' || substr(md5(siren || month), 1, 4))::bit(16)::int / 65536.0 as p) s where a_risque;"
        "insert into ml.explanation select siren, month, model_id, 1, 'Effectif', 'effectif', 1, 0.5, 'aggravant', 'Phrase.'"
        " from ml.score"
    )
    names = ("detection", "score", "raison", "clignotant", "serie", "territoire", "fraicheur", "offre")
    together.publication("2019-10-01", LAST)
    at_once = {name: sorted(together.query(f"select t::text from publication.candidate_{name} t")) for name in names}
    one_by_one: dict[str, list[Any]] = {name: [] for name in names}
    for number, month in enumerate(("2019-10-01", "2019-11-01", "2019-12-01", "2020-01-01", "2020-02-01"), start=1):
        together.publication(month, month)
        for name in names:
            one_by_one[name] += together.query(f"select t::text from publication.candidate_{name} t")
        together.execute(
            f"insert into publication.month values ({number}, '{month}', 'published', 'x');"
            "insert into publication.detection"
            f" select {number}, month, siren, alerte, departement, region from publication.candidate_detection"
        )
    assert {name: sorted(rows) for name, rows in one_by_one.items()} == at_once
    levels = {level for (level,) in together.query("select distinct alerte from publication.detection")}
    assert levels == {"Alerte seuil F1", "Alerte seuil F2"}
    assert at_once["offre"]
    assert at_once["serie"]
