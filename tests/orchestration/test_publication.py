"""Promise 4: readers see whole published months only; publication is one transaction, and one command takes it back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date

import psycopg
import pytest

from orchestration import publication
from orchestration.instance import PROJECT
from orchestration.months import shift
from orchestration.publication import PublicationRefused

MONTH = date(2025, 11, 1)
Candidate = Callable[..., None]
A, B, C = "052000001", "052000002", "052000003"


def seen(url: str, query: str = "select siren from published.detections order by siren") -> list[str]:
    with psycopg.connect(url) as connection:
        connection.execute("set role vigie_lecteur")
        return [value for (value,) in connection.execute(query.encode())]


def test_a_candidate_is_unseen_until_it_is_published(vigie_url: str, candidate: Candidate) -> None:
    candidate(MONTH, {A: ("21", "Alerte seuil F1")})
    assert seen(vigie_url) == []
    publication.publish(vigie_url, [MONTH], simulation=True, run_id=None)
    assert seen(vigie_url) == [A]


def test_publishing_the_same_content_again_changes_nothing(vigie_url: str, candidate: Candidate) -> None:
    candidate(MONTH, {A: ("21", "Alerte seuil F1")})
    (first,) = publication.publish(vigie_url, [MONTH], simulation=True, run_id="one")
    (second,) = publication.publish(vigie_url, [MONTH], simulation=True, run_id="two")
    assert first.changed
    assert not second.changed
    assert second.publication_id == first.publication_id


def test_a_month_published_again_replaces_the_old_one_and_rollback_brings_it_back(
    vigie_url: str, candidate: Candidate
) -> None:
    candidate(MONTH, {A: ("21", "Alerte seuil F1")})
    (first,) = publication.publish(vigie_url, [MONTH], simulation=True, run_id=None)
    candidate(MONTH, {B: ("25", "Alerte seuil F2")})
    publication.publish(vigie_url, [MONTH], simulation=True, run_id=None)
    assert seen(vigie_url) == [B]
    assert publication.rollback(vigie_url, MONTH).publication_id == first.publication_id
    assert seen(vigie_url) == [A]
    assert publication.rollback(vigie_url, MONTH).publication_id is None
    assert seen(vigie_url) == []


def test_a_month_that_a_later_one_counts_on_is_not_taken_back(vigie_url: str, candidate: Candidate) -> None:
    for month in (MONTH, shift(MONTH, 1)):
        candidate(month, {A: ("21", "Alerte seuil F1")})
        publication.publish(vigie_url, [month], simulation=True, run_id=None)
    with pytest.raises(PublicationRefused, match="Retirez d’abord 2025-12"):
        publication.rollback(vigie_url, MONTH)
    assert len(seen(vigie_url)) == 2, "what is refused changes nothing"
    never = shift(MONTH, -1)
    with pytest.raises(PublicationRefused, match="rien à retirer"):
        publication.rollback(vigie_url, never)


def test_a_month_brought_back_to_an_older_list_names_the_later_ones_that_compare_with_another(
    vigie_url: str, candidate: Candidate
) -> None:
    """A bad correction of November could only be taken back with December, and nobody said that December compared with it."""
    december, january = shift(MONTH, 1), shift(MONTH, 2)
    for month, siren in ((MONTH, A), (december, A), (MONTH, B), (january, A)):
        candidate(month, {siren: ("21", "Alerte seuil F1")})
        publication.publish(vigie_url, [month], simulation=True, run_id=None)
    # December was published under the first list of November, January under the second.
    assert publication.rollback(vigie_url, MONTH) == publication.TakenBack(1, (january,))
    assert seen(vigie_url, "select siren from published.detections where mois = '2025-11-01'") == [A]
    assert "vigie publish --month 2026-01" in publication.outdated_fr(MONTH, [january])


def test_later_lists_that_compare_with_the_old_one_are_named_until_they_are_published_again(
    vigie_url: str, candidate: Candidate
) -> None:
    """A came into November after a correction, and December, published before, went on announcing it as new."""
    months = [shift(MONTH, index) for index in range(3)]
    for month in months:
        candidate(month, {A: ("21", "Alerte seuil F1")})
    publication.publish(vigie_url, months, simulation=True, run_id=None)
    assert publication.outdated_lists(vigie_url, [MONTH]) == []
    candidate(MONTH, {B: ("21", "Alerte seuil F1")})
    # Published again without a change, after a kill for instance: they are still named.
    for _ in range(2):
        publication.publish(vigie_url, [MONTH], simulation=True, run_id=None)
        assert publication.outdated_lists(vigie_url, [MONTH]) == months[1:]
    candidate(months[1], {B: ("21", "Alerte seuil F2")})
    publication.publish(vigie_url, [months[1]], simulation=True, run_id=None)
    assert publication.outdated_lists(vigie_url, [MONTH]) == months[2:]
    publication.rollback(vigie_url, months[2])
    assert publication.outdated_lists(vigie_url, [MONTH]) == []


def test_a_month_without_candidate_is_refused_and_nothing_of_the_others_is_seen(
    vigie_url: str, candidate: Candidate
) -> None:
    """One transaction for all the months asked: a refusal half way must leave nothing behind."""
    candidate(MONTH, {A: ("21", "Alerte seuil F1")})
    with pytest.raises(PublicationRefused, match="2025-12"):
        publication.publish(vigie_url, [MONTH, shift(MONTH, 1)], simulation=True, run_id=None)
    assert seen(vigie_url) == []


def test_readers_never_see_a_mix_of_two_publications(vigie_url: str, candidate: Candidate) -> None:
    """Twenty publications under a reader that asks all the time: each answer is one publication, whole."""
    lists = [{A: ("21", "Alerte seuil F1"), B: ("21", "Alerte seuil F1")}, {C: ("25", "Alerte seuil F2")}]
    candidate(MONTH, lists[0])
    publication.publish(vigie_url, [MONTH], simulation=True, run_id=None)
    answers: set[tuple[str, ...]] = set()
    stop = threading.Event()

    def read() -> None:
        with psycopg.connect(vigie_url, autocommit=True) as connection:
            connection.execute("set role vigie_lecteur")
            while not stop.is_set():
                answers.add(
                    tuple(value for (value,) in connection.execute("select siren from published.detections order by 1"))
                )

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(20):
        candidate(MONTH, lists[(turn + 1) % 2])
        publication.publish(vigie_url, [MONTH], simulation=True, run_id=None)
    stop.set()
    reader.join()
    assert answers <= {(A, B), (C,)}
    assert answers


def test_the_scores_in_force_on_a_day_are_those_published_by_then(vigie_url: str, candidate: Candidate) -> None:
    candidate(MONTH, {A: ("21", "Alerte seuil F1")})
    publication.publish(vigie_url, [MONTH], simulation=True, run_id=None)
    with psycopg.connect(vigie_url) as connection:
        connection.execute("update publication.month set published_at = '2025-12-02 07:00+00'")
    assert seen(vigie_url, "select siren from published.score_au('2025-12-01')") == []
    assert seen(vigie_url, "select siren from published.score_au('2025-12-02')") == [A]


@pytest.mark.parametrize("function", ["detections_au", "entreprises_au", "score_au"])
def test_what_was_published_on_a_day_ends_with_the_day_in_utc_whatever_the_reader_s_clock(
    vigie_url: str, candidate: Candidate, function: str
) -> None:
    """The month replaced since is what readers then saw; a session in another time zone must get the same answer."""
    candidate(MONTH, {A: ("21", "Alerte seuil F1")})
    publication.publish(vigie_url, [MONTH], simulation=True, run_id=None)
    candidate(MONTH, {B: ("25", "Alerte seuil F2")})
    publication.publish(vigie_url, [MONTH], simulation=True, run_id=None)
    candidate(shift(MONTH, 1), {C: ("25", "Alerte seuil F2")})
    publication.publish(vigie_url, [shift(MONTH, 1)], simulation=True, run_id=None)
    with psycopg.connect(vigie_url) as connection:
        for number, stamp in enumerate(("2025-12-02 23:30+00", "2025-12-05 07:00+00", "2026-01-02 07:00+00"), start=1):
            connection.execute(
                "update publication.month set published_at = %s where publication_id = %s", [stamp, number]
            )
    answers = {"2025-12-01": [], "2025-12-02": [A], "2025-12-04": [A], "2025-12-05": [B], "2026-01-02": [C]}
    for zone in ("UTC", "Pacific/Auckland", "America/Los_Angeles"):
        with psycopg.connect(vigie_url, options=f"-c timezone={zone}") as connection:
            connection.execute("set role vigie_lecteur")
            for day, expected in answers.items():
                found = connection.execute(f"select siren from published.{function}(%s)".encode(), [day]).fetchall()
                assert [siren for (siren,) in found] == expected, (zone, day)


def test_what_was_taken_back_is_not_shown_as_of_any_day(vigie_url: str, candidate: Candidate) -> None:
    candidate(MONTH, {A: ("21", "Alerte seuil F1")})
    publication.publish(vigie_url, [MONTH], simulation=True, run_id=None)
    publication.rollback(vigie_url, MONTH)
    assert seen(vigie_url, "select siren from published.detections_au('2100-01-01')") == []


def test_the_example_of_a_past_day_takes_its_day_in_utc(vigie_url: str, candidate: Candidate) -> None:
    """In a session of Martinique, a list published at two in the morning (UTC) was of the day before: the example showed the list
    before it."""
    for month, stamp in ((MONTH, "2025-12-02 10:00+00"), (shift(MONTH, 1), "2026-01-05 02:00+00")):
        candidate(month, {A: ("21", "Alerte seuil F1")})
        publication.publish(vigie_url, [month], simulation=True, run_id=None)
        with psycopg.connect(vigie_url) as connection:
            connection.execute("update publication.month set published_at = %s where month = %s", [stamp, month])
    query = (PROJECT / "docs" / "queries" / "ce_que_l_on_savait.sql").read_text(encoding="utf-8")
    with psycopg.connect(vigie_url, options="-c timezone=America/Martinique") as connection:
        connection.execute("set role vigie_lecteur")
        assert connection.execute(query.encode()).fetchall() == [(shift(MONTH, 1), A, *["Alerte seuil F1"] * 2)]
