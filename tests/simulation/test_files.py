"""The delivered files: identities, layouts, dates of knowledge, growth, recorded defects."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from region_reading import Region, decode
from stdnum import luhn

from simulation import simulate

# source: (column, how its dates are written, days before it can be known): the table of the contracts, written again
# here so that the simulation cannot agree with itself.
KNOWLEDGE = {
    "urssaf__compte": ("Date_crea_siret", "urssaf", 11),
    "urssaf__debit": ("Dt_trt_ecn", "urssaf", 11),
    "urssaf__delai": ("Date_creation", "%d/%m/%Y", 11),
    "urssaf__ccsf": ("Date_de_traitement", "urssaf", 11),
    "urssaf__procol": ("Dt_effet", "%d%b%Y", 30),
    "urssaf__cotisation": ("periode", "period_end", 11),
    "dgefp__demande_ap": ("DATE_STATUT", "%Y-%m-%d", 15),
    "dgefp__consommation_ap": ("MOIS", "%Y-%m-%d", 60),
    "insee__etablissement": ("dateDebut", "%Y-%m-%d", 30),
    "insee__unite_legale": ("dateDebut", "%Y-%m-%d", 30),
    "insee__etablissement_historique": ("dateDebut", "%Y-%m-%d", 30),
    "bodacc__annonce": ("date_parution", "%Y-%m-%d", 0),
    "inpi__ratio": ("date_cloture_exercice", "%Y-%m-%d", 210),
    "altares__paydex": ("DATE_VALEUR", "%d/%m/%Y", 30),
}
SAMPLES = {
    "urssaf__compte": ["admin_urssaf/comptesTestData.csv"],
    "urssaf__cotisation": ["cotisation/cotisationTestData.csv"],
    "urssaf__debit": ["debit/debitTestData.csv"],
    "urssaf__delai": ["delai/delaiTestData.csv", "_old_account_based_2024/urssaf/delaiTestData.csv"],
    "urssaf__ccsf": ["ccsf/ccsfTestData.csv", "_old_account_based_2024/urssaf/ccsfTestData.csv"],
    "urssaf__procol": ["procol/procolTestData.csv"],
    "dgefp__demande_ap": ["apdemande/apdemandeTestData.csv"],
    "dgefp__consommation_ap": ["apconso/apconsoTestData.csv"],
    "insee__etablissement": ["sirene/sireneTestData.csv"],
    "insee__unite_legale": ["sirene_ul/sireneULTestData.csv"],
    "insee__etablissement_historique": ["sirene_histo/sireneHistoTestData.csv"],
    "altares__paydex": ["paydex/paydexTestData.csv", "altares/fichierStockVide.csv"],
    "banque_de_france__ratio": ["bdf/bdfTestData.csv"],
    "bodacc__annonce": ["../bodacc/flat_no_names.csv"],
    "inpi__ratio": ["../ratios_inpi_bce/ratios_inpi_bce_head.csv"],
}


def period_end(text: str) -> date:
    """First day after a period written YYQM (M = 0: the quarter)."""
    year, quarter, month = 2000 + int(text[:2]), int(text[2]), int(text[3])
    last = quarter * 3 if month == 0 else quarter * 3 - 3 + month
    return date(year + last // 12, last % 12 + 1, 1)


def as_dates(column: pl.Series, how: str) -> pl.Series:
    """Dates of a delivered column."""
    if how == "period_end":
        known = {text: period_end(text) for text in column.unique().to_list()}
        return column.replace_strict(list(known), list(known.values()), return_dtype=pl.Date)
    if how == "urssaf":
        return (column.cast(pl.Int64) + 19_000_000).cast(pl.String).str.to_date("%Y%m%d")
    return (column.str.to_titlecase() if how == "%d%b%Y" else column).str.to_date(how)


def digest(folder: Path) -> dict[str, str]:
    """Hash of every file under a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_same_arguments_write_the_same_bytes(small: Callable[..., Path]) -> None:
    """Bug: a file that carries a clock, a set's order or a thread's (gzip headers, group_by without order)."""
    first, again, other = digest(small("a")), digest(small("b")), digest(small("c", seed=2))
    assert first == again
    assert first.keys() == other.keys() or len(first) > 50
    assert first["truth/companies.parquet"] != other["truth/companies.parquet"]


def test_more_companies_leave_the_first_block_as_it_was(small: Callable[..., Path]) -> None:
    """Bug: a generator shared by all blocks, so that a benchmark's size changes every company."""
    few = pl.read_parquet(small("few", companies=2_000, months=24) / "truth/health.parquet")
    more = pl.read_parquet(small("more", companies=2_100, months=24) / "truth/health.parquet")
    assert more.head(few.height).equals(few)


def test_no_identifier_can_belong_to_a_real_company(region: Region) -> None:
    """Bug: a SIREN that does not start with 0, fails Luhn, or is given twice."""
    units = region.files("insee__unite_legale")[-1].table
    sirens = units["siren"].to_list()
    assert len(sirens) == len(set(sirens)) > 2_500
    assert all(len(siren) == 9 and siren.startswith("0") and luhn.is_valid(siren) for siren in sirens)
    for source, column in (
        ("insee__etablissement", "siret"),
        ("urssaf__debit", "Siret"),
        ("urssaf__effectif", "siret"),
    ):
        sirets = region.files(source)[-1].table[column].unique().to_list()
        assert all(re.fullmatch(r"0\d{13}", siret) and luhn.is_valid(siret) for siret in sirets), source
        assert {siret[:9] for siret in sirets} <= set(sirens)


def test_no_person_is_named(region: Region) -> None:
    """Bug: an invented name on a sole trader, which could be somebody's."""
    units = region.files("insee__unite_legale")[0].table
    persons = units.filter(pl.col("categorieJuridiqueUniteLegale") == "1000")
    assert persons.height > 20
    assert set(persons["nomUniteLegale"]) == set(persons["prenom1UniteLegale"]) == {"[ND]"}
    companies = units.filter(pl.col("categorieJuridiqueUniteLegale") != "1000")
    assert companies["nomUniteLegale"].null_count() == companies.height
    assert companies["denominationUniteLegale"].str.starts_with("SIMULEX ").all()


def test_each_folder_says_that_it_is_a_simulation(region: Region) -> None:
    """Bug: fictional deliveries that somebody takes for real ones."""
    for delivery in region.summary.deliveries:
        assert (delivery.folder / "SIMULATION.txt").read_text(encoding="utf-8").startswith("SIMULATION")
        assert delivery.folder.name == delivery.received_on.isoformat()


def test_the_default_deliveries_are_received_on_working_days_after_the_22nd(region: Region) -> None:
    """Bug: a history that overlaps the monthly deliveries, or a date that no administration would use."""
    received = [delivery.received_on for delivery in region.summary.deliveries]
    assert received == [date(2025, 9, 22), date(2025, 10, 22), date(2025, 11, 24), date(2025, 12, 22)]


@pytest.mark.parametrize("source", sorted(SAMPLES))
def test_headers_are_those_of_the_administrations(region: Region, shared_data: Path, source: str) -> None:
    """Bug: a renamed, missing or moved column, which the real files do not have."""
    expected = [_header(decode(shared_data / "formats" / sample)) for sample in SAMPLES[source]]
    for file in region.files(source):
        assert _header(file.lines[0]) in expected, file.path.name


def _header(text: str) -> list[str]:
    line = text.splitlines()[0]
    return next(csv.reader(io.StringIO(line), delimiter=";" if line.count(";") > line.count(",") else ","))


def test_both_layouts_encodings_and_compressions_are_delivered(region: Region) -> None:
    """Bug: a history in today's layout, so that the reader of the old one is never used."""
    old, *new = region.files("urssaf__delai")
    assert "Siret" not in old.table.columns
    assert all("Siret" in file.table.columns for file in new)
    assert "SOCIÉTÉ".encode("iso8859-15") in old.path.read_bytes()
    assert "SOCIÉTÉ".encode() in new[0].path.read_bytes()
    assert region.files("urssaf__debit")[0].path.name.endswith(".gz")
    assert region.files("inpi__ratio")[0].path.read_bytes()[:2] == b"\x1f\x8b"
    assert {tuple(file.table.columns)[1] for file in region.files("altares__paydex")} == {
        "NB_JOURS",
        "ETAT_ORGANISATION",
    }


@pytest.mark.parametrize("source", sorted(KNOWLEDGE))
def test_nothing_is_delivered_before_it_could_be_known(region: Region, source: str) -> None:
    """Bug: a delivery that holds an item whose own date plus the lag of its source is still to come (a leak)."""
    column, how, lag = KNOWLEDGE[source]
    files = region.files(source)
    assert files
    for file in files:
        latest = as_dates(file.table[column].drop_nulls(), how).max()
        assert isinstance(latest, date)
        assert latest + timedelta(days=lag) <= file.received_on, file.path


def test_headcounts_stop_four_months_before_the_delivery(region: Region) -> None:
    """Bug: a wide file with the months not yet counted."""
    for source in ("urssaf__effectif", "urssaf__effectif_ent"):
        files = region.files(source)
        assert [file.received_on for file in files] == [date(2025, 9, 22), date(2025, 11, 24)]
        for file in files:
            last = [name for name in file.table.columns if name.startswith("eff")][-1]
            year, quarter, month = int(last[3:7]), int(last[7]), int(last[8])
            assert date(year, quarter * 3 - 3 + month, 1) + timedelta(days=120) <= file.received_on
    before, after = (file.table for file in region.files("urssaf__effectif_ent"))
    same = before.join(after, on="siren", how="left", suffix="_later")
    for name in before.columns:
        if name.startswith("eff"):  # what was counted, or never declared, stays so
            assert same[name].equals(same[f"{name}_later"], check_names=False), name


def test_a_failure_is_announced_neither_before_it_is_published_nor_for_others(region: Region) -> None:
    """Bug: a judgment seen in a delivery received before its publication."""
    failures = region.truth("failures")
    openings = pl.concat(
        file.table.with_columns(pl.lit(file.received_on).alias("received")) for file in region.files("bodacc__annonce")
    ).filter((pl.col("jugement_famille") == "Jugement d'ouverture") & (pl.col("type_annonce") == "Avis initial"))
    seen = openings.drop_nulls("siren").join(failures, on="siren", how="left")
    assert seen.filter(pl.col("published_on") > pl.col("received")).is_empty()
    cancelled = openings.join(failures, on="siren", how="anti")["siren"].drop_nulls().unique()
    notices = pl.concat(file.table for file in region.files("bodacc__annonce"))
    annulled = notices.filter(pl.col("type_annonce") == "Avis d’annulation")["siren"].to_list()
    assert set(annulled) <= set(cancelled.to_list())
    assert len(annulled) >= 1
    last = region.summary.deliveries[-1].received_on
    due = failures.filter(pl.col("published_on") <= last)
    assert openings["siren"].drop_nulls().n_unique() > 0.9 * due.height
    lag = (due["published_on"] - due["failure_date"]).dt.total_days()
    assert 7 <= lag.median() <= 11
    assert lag.max() > 45


@pytest.mark.parametrize("source", ["urssaf__cotisation", "urssaf__debit", "dgefp__consommation_ap"])
def test_each_monthly_delivery_holds_more_than_the_one_before(region: Region, source: str) -> None:
    """Bug: three copies of one stock, or a stock that forgets."""
    heights = [file.table.height for file in region.files(source)]
    assert len(heights) == 4
    assert heights == sorted(set(heights))
    for older, newer in itertools.pairwise(file.table.drop("Mt_PP", strict=False) for file in region.files(source)):
        assert older.join(newer, on=older.columns, how="anti", nulls_equal=True).is_empty()


def test_some_debts_are_corrected_between_two_deliveries(region: Region) -> None:
    """Bug: a history that never changes, so that no version is ever closed."""
    key = ["num_cpte", "Periode", "Num_Ecn", "Num_Hist_Ecn"]
    before, after = (file.table for file in region.files("urssaf__debit")[:2])
    changed = before.join(after, on=key).filter(pl.col("Mt_PP") != pl.col("Mt_PP_right"))
    recorded = region.truth("warts").filter(pl.col("wart") == "corrected_later")["value"].cast(pl.Int64).sum()
    assert 0 < changed.height == recorded


def test_the_balance_of_a_debt_never_rises(region: Region) -> None:
    """Bug: amounts written as movements, where the file gives what remains after each event."""
    debts = region.files("urssaf__debit")[-1].table.with_columns(
        (pl.col("Mt_PO").cast(pl.Int64) + pl.col("Mt_PP").cast(pl.Int64)).alias("left"),
        pl.col("Num_Hist_Ecn").cast(pl.Int64),
        as_dates(pl.Series(region.files("urssaf__debit")[-1].table["Dt_trt_ecn"]), "urssaf").alias("date"),
    )
    key = ["num_cpte", "Periode", "Num_Ecn"]
    steps = debts.sort(*key, "Num_Hist_Ecn").with_columns(
        pl.col("left").diff().over(key).alias("move"), pl.col("date").diff().over(key).alias("wait")
    )
    assert (steps["move"].drop_nulls() <= 0).all()
    assert (steps["wait"].drop_nulls() > timedelta(0)).all()
    assert (debts.filter(pl.col("Num_Hist_Ecn") == 1)["Cd_op_ecn"] == "1").all()
    assert (debts.filter(pl.col("Cd_op_ecn") == "3")["left"] == 0).all()


def test_every_recorded_defect_is_where_the_truth_says(region: Region) -> None:
    """Bug: a wrong line number, or a rate that nobody can check."""
    warts = region.truth("warts")
    lines = {
        (delivery.received_on, file.name): decode(delivery.folder / file.name).splitlines()
        for delivery in region.summary.deliveries
        for file in delivery.files
    }
    for row in warts.filter(pl.col("line") > 0).iter_rows(named=True):
        text = lines[row["received_on"], row["file"]][row["line"] - 1]
        header = lines[row["received_on"], row["file"]][0]
        separator = ";" if header.count(";") > header.count(",") else ","
        names = [name.strip('"') for name in header.split(separator)]
        fields = text.split(separator)
        if row["wart"] == "ragged_line":
            assert len(fields) < len(names)
        elif row["wart"] == "duplicate":
            assert lines[row["received_on"], row["file"]].count(text) >= 2
        else:
            assert fields[names.index(row["column"])].strip('"') == row["value"]
    bad = warts.filter((pl.col("line") > 0) & (pl.col("wart") != "duplicate")).height
    assert 0.0006 < bad / region.summary.lines < 0.0014


def test_the_summary_counts_the_lines_of_each_file(region: Region) -> None:
    """Bug: a summary that another count contradicts (bad lines or the header counted wrongly)."""
    for delivery in region.summary.deliveries:
        names = {file.name for file in delivery.files}
        assert {path.name for path in delivery.folder.iterdir()} == names | {"SIMULATION.txt"}
        for file in delivery.files:
            assert len(decode(delivery.folder / file.name).splitlines()) == file.lines + 1
            assert file.lines > 0


def test_one_increment_is_delivered_again_unchanged(region: Region) -> None:
    """Bug: no re-delivery, so that idempotence is never tried."""
    second, third = region.summary.deliveries[1:3]
    again = [
        file for file in third.files if file.name in {f.name for f in second.files} and file.source == "altares__paydex"
    ]
    assert len(again) == 1
    assert (second.folder / again[0].name).read_bytes() == (third.folder / again[0].name).read_bytes()


def test_pseudo_sirets_and_late_items_are_there(region: Region) -> None:
    """Bug: a warts table that promises what the files do not hold."""
    pseudo = [
        file.table.filter(pl.col("siret").str.slice(9, 1) == "9").height for file in region.files("urssaf__effectif")
    ]
    assert sum(pseudo) == region.summary.warts["pseudo_siret"] > 0
    assert region.summary.warts["late"] > 0
    assert region.summary.warts["missing_month"] > 1_000
    first, second = (set(file.table.iter_rows()) for file in region.files("urssaf__cotisation")[:2])
    assert any(period_end(row[4]) <= date(2025, 9, 1) for row in second - first)


def test_a_moved_head_office_takes_its_account_along(region: Region) -> None:
    """Bug: accounts that never change SIRET, so that the mapping over time is never tried."""
    accounts = region.files("urssaf__compte")[-1].table
    moved = accounts.filter(pl.len().over("Compte") == 2).sort("Compte", pl.col("Date_crea_siret").cast(pl.Int64))
    assert moved["Compte"].n_unique() > 20
    old, new = moved.gather_every(2), moved.gather_every(2, offset=1)
    assert (old["Date_disp_siret"] == new["Date_crea_siret"]).all()
    heads = region.files("insee__etablissement")[-1].table.filter(pl.col("etablissementSiege") == "true")
    assert heads["siren"].n_unique() == heads.height == region.files("insee__unite_legale")[-1].table.height


def test_too_small_or_already_written_regions_are_refused(tmp_path: Path) -> None:
    """Bug: a second simulation that mixes its files with the first one's."""
    with pytest.raises(ValueError, match="at least 24 months"):
        simulate(tmp_path / "a", companies=100, months=12)
    with pytest.raises(ValueError, match="at least 50 companies"):
        simulate(tmp_path / "a", companies=10, months=60)
    simulate(tmp_path / "a", companies=60, months=24)
    with pytest.raises(ValueError, match="already holds"):
        simulate(tmp_path / "a", companies=60, months=24)
