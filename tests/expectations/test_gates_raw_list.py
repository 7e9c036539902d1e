"""Gates 1 and 4 on hand-made tables in a real PostgreSQL: open on clean deliveries and lists, closed for each fault."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest

from expectations.contract import Column, Contract, Knowledge
from expectations.gates import GateResult, gate_list, gate_raw
from expectations.list_suite import list_suites
from expectations.raw_suite import SAMPLE_PAGES, raw_suites

CONTRACT = Contract(
    name="essai__debit",
    producer="essai",
    label="Débits d'essai",
    description="Une ligne par compte et par écart négatif.",
    owner="team:essai",
    cadence="mensuelle",
    deadline_day=20,
    max_age_days=40,
    max_reject_share=0.05,
    mode="snapshot",
    knowledge=Knowledge(column="date_traitement", lag_days=11),
    file_names=("essai_debit.*",),
    delimiters=(";",),
    key=("compte",),
    columns=(
        Column(name="compte", type="text", description="Compte", required=True, nullable=False),
        Column(name="siren", type="siren", description="Siren"),
        Column(name="part_eur", type="decimal", scale=2, description="Montant", min=0, max=100_000_000),
        Column(name="etat", type="text", description="État", allowed=("A", "B")),
        Column(name="libelle", type="text", description="Libellé"),
        Column(name="nom", type="text", description="Nom", personal_data=True, allowed=("X", "Y")),
        Column(name="date_traitement", type="date", description="Date", min=date(2000, 1, 1), max=date(2100, 1, 1)),
    ),
)
INCREMENT = CONTRACT.model_copy(update={"mode": "append"})

# Three deliveries of a stock: 200 lines, then 4 new ones, then 4 more. The third is the one under test.
RAW = """
create schema raw;
create schema ingest;
create table ingest.delivery (
    delivery_id bigint primary key, source text, file_name text, received_on date, lines bigint, loaded bigint,
    unchanged bigint, rejected bigint, out_of_scope bigint, rows_opened bigint, rows_closed bigint, status text,
    layout text default 'lues : toutes', replay_of bigint, is_partial boolean not null default false
);
create table ingest.rejected_row (delivery_id bigint, line bigint, kind text, rule text, replayed_by bigint);
create table raw.essai__debit (
    compte text, siren text, part_eur numeric(18, 2), etat text, libelle text, nom text, date_traitement date,
    _delivery_id bigint not null, _line bigint not null, _known_from date not null,
    _known_to date not null default 'infinity'
);
insert into ingest.delivery values
(1, 'essai__debit', 'essai_debit_1.csv', '2025-01-20', 200, 200, 0, 0, 0, 200, 0, 'loaded'),
(2, 'essai__debit', 'essai_debit_2.csv', '2025-02-20', 210, 40, 166, 4, 0, 40, 36, 'loaded'),
(3, 'essai__debit', 'essai_debit_3.csv', '2025-03-20', 214, 40, 170, 4, 0, 40, 36, 'loaded');
insert into raw.essai__debit
select 'C' || g, lpad(cast(g as text), 9, '0'), 100 + (g * 37) % 900, 'A', 'débit n° ' || g, 'X', date '2025-01-01',
    1, g + 1, date '2025-01-12', case when g <= 72 then date '2025-02-20' + 28 * (g / 37) else 'infinity' end
from generate_series(1, 200) as g;
insert into raw.essai__debit
select 'C' || (200 + g), lpad(cast(g as text), 9, '0'), 100 + (g * 41) % 900, 'B', 'débit', 'Y', date '2025-02-10',
    2 + g / 41, g + 1, date '2025-02-20' + 28 * (g / 41), 'infinity'
from generate_series(1, 80) as g;
insert into ingest.rejected_row select d, 200 + g, 'rejet', 'date' from generate_series(2, 3) as d, generate_series(1, 4) as g;
"""

LIST = """
create schema publication;
create schema marts;
create schema ml;
create table ml.run_month as select cast(m as date) as month, 'modele-a' as model_id
from generate_series(date '2025-01-01', date '2025-05-01', interval '1 month') as m;
create table marts.mart_company_month as
select lpad(cast(g as text), 9, '0') as siren, cast(m as date) as month, g <= 990 as a_risque, g > 990 as en_procedure
from generate_series(1, 1000) as g
cross join generate_series(date '2025-01-01', date '2025-05-01', interval '1 month') as m;

create table publication.candidate_detection as
select
    c.month, c.siren, x.departement, '27' as region, x.p18 * 0.7 as p12, x.p18, x.p18 * 1.3 as p24,
    case when x.g <= 30 then 'Alerte seuil F1' else 'Alerte seuil F2' end as alerte,
    case when x.g % 5 > 0 then 'Alerte seuil F2' end as alerte_precedente,
    x.g % 5 = 0 as est_premiere_alerte, false as est_aggravation, false as est_retour,
    x.g % 5 = 0 as est_nouvelle_detection,
    case when x.g % 5 = 0 then 'premiere_alerte' else 'deja_en_alerte' end as motif_nouveaute,
    cast(case when x.g % 5 = 0 then c.month else c.month - interval '1 month' end as date) as premiere_alerte_le,
    1 as nb_alertes_4_listes
from marts.mart_company_month as c
cross join lateral (
    select cast(c.siren as integer) as g, 0.4 - cast(c.siren as integer) * 0.001 as p18,
        case when cast(c.siren as integer) % 2 = 0 then '21' else '90' end as departement
) as x
where x.g <= 150;

create table publication.detection as
select 1 as publication_id, * from publication.candidate_detection where month < '2025-05-01';
insert into publication.detection
select 2, d.month, d.siren, d.departement, d.region, d.p12, d.p18, d.p24, d.alerte, d.alerte_precedente,
    d.est_premiere_alerte, d.est_aggravation, d.est_retour, d.est_nouvelle_detection, d.motif_nouveaute,
    d.premiere_alerte_le, d.nb_alertes_4_listes
from publication.detection as d where d.month = '2025-04-01';
create table publication.month (publication_id bigint, month date, status text, model_id text);
insert into publication.month
select distinct publication_id, month,
    case when publication_id = 1 and month = '2025-04-01' then 'replaced' else 'published' end, 'modele-a'
from publication.detection;
delete from publication.candidate_detection where month < '2025-05-01';
alter table publication.candidate_detection
add rang_region bigint, add rang_departement bigint, add retenue_region boolean, add retenue_departement boolean;
update publication.candidate_detection as d
set rang_region = r.rang_region, rang_departement = r.rang_departement,
    retenue_region = r.rang_region <= 10, retenue_departement = r.rang_departement <= 4
from (
    select siren, row_number() over (partition by region order by p18 desc, siren) as rang_region,
        row_number() over (partition by departement order by p18 desc, siren) as rang_departement
    from publication.candidate_detection where est_nouvelle_detection
) as r where r.siren = d.siren;

create table publication.candidate_score as
select c.month, c.siren, coalesce(d.p18, 0.01) as p18, d.alerte
from marts.mart_company_month as c
left join publication.candidate_detection as d on d.month = c.month and d.siren = c.siren
where c.month = '2025-05-01' and c.a_risque;
create table publication.candidate_raison as
select month, siren, departement, 1 as rang, 'La dette sociale augmente.' as phrase
from publication.candidate_detection where est_nouvelle_detection;
create table publication.candidate_territoire as
select month, 'region' as type, region as territoire, count(*) filter (where alerte = 'Alerte seuil F1') as nb_f1,
    count(*) filter (where alerte = 'Alerte seuil F2') as nb_f2,
    count(*) filter (where est_nouvelle_detection) as nb_nouvelles, 10 as capacite
from publication.candidate_detection group by month, region
union all
select month, 'departement', departement, count(*) filter (where alerte = 'Alerte seuil F1'),
    count(*) filter (where alerte = 'Alerte seuil F2'), count(*) filter (where est_nouvelle_detection), 4
from publication.candidate_detection group by month, departement;
"""
MAY = date(2025, 5, 1)


@pytest.fixture
def raw_url(database_url: str) -> str:
    """Database with three clean deliveries."""
    with psycopg.connect(database_url) as connection:
        connection.execute(RAW)
    return database_url


@pytest.fixture
def list_url(database_url: str) -> str:
    """Database with four published lists, one of them published twice, and a clean candidate for May 2025."""
    with psycopg.connect(database_url) as connection:
        connection.execute(LIST)
    return database_url


def mutate(url: str, statement: str) -> None:
    """Seed a fault; a statement that touches no row would make a test that cannot fail."""
    with psycopg.connect(url) as connection:
        for part in filter(str.strip, statement.split(";")):
            assert connection.execute(part).rowcount != 0, f"no row touched by {part}"


def assert_closed(result: GateResult, *fragments: str) -> None:
    """The gate is closed, and the critical failure that was expected is among those told, in French."""
    told = "\n".join(failure.message for failure in result.failures if failure.severity == "critical")
    assert not result.passed
    assert "contrôle impossible" not in told, told
    for fragment in fragments:
        assert fragment in told, told


@pytest.mark.parametrize("deliveries", [[1], [2], [3], [1, 2, 3]])
def test_clean_deliveries_pass(raw_url: str, deliveries: list[int]) -> None:
    """The first delivery, each later one, and all at once (the way of a first import)."""
    result = gate_raw(raw_url, CONTRACT, deliveries)
    assert result.passed, result.summary_fr()
    assert result.failures == ()


RAW_FAULTS = {
    "a key column empty": (
        "update raw.essai__debit set compte = null where _delivery_id = 3 and _line = 42",
        ("compte",),
    ),
    "a mandatory amount below zero": (
        "update raw.essai__debit set part_eur = -1 where _delivery_id = 3 and _line = 42",
        ("part_eur doit rester dans ses bornes", "[delivery_id 3, line 42"),
    ),
    "a date before the age of the source": (
        "update raw.essai__debit set date_traitement = '1899-12-31' where _delivery_id = 3 and _line = 42",
        ("date_traitement doit rester dans ses bornes",),
    ),
    "a value which is not allowed": (
        "update raw.essai__debit set etat = 'Z' where _delivery_id = 3 and _line = 42",
        ("etat doit être l'une des valeurs admises", "etat Z"),
    ),
    "siren read as numbers": (
        "update raw.essai__debit set siren = ltrim(siren, '0') where _delivery_id = 3",
        ("siren doit avoir la forme attendue",),
    ),
    "text of another encoding": (
        "update raw.essai__debit set libelle = 'dÃ©bit' where _delivery_id = 3",
        ("mauvais encodage",),
    ),
    "two open versions of a key": (
        "update raw.essai__debit set _known_to = 'infinity' where compte = 'C1'; "
        "update raw.essai__debit set compte = 'C1' where _delivery_id = 3 and _line = 42",
        ("une seule version ouverte",),
    ),
    "rows doubled": (
        "insert into raw.essai__debit select * from raw.essai__debit where _delivery_id = 3",
        ("une seule version ouverte", "versions ouvertes selon le registre"),
    ),
    "rows lost": (
        "delete from raw.essai__debit where _delivery_id = 3 and _line = 42",
        ("versions ouvertes selon le registre", "Observé : 39 (livraison 3) ; attendu : 40"),
    ),
    "a version closed before it was open": (
        "update raw.essai__debit set _known_to = '2024-01-01' where _delivery_id = 3 and _line = 42",
        ("_known_to doit être supérieur ou égal à _known_from",),
    ),
    "known after it was received": (
        "update raw.essai__debit set _known_from = '2025-03-21' where _delivery_id = 3 and _line = 42",
        ("connue après la réception",),
    ),
    "too many rejects": (
        "update ingest.delivery set rejected = 30, unchanged = 144 where delivery_id = 3",
        ("part de lignes rejetées", "0,1402", "au plus 0,05"),
    ),
    "accounts that do not add up": (
        "update ingest.delivery set unchanged = 100 where delivery_id = 3",
        ("toutes être comptées",),
    ),
    "a reject without its quarantine": (
        "delete from ingest.rejected_row where delivery_id = 3 and line = 201",
        ("en quarantaine",),
    ),
    "a refused delivery": (
        "update ingest.delivery set status = 'refused' where delivery_id = 3",
        ("figurer au registre",),
    ),
    "the delivery of another source": (
        "update ingest.delivery set source = 'autre' where delivery_id = 3",
        ("figurer au registre",),
    ),
    "half of the file": (
        "update ingest.delivery set lines = 107, unchanged = 63 where delivery_id = 3",
        ("livraison précédente", "Observé : 107"),
    ),
    "a doubled file": (
        "update ingest.delivery set lines = 420, unchanged = 376 where delivery_id = 3",
        ("livraison précédente", "Observé : 420"),
    ),
    "most of the known closed at once": (
        "update ingest.delivery set rows_closed = 180 where delivery_id = 3",
        ("remplacer la majeure partie du connu",),
    ),
    "euros read as cents": (
        "update raw.essai__debit set part_eur = part_eur * 100 where _delivery_id = 3",
        ("échelle des livraisons précédentes", "part_eur"),
    ),
    "cents read as euros": (
        "update raw.essai__debit set part_eur = part_eur / 100 where _delivery_id = 3",
        ("échelle des livraisons précédentes",),
    ),
}


@pytest.mark.parametrize("fault", RAW_FAULTS)
def test_a_faulty_delivery_is_stopped(raw_url: str, fault: str) -> None:
    """Faults of files that administrations really sent, and faults of our own loader."""
    statement, fragments = RAW_FAULTS[fault]
    mutate(raw_url, statement)
    assert_closed(gate_raw(raw_url, CONTRACT, [3]), *fragments)


def test_a_new_layout_may_correct_every_row_and_is_told(raw_url: str) -> None:
    """URSSAF added the SIRET to its files in December 2025: every row was rightly corrected by one delivery."""
    mutate(raw_url, "update ingest.delivery set rows_closed = 180, layout = 'lues : avec siret' where delivery_id = 3")
    result = gate_raw(raw_url, CONTRACT, [3])
    assert result.passed
    assert [failure.column for failure in result.failures] == ["bouleversement_format"]


def test_one_bad_line_in_a_small_file_is_not_a_bad_file(raw_url: str) -> None:
    """A monthly increment of three lines with one reject has a share of 33 %: it was refused, for nothing."""
    mutate(
        raw_url,
        """insert into ingest.delivery values (4, 'essai__debit', 'essai_debit_4.csv', '2025-04-20', 3, 0, 2, 1, 0, 0, 0,
        'loaded'); insert into ingest.rejected_row values (4, 2, 'rejet', 'date')""",
    )
    assert gate_raw(raw_url, INCREMENT, [4]).passed
    mutate(raw_url, "update ingest.delivery set unchanged = 1, rejected = 2 where delivery_id = 4")
    mutate(raw_url, "insert into ingest.rejected_row values (4, 3, 'rejet', 'date')")
    assert_closed(gate_raw(raw_url, INCREMENT, [4]), "part de lignes rejetées")


def test_a_first_delivery_that_opens_nothing_is_stopped(raw_url: str) -> None:
    """An empty first file would give a source which looks delivered and holds nothing."""
    mutate(
        raw_url,
        """delete from raw.essai__debit; delete from ingest.rejected_row;
        delete from ingest.delivery where delivery_id > 1;
        update ingest.delivery set lines = 0, loaded = 0, rows_opened = 0""",
    )
    assert_closed(gate_raw(raw_url, CONTRACT, [1]), "première livraison")


def test_a_faulty_row_of_another_delivery_does_not_stop_this_one(raw_url: str) -> None:
    """A gate judges the deliveries it was given: an old fault must not block every month to come."""
    mutate(raw_url, "update raw.essai__debit set etat = 'Z' where _delivery_id = 1 and _line = 150")
    assert gate_raw(raw_url, CONTRACT, [3]).passed
    assert not gate_raw(raw_url, CONTRACT, [1]).passed


def test_values_of_personal_data_are_never_shown(raw_url: str) -> None:
    """The text of a refusal goes to the UI, to logs and to e-mails: names of people have no place there."""
    mutate(raw_url, "update raw.essai__debit set nom = 'PATRONYME' where _delivery_id = 3 and _line = 42")
    result = gate_raw(raw_url, CONTRACT, [3])
    assert_closed(result, "nom doit être l'une des valeurs admises", "1 ligne en défaut sur 40", "donnée personnelle")
    assert "PATRONYME" not in repr(result)


def test_an_odd_increment_is_a_warning_that_does_not_close_the_gate(raw_url: str) -> None:
    """Increments follow the calendar of the producer: an odd one is told, not blocked."""
    mutate(
        raw_url,
        """insert into ingest.delivery values (4, 'essai__debit', 'essai_debit_4.csv', '2025-04-20', 3000, 0, 3000, 0, 0,
        0, 0, 'loaded')""",
    )
    result = gate_raw(raw_url, INCREMENT, [4])
    assert result.passed
    assert [failure.severity for failure in result.failures] == ["warning"]
    assert "Avertissement" in result.summary_fr()


def test_no_delivery_at_all_is_not_a_pass(raw_url: str) -> None:
    """An empty list of deliveries would be vacuously clean: it is a fault of the caller, and closes the gate."""
    result = gate_raw(raw_url, CONTRACT, [])
    assert not result.passed
    assert "aucune livraison à contrôler" in result.summary_fr()


def test_a_clean_list_passes(list_url: str) -> None:
    """With the counts of a month published twice taken once."""
    result = gate_list(list_url, MAY, MAY)
    assert result.passed, result.summary_fr()
    assert result.failures == ()


def test_the_first_list_of_an_instance_passes_without_a_past(list_url: str) -> None:
    """No list published yet: nothing to compare the volume with."""
    mutate(list_url, "delete from publication.detection; delete from publication.month")
    assert gate_list(list_url, MAY, MAY).passed


LIST_FAULTS = {
    "a typing mistake in an alert": (
        "update publication.candidate_detection set alerte = 'Alerte seuil f1' where siren = '000000007'",
        ("alerte doit être l'une des valeurs admises", "Alerte seuil f1"),
    ),
    "a company twice": (
        "insert into publication.candidate_detection select * from publication.candidate_detection where siren = '000000007'",
        ("ne figure qu'une fois",),
    ),
    "no followed company at all": ("delete from publication.candidate_score", ("entreprises suivies",)),
    "an alert without its score": (
        "delete from publication.candidate_score where siren = '000000007'",
        ("figurer à l'identique",),
    ),
    "an alert of another score": (
        "update publication.candidate_score set p18 = 0.011 where siren = '000000007'",
        ("figurer à l'identique",),
    ),
    "a scored alert lost on the way": (
        "delete from publication.candidate_detection where siren = '000000007'",
        ("doit figurer dans la liste",),
    ),
    "half of the alerts lost": (
        """delete from publication.candidate_detection where cast(siren as integer) % 5 > 0
        and cast(siren as integer) % 3 > 0""",
        ("médiane des 12 dernières listes",),
    ),
    "alerts three times as many": (
        """insert into publication.candidate_detection select month,
        lpad(cast(cast(siren as integer) + 200 * g as text), 9, '0'), departement, region, p12, p18, p24, alerte,
        alerte_precedente, est_premiere_alerte, est_aggravation, est_retour, false, 'deja_en_alerte',
        premiere_alerte_le, nb_alertes_4_listes, null, null, false, false
        from publication.candidate_detection cross join generate_series(1, 2) as g""",
        ("médiane des 12 dernières listes", "Observé : 450"),
    ),
    "everyone new": (
        """update publication.candidate_detection set est_nouvelle_detection = true, est_premiere_alerte = true,
        motif_nouveaute = 'premiere_alerte'""",
        ("nouvelles détections doit rester proche",),
    ),
    "nobody new": (
        """update publication.candidate_detection set est_nouvelle_detection = false, retenue_region = false,
        retenue_departement = false, motif_nouveaute = 'deja_en_alerte'""",
        ("nouvelles détections doit rester proche",),
    ),
    "the capacity exceeded": (
        "update publication.candidate_detection set retenue_region = true where est_nouvelle_detection",
        ("capacité du territoire", "region 27", "entre 0 et 10"),
    ),
    "the capacity of a département unknown": (
        "delete from publication.candidate_territoire where territoire = '90'",
        ("capacité du territoire", "departement 90"),
    ),
    "an old alert retained as new": (
        "update publication.candidate_detection set retenue_region = true where siren = '000000007'",
        ("retenue est une nouvelle détection",),
    ),
    "new because the model changed": (
        "update publication.candidate_detection set motif_nouveaute = 'changement_modele' where est_nouvelle_detection",
        ("première alerte ou une aggravation",),
    ),
    "new because of a late file": (
        "update publication.candidate_detection set motif_nouveaute = 'livraison_tardive' where est_nouvelle_detection",
        ("motif_nouveaute doit être l'une des valeurs admises",),
    ),
    "a first alert whose flag says no": (
        "update publication.candidate_detection set est_premiere_alerte = false where est_nouvelle_detection",
        ("doivent concorder",),
    ),
    "a company in procedure": (
        "update marts.mart_company_month set a_risque = false, en_procedure = true where siren = '000000007'",
        ("aucune entreprise en procédure",),
    ),
    "a company unknown of the mart": (
        "delete from marts.mart_company_month where siren = '000000007'",
        ("inconnue du mart",),
    ),
    "a new detection without reason": (
        "delete from publication.candidate_raison where siren = '000000010'",
        ("au moins une raison",),
    ),
    "a reason without words": (
        "update publication.candidate_raison set phrase = ' ' where siren = '000000010'",
        ("se lit en français",),
    ),
    "the two alerts exchanged": (
        """update publication.candidate_detection set alerte = case alerte when 'Alerte seuil F1'
        then 'Alerte seuil F2' else 'Alerte seuil F1' end""",
        ("alerte F1 dépasse",),
    ),
    "p18 below p12": (
        "update publication.candidate_detection set p12 = 0.9 where siren = '000000007'",
        ("p18 doit être supérieur ou égal à p12",),
    ),
    "two companies of the same rank": (
        "update publication.candidate_detection set rang_region = 1 where rang_region = 2",
        ("les rangs d'un territoire", "rangs distincts"),
    ),
    "a département lost by a row": (
        "update publication.candidate_detection set departement = null where siren = '000000007'",
        ("departement doit être renseigné",),
    ),
    "territories counted otherwise": (
        "update publication.candidate_territoire set nb_f1 = nb_f1 + 1 where territoire = '27'",
        ("comptes par territoire", "region 27"),
    ),
    "a first alert in the future": (
        "update publication.candidate_detection set premiere_alerte_le = '2025-06-01' where siren = '000000007'",
        ("month doit être supérieur ou égal à premiere_alerte_le",),
    ),
}


@pytest.mark.parametrize("fault", LIST_FAULTS)
def test_a_faulty_list_is_stopped(list_url: str, fault: str) -> None:
    """Promises 4 and 8: nothing bad is seen, and new means that the company changed."""
    statement, fragments = LIST_FAULTS[fault]
    mutate(list_url, statement)
    assert_closed(gate_list(list_url, MAY, MAY), *fragments)


def test_a_month_asked_for_and_not_built_is_stopped(list_url: str) -> None:
    """A range of months of which one was not built must not be published with a hole."""
    assert_closed(gate_list(list_url, date(2025, 4, 1), MAY), "chaque mois demandé", "2025-04")


# A model of the month that is not that of the month before, with twice and a half as many alerts: 75 published until April.
OTHER_MODEL = """
update ml.run_month set model_id = 'modele-b' where month = '2025-05-01';
delete from publication.detection where cast(siren as integer) % 5 not in (0, 1)
"""


def test_a_month_with_few_news_is_told_and_does_not_close_the_gate(list_url: str) -> None:
    """A history of three years was refused whole because one December had three new detections instead of four."""
    keep = "siren in (select min(siren) from publication.candidate_detection where est_nouvelle_detection)"
    quiet = f"""
    update publication.candidate_detection set est_nouvelle_detection = false, retenue_region = false, retenue_departement = false,
        motif_nouveaute = 'deja_en_alerte', rang_region = null, rang_departement = null
    where est_nouvelle_detection and not ({keep});
    update publication.candidate_territoire as t set nb_nouvelles = (
        select count(*) from publication.candidate_detection as d where d.est_nouvelle_detection
        and (t.type = 'region' or d.departement = t.territoire))
    """
    mutate(list_url, quiet)
    result = gate_list(list_url, MAY, MAY)
    assert ("nouvelles_modele", "warning") in [(failure.column, failure.severity) for failure in result.failures]
    assert not [
        failure for failure in result.failures if failure.severity == "critical" and failure.column == "nouvelles"
    ]


def test_a_volume_moved_by_a_new_model_is_told_and_does_not_close_the_gate(list_url: str) -> None:
    """The yearly model doubled the alerts for a good reason, and its first list was refused."""
    mutate(list_url, OTHER_MODEL)
    result = gate_list(list_url, MAY, MAY)
    assert result.passed, result.summary_fr()
    assert [(failure.column, failure.severity) for failure in result.failures] == [("alertes_modele", "warning")]
    assert "le modèle a changé ce mois-ci" in result.summary_fr()
    assert "Observé : 150 (2025-05)" in result.summary_fr()


def test_the_same_volume_with_the_same_model_is_refused(list_url: str) -> None:
    """Only the change of model is an excuse, and a model which is not known is not another one."""
    mutate(list_url, OTHER_MODEL)
    mutate(list_url, "update ml.run_month set model_id = 'modele-a'")
    assert_closed(gate_list(list_url, MAY, MAY), "médiane des 12 dernières listes", "Observé : 150")
    mutate(list_url, "delete from ml.run_month")
    assert_closed(gate_list(list_url, MAY, MAY), "médiane des 12 dernières listes", "Observé : 150")


def test_the_second_list_of_a_model_is_compared_with_its_first(list_url: str) -> None:
    """The lists of the model before would refuse each month of the new one for half a year."""
    mutate(list_url, OTHER_MODEL)
    mutate(
        list_url,
        """update ml.run_month set model_id = 'modele-b' where month >= '2025-04-01';
        update publication.month set model_id = 'modele-b' where month >= '2025-04-01';
        insert into publication.detection select 2, date '2025-04-01', lpad(cast(g as text), 9, '0'), '21', '27', 0.1, 0.2,
        0.3, 'Alerte seuil F2', 'Alerte seuil F2', false, false, false, false, 'deja_en_alerte', date '2025-01-01', 1
        from generate_series(500, 580) as g""",
    )
    result = gate_list(list_url, MAY, MAY)
    assert result.passed, result.summary_fr()
    assert result.failures == ()
    mutate(
        list_url,
        """insert into publication.detection select 2, date '2025-04-01', lpad(cast(g as text), 9, '0'), '21', '27', 0.1,
        0.2, 0.3, 'Alerte seuil F2', 'Alerte seuil F2', false, false, false, false, 'deja_en_alerte', date '2025-01-01', 1
        from generate_series(600, 800) as g""",
    )
    assert_closed(gate_list(list_url, MAY, MAY), "médiane des 12 dernières listes", "Observé : 150")


@pytest.mark.parametrize("past", ["same model", "other model", "no past"])
def test_a_list_of_more_than_a_quarter_of_the_companies_is_refused_always(list_url: str, past: str) -> None:
    """A new model or a first month excuse a volume; they do not excuse a list that nobody can follow."""
    if past == "other model":
        mutate(list_url, OTHER_MODEL)
    if past == "no past":
        mutate(list_url, "delete from publication.detection; delete from publication.month")
    mutate(list_url, LIST_FAULTS["alerts three times as many"][0])
    assert_closed(
        gate_list(list_url, MAY, MAY),
        "une part des entreprises suivies",
        "450 (2025-05, sur 990 suivies)",
        "au plus 247",
    )


@pytest.mark.parametrize("past", ["other model", "no past"])
def test_more_new_detections_than_one_company_in_twenty_are_refused_always(list_url: str, past: str) -> None:
    """Everyone new on the day of a new model is what promise 8 forbids."""
    if past == "other model":
        mutate(list_url, OTHER_MODEL)
    else:
        mutate(list_url, "delete from publication.detection; delete from publication.month")
    mutate(list_url, LIST_FAULTS["everyone new"][0])
    assert_closed(gate_list(list_url, MAY, MAY), "doivent rester rares", "150 (2025-05, sur 990 suivies)", "au plus 49")


def test_a_key_open_twice_is_found_with_or_without_an_index_that_does_not_forbid_it(raw_url: str) -> None:
    """The unique index of the loader makes the count needless; another index does not."""
    with psycopg.connect(raw_url) as connection:
        connection.execute("create unique index on raw.essai__debit (compte) where _known_to = 'infinity'")
    assert gate_raw(raw_url, CONTRACT, [3]).passed
    with psycopg.connect(raw_url) as connection:
        connection.execute("drop index raw.essai__debit_compte_idx")
        connection.execute("create unique index on raw.essai__debit (compte) where _known_to < '2000-01-01'")
        connection.execute("create unique index on raw.essai__debit (compte, _line) where _known_to = 'infinity'")
    mutate(raw_url, "update raw.essai__debit set compte = 'C200' where _delivery_id = 3 and _line = 42")
    assert_closed(gate_raw(raw_url, CONTRACT, [3]), "une seule version ouverte par clé")


def test_the_scale_is_seen_next_to_a_long_past_of_which_a_sample_is_read(raw_url: str) -> None:
    """A delivery of forty rows must not cost a reading of all that came before, nor lose the check."""
    mutate(
        raw_url,
        """insert into raw.essai__debit select 'D' || g, '000000001', 100 + g % 900, 'A', repeat('x', 200), 'X',
        date '2025-01-01', 1, g + 1, date '2025-01-12', date '2025-02-20' from generate_series(201, 30000) as g;
        update ingest.delivery set lines = 29999, loaded = 29999, rows_opened = 29999 where delivery_id = 1;
        update ingest.delivery set lines = 29999, unchanged = 29955 where delivery_id > 1""",
    )
    with psycopg.connect(raw_url) as connection:
        pages = connection.execute("select pg_relation_size('raw.essai__debit') / 8192").fetchone()
    assert pages
    assert pages[0] > 2 * SAMPLE_PAGES
    assert gate_raw(raw_url, CONTRACT, [3]).passed
    mutate(raw_url, "update raw.essai__debit set part_eur = part_eur * 100 where _delivery_id = 3")
    assert_closed(gate_raw(raw_url, CONTRACT, [3]), "échelle des livraisons précédentes", "part_eur")


def test_values_of_a_contract_are_compared_as_they_are_written(raw_url: str) -> None:
    """A colon, a percent, a brace, a quote or a backslash mean something to one of the layers on the way to the server."""
    odd = ("A", "B", "10:30 :nom", "50 % %s", "{batch} {0}", "l'été", "a\\b \\:c", "$HOME ${X}", "🙂")
    columns = tuple(c.model_copy(update={"allowed": odd}) if c.name == "etat" else c for c in CONTRACT.columns)
    contract = CONTRACT.model_copy(update={"columns": columns})
    with psycopg.connect(raw_url) as connection:
        for line, value in enumerate(odd, start=42):
            connection.execute(
                "update raw.essai__debit set etat = %s where _line = %s and _delivery_id = 3", [value, line]
            )
    assert gate_raw(raw_url, contract, [3]).passed
    mutate(raw_url, "update raw.essai__debit set etat = '50 %' where _delivery_id = 3 and _line = 45")
    assert_closed(gate_raw(raw_url, contract, [3]), "etat 50 %]")


def test_a_fault_of_many_rows_is_counted_and_shown_by_a_few(raw_url: str) -> None:
    """Forty bad rows: forty told, five shown."""
    mutate(raw_url, "update raw.essai__debit set etat = 'Z' where _delivery_id = 3")
    (failure,) = gate_raw(raw_url, CONTRACT, [3]).failures
    assert failure.observed.startswith("40 lignes en défaut sur 40, par exemple [delivery_id 3, line 42, etat Z], ")
    assert failure.observed.count("etat Z") == 5
    assert failure.expected == "parmi A, B"


def test_every_measure_has_its_check_and_every_rule_its_measure(raw_url: str, list_url: str) -> None:
    """A measure under a name that no check reads would never be looked at."""
    for url, suites in ((raw_url, raw_suites(CONTRACT, [2, 3])), (list_url, list_suites(date(2025, 4, 1), MAY))):
        for suite in suites:
            with psycopg.connect(url) as connection:
                rows = connection.execute(f"select distinct controle from ({suite.query}) as lot")
                measures = {name for (name,) in rows}
            assert measures <= {check.name for check in suite.checks}
            assert {check.name for check in suite.checks if check.faulty} <= measures
