"""What a person sees, and where the row is, when a delivered file is not what it should be."""

from __future__ import annotations

import random
import unicodedata
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from delivery_base import OPEN, Base, refused

from ingestion.ledger import DeliveryAccount

HEADER = 1


def only_reject(base: Base, account: DeliveryAccount) -> tuple[Any, ...]:
    assert (account.status, account.rejected) == ("loaded", 1)
    [row] = base.quarantine(account)
    return row


def test_a_missing_column_refuses_the_file_and_names_the_column(base: Base, debits: str) -> None:
    """Upstream truncated the table before it noticed, and exited with 0."""
    rows = refused(base, base.deliver(debits.replace("Mt_PO", "Montant")), "colonne_absente", "ligne 1, colonne Mt_PO")
    assert rows[0][6] == debits.splitlines()[1]
    assert base.query(OPEN) == [(0,)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le-bom", "iso-8859-15"])
def test_byte_order_marks_utf_16_and_latin_text_are_read(base: Base, debits: str, encoding: str) -> None:
    """A BOM in front of the first header made upstream refuse the file."""
    text = debits.replace("20150101;1;0", "20150101;1;é€")
    data = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    account = base.deliver(data)
    assert (account.status, account.loaded) == ("loaded", 4)
    assert base.open_rows("urssaf__debit", "code_procedure_collective, compte")[0] == ("é€", "100000000000000001")


def test_a_big_endian_file_is_read_too(base: Base, debits: str) -> None:
    account = base.deliver(b"\xfe\xff" + debits.encode("utf-16-be"))
    assert (account.loaded, account.encoding) == (4, "utf-16-be")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_byte_order_mark_is_read(base: Base, debits: str, encoding: str) -> None:
    """Each of its lines was rejected for a NUL character."""
    account = base.deliver(debits.replace("20150101;1;0", "20150101;1;é€").encode(encoding))
    assert (account.loaded, account.encoding) == (4, encoding)
    assert base.open_rows("urssaf__debit", "code_procedure_collective")[0] == ("é€",)


def test_a_text_by_windows_keeps_its_apostrophes(base: Base, debits: str) -> None:
    """They were read as control characters of ISO 8859: an « L’ » without its apostrophe, a header not recognised."""
    account = base.deliver(debits.replace("20150101;1;0", "20150101;1;L’œuf à 5 €").encode("windows-1252"))
    assert (account.loaded, account.encoding) == (4, "windows-1252")
    assert base.open_rows("urssaf__debit", "code_procedure_collective")[0] == ("L’œuf à 5 €",)
    undefined = base.deliver(debits.encode().replace(b"20150101;1;0", b"20150101;1;\xe9 \x81"))
    assert undefined.encoding == "iso-8859-15"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_line_of_another_encoding_is_rejected_and_the_accents_of_the_others_stay(
    base: Base, debits: str, mark: bytes
) -> None:
    """One byte of ISO 8859 in a UTF-8 file turned « é » into « Ã© » in all of its lines, or refused the file."""
    header, *rows = debits.splitlines()
    good = [row.replace(";1;0;", ";1;décédé;").encode() for row in rows[:2]]
    bad = rows[2].replace(";1;1;", ";1;décédé;").encode("iso-8859-15")
    account = base.deliver(mark + b"\n".join([header.encode(), *good, bad, rows[3].encode()]) + b"\n")
    line, _, _, rule, _, message, raw = only_reject(base, account)
    assert (line, rule) == (4, "encodage")
    assert message.endswith("ligne 4 : octets indéchiffrables dans un texte en UTF-8 (règle encodage)")
    assert "d\ufffdc\ufffdd\ufffd" in raw
    assert base.open_rows("urssaf__debit", "code_procedure_collective")[:2] == [("décédé",)] * 2


def test_text_that_its_own_byte_order_mark_contradicts_is_refused(base: Base, debits: str) -> None:
    account = base.deliver(debits.encode("utf-16")[:-1])
    refused(base, account, "encodage", "indéchiffrable en utf-16")
    assert account.lines == 4


def test_a_header_with_accents_capitals_or_decomposed_letters_is_the_same_header(base: Base, debits: str) -> None:
    """« Période » was a missing column, so was « Numéro » as a Mac writes it."""
    header, *rows = debits.splitlines()
    account = base.deliver("\n".join([header.upper().replace("PERIODE", "PÉRIODE"), *rows]))
    assert (account.status, account.loaded) == ("loaded", 4)
    decomposed = header.replace("Mt_PO", unicodedata.normalize("NFD", "Mt_PÔ"))
    assert base.deliver("\n".join([decomposed, *rows])).unchanged == 4


@pytest.mark.parametrize("repeated", ["\ufeff{}", '"{}"', "{} "])
def test_a_repeated_header_is_known_behind_a_mark_or_in_capitals(base: Base, debits: str, repeated: str) -> None:
    header, *rows = debits.splitlines()
    again = repeated.format(header.upper().replace(";", '";"') if '"' in repeated else header)
    account = base.deliver("\n".join([header, rows[0], again, *rows[1:]]))
    assert (account.loaded, account.rejects_by_rule) == (4, {"entete_repetee": 1})


def test_a_wrong_delimiter_refuses_the_file_and_says_which_came(base: Base, debits: str) -> None:
    rows = refused(base, base.deliver(debits.replace(";", ",")), "separateur", "séparateur « ; » attendu, reçu « , »")
    assert len(rows) == 4


def test_a_ragged_row_is_rejected_and_the_others_load(base: Base, debits: str) -> None:
    lines = debits.splitlines()
    lines[2] = "217;25;100000000000000001;0123"
    line, kind, _column, rule, _value, message, raw = only_reject(base, base.deliver("\n".join(lines)))
    assert (line, kind, rule, raw) == (3, "rejet", "nombre_de_champs", lines[2])
    assert message == "sigfaible_debits.csv, ligne 3 : 17 champs attendus, 4 reçus (règle nombre_de_champs)"
    assert base.query(OPEN) == [(3,)]


def test_an_unreadable_amount_is_rejected_with_the_message_a_producer_can_use(base: Base, debits: str) -> None:
    account = base.deliver(debits.replace(";195907;", ";12,5a;"))
    line, _, column, rule, value, message, _raw = only_reject(base, account)
    assert (line, column, rule, value) == (2, "Mt_PO", "montant", "12,5a")
    assert message == (
        'sigfaible_debits.csv, ligne 2, colonne Mt_PO : montant en centimes attendu, reçu "12,5a" (règle montant)'
    )
    assert account.rejects_by_rule == {"montant": 1}


def test_a_mark_that_may_be_of_thousands_or_of_decimals_is_told_as_such(base: Base) -> None:
    """A contribution of « 1,234 » was loaded as 1.23 euros, a headcount of « 1.000 » as one employee."""
    header = "Siret;Compte;periode;enc_direct;cotis_due\n"
    row = "01234567400019;10000000000000000{};1831;0;{}\n"
    account = base.deliver(header + row.format(1, "1,234") + row.format(2, "1 234,50"), "sigfaible_cotisdues.csv")
    assert only_reject(base, account)[:5] == (2, "rejet", "cotis_due", "nombre_ambigu", "1,234")
    assert base.open_rows("urssaf__cotisation", "cotisation_due_eur") == [(Decimal("1234.50"),)]
    wide = "siren;eff201911;eff201912\n012345674;3;1.000\n023456783;3;1 000\n"
    row = only_reject(base, base.deliver(wide, "sigfaible_effectif_siren.csv"))
    assert row[:5] == (2, "rejet", "eff201912", "nombre_ambigu", "1.000")
    assert "nombre sans point ni virgule entre les milliers attendu (milliers ou décimales ?)" in row[5]


def test_an_empty_amount_rejects_its_line_only(base: Base, debits: str) -> None:
    """An empty Mt_PO killed the whole upstream process, all parsers included."""
    row = only_reject(base, base.deliver(debits.replace(";195907;", ";;")))
    assert row[:4] == (2, "rejet", "Mt_PO", "obligatoire")


def test_a_repeated_key_rejects_the_later_line_and_names_the_first(base: Base, debits: str) -> None:
    """One repeated ID made the upstream COPY fail and left the table empty."""
    lines = debits.splitlines()
    repeated = lines[1].replace(";195907;", ";195908;")
    account = base.deliver("\n".join([*lines, repeated]) + "\n")
    line, _, _column, rule, _, message, raw = only_reject(base, account)
    assert (line, rule, raw) == (6, "cle_en_double", repeated)
    assert "clé déjà présente ligne 2" in message
    assert base.open_rows("urssaf__debit", "part_ouvriere_eur")[0] == (Decimal("1959.07"),)


def test_the_raw_text_of_a_repeated_record_that_spans_lines_is_whole(base: Base) -> None:
    header = "Numero_compte_externe;Numero_structure;Date_creation;Date_echeance;Montant_global_echeancier;Nom\n"
    row = '100000000000000001;s1;01/02/2019;01/03/2019;10.5;"A\nB"\n'
    account = base.deliver(header + row + row, "sigfaible_delais.csv")
    line, _, _, rule, _, message, raw = only_reject(base, account)
    assert (line, rule, raw) == (4, "cle_en_double", row.rstrip("\n"))
    assert "clé déjà présente ligne 2" in message


def test_two_stray_quotes_in_one_column_swallow_no_line_between_them(base: Base) -> None:
    """The lines between a cell that begins with a quote and one that ends with one became the text of one cell."""
    header = "Numero_compte_externe;Date_creation;Date_echeance;Montant_global_echeancier;Denomination_premiere_ligne\n"
    names = ("SARL UN", '"LE BON', "SARL DEUX", 'LE BON"', "SARL TROIS")
    rows = [f"10000000000000000{n};01/02/2019;01/03/2019;10.5;{name}" for n, name in enumerate(names)]
    account = base.deliver(header + "\n".join(rows) + "\n", "sigfaible_delais.csv")
    line, _, _, rule, _, _, raw = only_reject(base, account)
    assert (line, rule, raw) == (3, "guillemet_non_ferme", rows[1])
    assert (account.lines, account.loaded) == (5, 4)


def test_a_key_too_long_for_an_index_rejects_its_line_only(base: Base, debits: str) -> None:
    """Seen with hostile files: the server refused the whole load, and the file was neither loaded nor in quarantine."""
    rng = random.Random(1)
    long = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    account = base.deliver(debits.replace("100000000000000003", long))
    line, _, column, rule, value, _, _ = only_reject(base, account)
    assert (line, column, rule, value) == (5, "num_cpte", "cle_trop_longue", long)
    assert account.loaded == 3


def test_two_accounts_with_the_same_gap_number_do_not_collide(base: Base, debits: str) -> None:
    """The upstream identity of a débit forgot the account: two debts of 300 and 1,200 euros gave 300, then 0."""
    row = debits.splitlines()[1]
    other = row.replace("100000000000000001", "100000000000000009")
    account = base.deliver("\n".join([debits.splitlines()[0], row, other]))
    assert (account.loaded, account.rejected) == (2, 0)


def test_the_null_siren_is_refused(base: Base, debits: str) -> None:
    row = only_reject(base, base.deliver(debits.replace(";012345674;01234567400019;", ";000000000;01234567400019;", 1)))
    assert row[:5] == (2, "rejet", "Siren", "identifiant_nul", "000000000")


def test_a_wrong_luhn_key_is_rejected_unless_the_identity_is_only_checked_for_its_format(
    base: Base, debits: str
) -> None:
    wrong = debits.replace("01234567400019", "01234567400018", 1)
    assert only_reject(base, base.deliver(wrong))[:5] == (2, "rejet", "Siret", "cle_luhn", "01234567400018")
    assert base.deliver(wrong + "\n", identity="format").rejected == 0


def test_a_pseudo_siret_is_counted_out_of_scope_and_can_be_inspected(base: Base, debits: str) -> None:
    account = base.deliver(debits.replace("01234567400019", "01234567450019", 1))
    assert (account.out_of_scope, account.rejected, account.loaded) == (1, 0, 3)
    [(line, kind, column, rule, value, message, raw)] = base.quarantine(account)
    assert (line, kind, column, rule, value) == (2, "hors_perimetre", "Siret", "pseudo_siret", "01234567450019")
    assert "pseudo-SIRET" in message
    assert "01234567450019" in raw


def test_a_provisional_siret_is_counted_out_of_scope(base: Base, debits: str) -> None:
    account = base.deliver(debits.replace(";012345674;01234567400019;", ";;P1234567400019;", 1))
    assert (account.out_of_scope, account.rejects_by_rule) == (1, {"siret_provisoire": 1})


def test_an_account_whose_first_day_is_not_known_is_linked_to_its_establishment(base: Base) -> None:
    """Without the column its accounts were linked since 1900, with an empty cell they were rejected."""
    header = "Compte;Etat_compte;Siren;Siret;Date_crea_siret;Date_disp_siret\n"
    account = base.deliver(header + "1;1;012345674;01234567400019;;9990101\n", "sigfaible_etablissement_utf8.csv")
    assert account.loaded == 1
    assert base.open_rows("urssaf__compte", "date_creation, date_disparition") == [(date(1900, 1, 1), None)]


def test_a_date_out_of_range_is_rejected(base: Base, debits: str) -> None:
    """By the URSSAF rule 9990921 is in the year 2899."""
    row = only_reject(base, base.deliver(debits.replace("1190921", "9990921")))
    assert row[:5] == (2, "rejet", "Dt_trt_ecn", "date_hors_bornes", "9990921")
    assert "date entre le 01/01/1980 et le 31/12/2100 attendue" in row[5]


@pytest.mark.parametrize("periode", ["201750", "201761", "201719", "201704", "20171", "abcdef"])
def test_a_period_that_does_not_exist_is_rejected(base: Base, debits: str, periode: str) -> None:
    """Upstream read 201750 as Q1 2018, 201761 as April 2018, 201719 as September 2017 and 201704 as January 2017."""
    row = only_reject(base, base.deliver(debits.replace("201931;101;1", f"{periode};101;1")))
    assert row[:5] == (2, "rejet", "Periode", "periode", periode)


def test_a_headcount_that_is_not_a_whole_number_rejects_its_line(base: Base) -> None:
    """Upstream deleted what is not a digit: -5 became 5, 12.5 became 125, 1e3 became 13, N/A gave 0."""
    good = "100000000000000001;01234567400019;X;4321A;25;{};7\n"
    header = "compte;siret;rais_soc;ape_ins;dep;eff201911;eff201912\n"
    for cell in ("-5", "12.5", "12,5", "1e3", "N/A"):
        account = base.deliver(header + good.format(cell), "sigfaible_effectif_siret.csv", received=date(2026, 1, 15))
        assert (account.rejected, account.loaded) == (1, 0)
        assert base.quarantine(account)[0][2] == "eff201911"
        assert base.quarantine(account)[0][4] == cell
    assert base.deliver(header + good.format("012"), "sigfaible_effectif_siret.csv").rows_opened == 2


def test_a_headcount_line_without_any_value_is_counted(base: Base) -> None:
    text = "siren;eff201911;rais_soc\n012345674;;A\n023456783;3;B\n"
    account = base.deliver(text, "sigfaible_effectif_siren.csv")
    assert (account.loaded, account.out_of_scope, account.rejects_by_rule) == (1, 1, {"aucune_valeur": 1})


def test_an_impossible_month_in_a_header_refuses_the_file(base: Base) -> None:
    account = base.deliver("siren;eff201950;rais_soc\n012345674;1;A\n", "sigfaible_effectif_siren.csv")
    refused(base, account, "periode", "colonne eff201950")


def test_an_unknown_file_name_is_recorded_with_its_lines(base: Base) -> None:
    account = base.deliver("a;b\n1;2\n\n3;4\n", "mystere.csv")
    assert (account.source, account.lines) == (None, 2)
    rows = refused(base, account, "fichier_inconnu", "aucun contrat")
    assert [(row[0], row[6]) for row in rows] == [(2, "1;2"), (4, "3;4")]


@pytest.mark.parametrize("content", ["", "\n\n  \n", "\ufeff"])
def test_an_empty_file_is_refused(base: Base, content: str) -> None:
    """No file is not an empty file: an empty stock must not close everything."""
    account = base.deliver(content)
    refused(base, account, "fichier_vide", "fichier vide")
    assert account.lines == 0


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_line_endings_and_blank_lines_do_not_matter_but_line_numbers_do(base: Base, debits: str, ending: str) -> None:
    lines = debits.splitlines()
    text = ending.join([lines[0], "", lines[1], "   ", "", *lines[2:]]) + ending * 2
    account = base.deliver(text.encode())
    assert (account.lines, account.loaded) == (4, 4)
    assert base.open_rows("urssaf__debit", "_line") == [(3,), (6,), (7,), (8,)]


def test_headers_are_found_by_name_in_any_case_and_order_and_extra_columns_are_noted(base: Base, debits: str) -> None:
    table = [line.split(";")[::-1] for line in debits.splitlines()]
    text = (
        "\n".join(";".join([*row, "x"]) for row in table)
        .replace("Mt_PO", "MT_po")
        .replace("Num_Hist_Ecn", "num_hist_ecn")
    )
    account = base.deliver(text)
    assert account.loaded == 4
    assert "ignorées : Dt_immat, Dep, Urssaf_gestion, x" in account.layout


def test_an_unclosed_quote_loses_its_line_only(base: Base, debits: str) -> None:
    """The csv module would swallow the rest of the file into one cell."""
    lines = debits.splitlines()
    broken = lines[1].replace("217;25", '217;"25')
    account = base.deliver("\n".join([lines[0], broken, *lines[2:]]) + "\n")
    assert only_reject(base, account)[:4] == (2, "rejet", None, "guillemet_non_ferme")
    assert account.loaded == 3


def test_a_quoted_cell_may_hold_delimiters_quotes_and_line_feeds(base: Base) -> None:
    header = (
        "Urssaf_gestion;Dep;Numero_compte_externe;Numero_structure;Date_creation;Date_echeance;Duree_delai;"
        "Denomination_premiere_ligne;Montant_global_echeancier;Code_externe_stade;Code_externe_action\n"
    )
    row = '217;25;100000000000000001;{};01/02/2019;01/03/2019;28;"SOCIETE ""A"";\nB";10.5;"AP;PROB";SUR PO\n'
    account = base.deliver(header + row.format("s1") + row.format("s2"), "sigfaible_delais.csv")
    assert (account.lines, account.loaded) == (2, 2)
    assert base.open_rows("urssaf__delai", "numero_structure, stade, _line") == [
        ("s1", "AP;PROB", 2),
        ("s2", "AP;PROB", 4),
    ]


def test_a_nul_character_rejects_its_line_and_its_raw_text_is_kept(base: Base, debits: str) -> None:
    row = only_reject(base, base.deliver(debits.replace("217;25;", "217;2\0;", 1)))
    assert row[3] == "caractere_nul"
    assert row[6].startswith("217;2␀;")


def test_a_bad_coordinate_rejects_the_establishment(base: Base) -> None:
    """Upstream counted the line as rejected and loaded it at 0, 0."""
    text = (
        "siren,nic,dateCreationEtablissement,etablissementSiege,codePostalEtablissement,libelleCommuneEtablissement,codeCommuneEtablissement,"
        "etatAdministratifEtablissement,activitePrincipaleEtablissement,nomenclatureActivitePrincipaleEtablissement,longitude,latitude\n"
        "012345674,00019,2015-01-01,true,25000,BESANCON,25056,A,43.21A,NAFRev2,NOT_VALID,47\n"
        "023456783,00010,2015-01-01,true,25000,BESANCON,25056,A,43.21A,NAFRev2,6.0,147\n"
        "034567891,00014,pas une date,true,25000,BESANCON,25056,A,43.21A,NAFRev2,,\n"
    )
    account = base.deliver(text, "StockEtablissement_utf8.csv")
    assert (account.loaded, account.rejected) == (1, 2)
    assert [row[:4] for row in base.quarantine(account)] == [
        (2, "rejet", "longitude", "nombre"),
        (3, "rejet", "latitude", "maximum"),
        (4, "avertissement", "dateCreationEtablissement", "date"),
    ]
    assert base.open_rows("insee__etablissement", "siret, date_creation, longitude") == [("03456789100014", None, None)]


def test_a_file_that_changes_while_it_is_read_is_refused(base: Base, debits: str) -> None:
    """Seen in use: a deposit still being written gave half of a stock under the fingerprint of the other half."""

    def still_writing(*_: int) -> None:
        with (base.folder / "sigfaible_debits.csv").open("a") as deposit:
            deposit.write("217;25;")

    refused(base, base.deliver(debits, progress=still_writing), "fichier_modifie", "modifié pendant sa lecture")
    assert base.query(OPEN) == [(0,)]
