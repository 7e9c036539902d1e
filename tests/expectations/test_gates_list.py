"""Gate 4 on hand-made tables in a real PostgreSQL: open on clean lists, closed for each fault."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest
from gate_faults import assert_closed, assert_each_measure_is_read, mutate

from expectations.gates import gate_list
from expectations.list_suite import list_suites

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
def list_url(database_url: str) -> str:
    """Database with four published lists, one of them published twice, and a clean candidate for May 2025."""
    with psycopg.connect(database_url) as connection:
        connection.execute(LIST)
    return database_url


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


def test_the_first_list_of_a_model_is_told_also_when_the_month_before_has_no_list(list_url: str) -> None:
    """April was refused: May, the first list of the new model, is compared with March."""
    mutate(list_url, OTHER_MODEL)
    mutate(list_url, "update publication.month set status = 'withdrawn' where month = '2025-04-01'")
    result = gate_list(list_url, MAY, MAY)
    assert result.passed, result.summary_fr()
    assert [(failure.column, failure.severity) for failure in result.failures] == [("alertes_modele", "warning")]


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


def test_every_measure_has_its_check_and_every_rule_its_measure(list_url: str) -> None:
    assert_each_measure_is_read(list_url, list_suites(date(2025, 4, 1), MAY))
