"""Gate 2 on hand-made tables in a real PostgreSQL: open on clean months, closed for each seeded fault."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import psycopg
import pytest
from gate_faults import assert_closed, mutate
from gate_months import APRIL, MAY

from expectations.checks import Suite, not_null
from expectations.gates import _validate, gate_mart


def test_clean_months_pass_the_mart_gate(mart_url: str) -> None:
    """A gate that refuses clean months would be switched off."""
    result = gate_mart(mart_url, date(2025, 2, 1), MAY)
    assert result.passed, result.summary_fr()
    assert result.failures == ()
    assert result.n_expectations > 25


def test_the_first_month_of_an_instance_passes_without_a_past(mart_url: str) -> None:
    """Comparison with a month that does not exist must neither refuse nor crash."""
    mutate(mart_url, "delete from marts.mart_company_month where month <> date '2025-05-01'")
    result = gate_mart(mart_url, MAY, MAY)
    assert result.passed, result.summary_fr()


MART_FAULTS = {
    "euros read as cents": (
        """update marts.mart_company_month set dette_eur = dette_eur * 100,
        dette_part_ouvriere_eur = dette_part_ouvriere_eur * 100,
        dette_part_patronale_eur = dette_part_patronale_eur * 100 where month = '2025-05-01'""",
        ("dette_eur 2025-05", "échelle"),
    ),
    "contributions of all months in cents": (
        "update marts.mart_company_month set cotisation_moyenne_12m_eur = cotisation_moyenne_12m_eur * 100",
        ("cotisation mensuelle par salarié",),
    ),
    "debt of all months in cents against contributions in euros": (
        "update marts.mart_company_month set dette_sur_cotisation = dette_sur_cotisation * 1000",
        ("dette en mois de cotisation",),
    ),
    "half of the companies": (
        "delete from marts.mart_company_month where month = '2025-05-01' and cast(siren as integer) % 2 = 0",
        ("le nombre d'entreprises doit", "Observé : 300"),
    ),
    "a month without any company": (
        "delete from marts.mart_company_month where month = '2025-05-01'",
        ("chaque mois demandé", "2025-05"),
    ),
    "companies doubled": (
        """insert into marts.mart_company_month select * from marts.mart_company_month
        where month = '2025-05-01'""",
        ("une seule ligne par siren et par mois",),
    ),
    "one company twice": (
        """insert into marts.mart_company_month select * from marts.mart_company_month
        where month = '2025-05-01' and siren = '000000007'""",
        ("2 lignes en défaut",),
    ),
    "a département missing": (
        "delete from marts.mart_company_month where month = '2025-05-01' and departement = '90'",
        ("département", "90 2025-05"),
    ),
    "a département renamed": (
        "update marts.mart_company_month set departement = '2B' where month = '2025-05-01' and departement = '21'",
        ("21 2025-05",),
    ),
    "départements lost": (
        "update marts.mart_company_month set departement = null where month = '2025-05-01'",
        ("departement doit être renseigné",),
    ),
    "a burst of nulls in the debts": (
        """update marts.mart_company_month set dette_sur_cotisation = null
        where month = '2025-05-01' and cast(siren as integer) % 4 = 0""",
        ("valeurs absentes", "dette_sur_cotisation 2025-05"),
    ),
    "a burst of nulls in the accounts": (
        "update marts.mart_company_month set marge_ebe = null where month = '2025-05-01'",
        ("marge_ebe 2025-05",),
    ),
    "debts all at zero": (
        """update marts.mart_company_month set dette_eur = 0, dette_part_ouvriere_eur = 0,
        dette_part_patronale_eur = 0, dette_sur_cotisation = 0 where month = '2025-05-01'""",
        ("concernées", "dette_eur 2025-05"),
    ),
    "everyone in debt": (
        """update marts.mart_company_month set dette_eur = 500, dette_part_ouvriere_eur = 150,
        dette_part_patronale_eur = 350 where month = '2025-05-01'""",
        ("concernées", "dette_eur 2025-05"),
    ),
    "a negative debt": (
        """update marts.mart_company_month set dette_eur = -1, dette_part_ouvriere_eur = -1,
        dette_part_patronale_eur = 0 where month = '2025-05-01' and siren = '000000010'""",
        ("dette_eur doit rester dans ses bornes",),
    ),
    "parts that do not add up": (
        "update marts.mart_company_month set dette_eur = dette_eur + 1 where month = '2025-05-01' and dette_eur > 0",
        ("part ouvrière + part patronale",),
    ),
    "headcounts ten times too high": (
        "update marts.mart_company_month set effectif = effectif * 10 where month = '2025-05-01'",
        ("effectif 2025-05",),
    ),
    "an impossible headcount": (
        "update marts.mart_company_month set effectif = -3 where month = '2025-05-01' and siren = '000000010'",
        ("effectif doit rester dans ses bornes", "siren 000000010"),
    ),
    "thirteen months of debt in twelve": (
        "update marts.mart_company_month set nb_mois_dette_12m = 13 where month = '2025-05-01' and siren = '000000010'",
        ("nb_mois_dette_12m",),
    ),
    "an unknown state of procedure": (
        """update marts.mart_company_month set procedure_statut = 'RJ' where month = '2025-05-01'
        and en_procedure""",
        ("procedure_statut", "par exemple"),
    ),
    "companies in procedure followed": (
        "update marts.mart_company_month set a_risque = true where month = '2025-05-01' and en_procedure",
        ("hors procédure collective",),
    ),
    "nobody followed": (
        "update marts.mart_company_month set a_risque = false where month = '2025-05-01'",
        ("entreprises à suivre",),
    ),
    "siren that lost its leading zeros": (
        "update marts.mart_company_month set siren = ltrim(siren, '0') where month = '2025-05-01'",
        ("siren doit avoir la forme attendue",),
    ),
    "another mix of sectors": (
        "update marts.mart_company_month set naf_section = 'G' where month = '2025-05-01' and naf_section = 'C'",
        ("section d'activité",),
    ),
    "a month that is not a first day": (
        """insert into marts.mart_company_month select siren, date '2025-04-15', departement, naf_section, naf,
        siret_siege, effectif, effectif_evolution_12m, cotisation_moyenne_12m_eur, dette_part_ouvriere_eur,
        dette_part_patronale_eur, dette_eur, dette_sur_cotisation, dette_par_salarie_eur, dette_variation_3m,
        nb_mois_dette_12m, nb_mois_dette_24m, delai_en_cours, ap_etp_consomme_12m, paydex_jours, marge_ebe,
        autonomie_financiere, bilans_manquants, age_mois, nb_etablissements, secteur_taux_defaillance_24m, est_actif,
        en_procedure, a_risque, procedure_statut from marts.mart_company_month where month = '2025-05-01'""",
        ("premier jour d'un mois",),
    ),
    "an evolution below minus one": (
        "update marts.mart_company_month set effectif_evolution_12m = -1.5 where month = '2025-05-01' and dette_eur > 0",
        ("effectif_evolution_12m",),
    ),
}


@pytest.mark.parametrize("fault", MART_FAULTS)
def test_a_faulty_mart_is_stopped(mart_url: str, fault: str) -> None:
    """Each fault was seen in files or marts of this kind; one that passes reaches readers as news about companies."""
    statement, fragments = MART_FAULTS[fault]
    mutate(mart_url, statement)
    assert_closed(gate_mart(mart_url, APRIL, MAY), *fragments)


LATE_DEBITS = """update marts.mart_company_month set dette_eur = null, dette_part_ouvriere_eur = null,
    dette_part_patronale_eur = null, dette_sur_cotisation = null, dette_par_salarie_eur = null, dette_variation_3m = null
    where month = '2025-02-01';
    update marts.mart_company_month set dette_variation_3m = null where month = '2025-05-01';
    update marts.mart_source_freshness set en_retard = true where month = '2025-02-01' and source = 'urssaf__debit'"""


def test_a_month_whose_debits_are_late_is_not_refused_for_it(mart_url: str) -> None:
    """Such a month has no debt, is scored without it and says so: refused, it left readers without a list."""
    mutate(mart_url, LATE_DEBITS)
    result = gate_mart(mart_url, date(2025, 2, 1), MAY)
    assert result.passed, result.summary_fr()
    mutate(mart_url, "update marts.mart_source_freshness set source = 'altares__paydex' where en_retard")
    assert_closed(gate_mart(mart_url, date(2025, 2, 1), MAY), "dette_eur 2025-02", "dette_variation_3m 2025-02")


def test_debits_that_come_back_are_compared_with_the_month_before_they_were_late(mart_url: str) -> None:
    """Compared with a month that has none, debts in cents would pass."""
    mutate(mart_url, LATE_DEBITS)
    mutate(
        mart_url,
        """update marts.mart_company_month set dette_eur = dette_eur * 100, dette_part_ouvriere_eur = dette_part_ouvriere_eur * 100,
        dette_part_patronale_eur = dette_part_patronale_eur * 100 where month >= '2025-03-01'""",
    )
    assert_closed(gate_mart(mart_url, date(2025, 3, 1), MAY), "dette_eur 2025-03", "échelle")


def test_a_missing_column_closes_the_gate(mart_url: str) -> None:
    """Great Expectations turns a missing column into a result of its own: it must not read as a success."""
    with psycopg.connect(mart_url) as connection:
        connection.execute("alter table marts.mart_company_month drop column nb_mois_dette_12m")
    result = gate_mart(mart_url, MAY, MAY)
    assert not result.passed
    assert "contrôle impossible" in result.summary_fr()
    assert "nb_mois_dette_12m" in result.summary_fr()


def test_a_missing_table_closes_the_gate(database_url: str) -> None:
    """No mart at all: the gate fails with the reason, it does not raise."""
    result = gate_mart(database_url, MAY, MAY)
    assert not result.passed
    assert "mart_company_month" in result.summary_fr()


def test_an_unreachable_server_closes_the_gate_without_showing_the_password() -> None:
    """The reason of a refusal is shown in the UI: it must not carry the password of the connection."""
    result = gate_mart("postgresql://personne:motdepasse$x@127.0.0.1:1/rien", MAY, MAY)
    assert not result.passed
    assert "contrôle impossible" in result.summary_fr()
    assert "motdepasse" not in result.summary_fr()


def test_a_gate_that_takes_too_long_is_closed(mart_url: str) -> None:
    """A lock held on the table must not hold the run for ever, nor open the gate."""
    with psycopg.connect(mart_url) as blocker:
        blocker.execute("lock table marts.mart_company_month in access exclusive mode")
        result = gate_mart(mart_url, MAY, MAY, timeout_seconds=0.3)
    assert not result.passed
    assert "durée maximale dépassée" in result.summary_fr()


def test_a_gate_leaves_nothing_behind(mart_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations keeps connections, hence temporary tables, until a garbage collection; and it can write files."""
    monkeypatch.chdir(tmp_path)
    gate_mart(mart_url, MAY, MAY)
    assert list(tmp_path.iterdir()) == []
    with psycopg.connect(mart_url, autocommit=True) as connection:
        for _ in range(500):  # the server ends a closed session a moment after its client left
            left = connection.execute(
                """select (select count(*) from pg_class where relname like 'gx\\_%')
                + (select count(*) from pg_stat_activity
                    where application_name = 'vigie_gate' and datname = current_database())"""
            ).fetchone()
            if left == (0,):
                break
    assert left == (0,)


def test_a_rule_that_was_not_measured_closes_the_gate(database_url: str) -> None:
    """A suite whose query forgets a rule would pass for ever: the rule is then said not to have been measured."""
    rule = not_null("siren")
    forgotten = """select 'autre' as controle, '' as ou, cast(0 as double precision) as observe,
    cast(null as double precision) as minimum, cast(0 as double precision) as maximum, cast(1 as bigint) as parmi"""
    suite = Suite("essai", forgotten, (rule,), rows="select 1 as siren", identifiers=("siren",))
    (failure,) = _validate(suite, database_url, 10.0)
    assert failure.severity == "critical"
    assert "siren doit être renseigné. Observé : aucune valeur (non mesuré)" in failure.message


def test_faults_of_many_measures_are_counted_and_told_by_a_few(mart_url: str) -> None:
    """Seven features lost at once: five told, the others counted, in a message that stays readable."""
    lost = ("marge_ebe", "autonomie_financiere", "naf", "siret_siege", "age_mois", "effectif", "dette_variation_3m")
    mutate(
        mart_url,
        f"update marts.mart_company_month set {', '.join(f'{name} = null' for name in lost)} where month = '2025-05-01'",
    )
    result = gate_mart(mart_url, MAY, MAY)
    (nulls,) = [failure for failure in result.failures if failure.column == "nuls"]
    assert nulls.observed.count("2025-05") == 5
    assert nulls.observed.endswith(" et 2 autres")
