"""What a person sees of a file that is wrong as a whole: a stock that was cut or lacks a part, an archive that cannot be read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from datetime import date

import pytest
from delivery_base import OPEN, Base, refused

from expectations.gates import gate_raw
from ingestion.replay import replay_quarantine


def test_a_stock_with_a_header_and_nothing_else_is_refused(base: Base, debits: str) -> None:
    refused(base, base.deliver(debits.splitlines()[0]), "volume", "aucune ligne")


def test_a_truncated_stock_is_refused_and_closes_nothing(base: Base, debits: str) -> None:
    header, *rows = debits.splitlines()
    base.deliver(debits)
    account = base.deliver("\n".join([header, rows[0]]), received=date(2026, 2, 15))
    refused(base, account, "volume", "1 lignes reçues contre 4")
    assert base.query(OPEN) == [(4,)]


def test_a_truncated_stock_is_refused_on_the_day_of_the_whole_one_too(base: Base, debits: str) -> None:
    """A few lines tried out after the first stock, on the same day, closed all the others."""
    header, *rows = debits.splitlines()
    base.deliver(debits)
    refused(base, base.deliver("\n".join([header, rows[0]]), "debits_essai.csv"), "volume", "1 lignes reçues contre 4")
    assert base.query(OPEN) == [(4,)]


def test_a_stock_cut_into_two_files_of_one_day_is_refused(base: Base, debits: str) -> None:
    """The second half closed the first: half of the debts were gone, and nothing said so."""
    header, *rows = debits.splitlines()
    assert base.deliver("\n".join([header, *rows[:2]]), "debits_1.csv").rows_opened == 2
    account = base.deliver("\n".join([header, *rows[2:]]), "debits_2.csv")
    refused(base, account, "stock_partiel", "2 des 2 lignes connues en sont absentes")
    assert base.query(OPEN) == [(2,)]
    later = {"received_on": date(2026, 1, 16), "contracts": base.contracts, "identity": "luhn"}
    assert replay_quarantine(base.url, **later) == []  # nor does a replay, on another day


def test_a_stock_sent_again_on_the_same_day_takes_the_place_of_the_first(base: Base, debits: str) -> None:
    """First without its last lines, then whole and corrected; the gate counted the lines of both, and refused."""
    header, *rows = debits.splitlines()
    many = [rows[0].replace(";101;1;", f";{number};1;") for number in range(200, 260)]
    base.deliver("\n".join([header, *many]), received=date(2026, 1, 15))
    base.deliver("\n".join([header, *many[:40]]), "debits_1.csv", received=date(2026, 2, 15))
    whole = [many[0].replace(";195907;", ";195908;"), *many[1:]]
    account = base.deliver("\n".join([header, *whole]), "debits_2.csv", received=date(2026, 2, 15))
    assert (account.status, account.loaded, account.unchanged) == ("loaded", 21, 39)
    for deliveries in ([1, 2, 3], [2, 3], [3]):
        result = gate_raw(base.url, base.contracts["urssaf__debit"], deliveries)
        assert result.passed, result.summary_fr()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_stock_cut_in_the_middle_of_a_line_is_refused(base: Base, debits: str, encoding: str) -> None:
    """Cut at nine tenths, it passed the limits of volume and closed the last tenth."""
    base.deliver(debits)
    cut = debits.rstrip().rpartition("\n")[0][:-30]
    account = base.deliver(cut.encode(encoding), received=date(2026, 2, 15))
    refused(base, account, "fichier_tronque", "ligne 4 : dernière ligne incomplète et sans fin de ligne")
    assert base.query(OPEN) == [(4,)]
    later = {"received_on": date(2026, 2, 16), "contracts": base.contracts, "identity": "luhn"}
    assert replay_quarantine(base.url, **later) == []
    whole = base.deliver((cut + "\n").encode(encoding), received=date(2026, 2, 15))
    assert (whole.status, whole.rejects_by_rule) == ("loaded", {"nombre_de_champs": 1})


def test_a_last_line_that_is_wrong_without_a_line_feed_stops_no_stock_that_lacks_nothing(
    base: Base, debits: str
) -> None:
    """A first delivery has nothing to close: the other lines go on, as after any bad line."""
    account = base.deliver(debits.rstrip()[:-30])
    assert (account.status, account.loaded, account.rejects_by_rule) == ("loaded", 3, {"nombre_de_champs": 1})


@pytest.mark.parametrize("name", ["debits.csv.bz2", "debits.csv"])
def test_an_archive_of_another_kind_is_told_as_such(base: Base, debits: str, name: str) -> None:
    """Its bytes were taken for lines, and a column of the header was said to be missing."""
    account = base.deliver(bz2.compress(debits.encode()), name)
    assert refused(base, account, "forme", "compressé une fois en gz, zip ou xz, reçu bzip2") == []


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar", ".csv"])
def test_a_bundle_of_files_is_not_read_as_one(base: Base, debits: str, suffix: str) -> None:
    """The name and the padding of a tar hid in the first and last lines; all the others were loaded."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as bundle:
        member = tarfile.TarInfo("debits.csv")
        member.size = len(debits.encode())
        bundle.addfile(member, io.BytesIO(debits.encode()))
    content = gzip.compress(buffer.getvalue()) if suffix.endswith("gz") else buffer.getvalue()
    refused(base, base.deliver(content, "debits" + suffix), "forme", "reçu tar")


def test_what_macos_puts_in_an_archive_is_no_second_file(base: Base, debits: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("sigfaible_debits.csv", debits)
        package.writestr("__MACOSX/._sigfaible_debits.csv", b"\0")
    assert base.deliver(archive.getvalue(), "sigfaible_debits.csv.zip").loaded == 4


def test_a_cut_zip_is_told_as_cut(base: Base, debits: str) -> None:
    """Without its table of contents, it was said to hold thousands of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("debits.csv", debits)
    refused(base, base.deliver(buffer.getvalue()[:-40], "debits.zip"), "archive", "illisible ou incomplète")


@pytest.mark.parametrize("cut", [20, -4])
def test_an_incomplete_archive_is_refused(base: Base, debits: str, cut: int) -> None:
    refused(
        base, base.deliver(gzip.compress(debits.encode() * 50)[:cut], "sigfaible_debits.csv.gz"), "archive", "archive"
    )


def test_archives_are_known_by_their_content_whatever_their_name(base: Base, debits: str) -> None:
    assert base.deliver(gzip.compress(debits.encode()), "sigfaible_debits.csv").loaded == 4
    assert base.deliver(lzma.compress(debits.encode()), "sigfaible_debits.csv.gz").status == "identical"
    path = base.folder / "sigfaible_debits.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("n'importe quoi.txt", debits)
    assert base.deliver(path).status == "identical"


def test_a_broken_workbook_and_an_archive_of_several_files_are_refused(base: Base, debits: str) -> None:
    path = base.folder / "sigfaible_debits.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("xl/workbook.xml", "<x/>")
    refused(base, base.deliver(path), "classeur", "classeur illisible")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", debits)
        archive.writestr("b.csv", debits)
    refused(base, base.deliver(path), "archive", "un seul fichier attendu")
