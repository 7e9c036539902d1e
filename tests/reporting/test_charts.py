"""Charts and map: what they draw, counted in their SVG."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import DEPARTEMENTS, report

from reporting import charts, department_map
from reporting.model import TerritoryCounts


def territory(code: str, count: int) -> TerritoryCounts:
    return TerritoryCounts(code=code, libelle=code, nb_suivies=10, nb_f1=0, nb_f2=0, nb_nouvelles=count)


def test_a_gap_in_the_data_is_a_gap_in_the_line() -> None:
    svg = charts.line_sparkline([1, 2, None, 3, 4], "effectif")
    assert svg is not None
    assert svg.count("<polyline") == 2


def test_a_small_change_does_not_look_like_a_collapse() -> None:
    """From 60 to 58 employees: the line may use at most a small part of the height."""
    svg = str(charts.line_sparkline([60, 58], "effectif"))
    heights = [float(y) for y in re.findall(r",([0-9.]+)", re.findall(r'points="([^"]+)"', svg)[0])]
    assert abs(heights[0] - heights[1]) < 0.2 * charts.HEIGHT


def test_a_series_without_any_known_value_has_no_chart() -> None:
    assert charts.line_sparkline([None, None], "effectif") is None
    assert charts.bar_sparkline([("a", [None, None]), ("b", [None, None])], "dette") is None


def test_zero_is_drawn_and_unknown_is_not() -> None:
    svg = charts.bar_sparkline([("activite-partielle", [0.0, None, 2.0])], "activité partielle")
    assert svg is not None
    assert svg.count('class="pied"') == 1
    assert svg.count('class="activite-partielle"') == 1


def test_bars_stay_in_their_frame_when_a_credit_meets_a_debt() -> None:
    """100 € owed and 100 € of credit add up to nothing: the bar was a hundred times as high as the chart."""
    svg = charts.bar_sparkline([("part-salariale", [100.0, 50.0]), ("part-patronale", [-100.0, 0.0])], "dette")
    assert svg is not None
    heights = [float(height) for height in re.findall(r'height="([0-9.]+)"', svg)]
    assert heights == [charts.HEIGHT - 8, (charts.HEIGHT - 8) / 2]


@pytest.mark.parametrize(("probability", "filled"), [(0.0, 1), (0.07, 7), (0.1, 10), (0.46, 46), (1.0, 99)])
def test_the_hundred_dots_are_a_hundred(probability: float, filled: int) -> None:
    """A dash that ends exactly at the end of the line is not drawn: each row lost its last dot."""
    counts = {"plein": 0, "vide": 0}
    for css, length in re.findall(r'class="(plein|vide)" d="M[^h]+h([0-9.]+)"', charts.dots(probability, "points")):
        counts[css] += int(float(length) / 10) + 1
        assert float(length) % 10 > 0
    assert counts == {"plein": filled, "vide": 100 - filled}


@given(st.integers(1, 10_000_000))
def test_an_axis_covers_its_values_with_few_round_ticks(highest: int) -> None:
    ticks = charts.axis_ticks(highest)
    assert ticks[0] == 0
    assert ticks[-1] >= highest
    assert 2 <= len(ticks) <= 6
    assert len({after - before for before, after in itertools.pairwise(ticks)}) == 1
    assert ticks[-2] < highest


def test_the_contours_hold_the_96_departements_of_the_mainland_and_corsica_with_their_credit() -> None:
    contours = department_map.contours()
    assert len(contours) == 96
    assert {"2A", "2B", "75", "90"} <= set(contours)
    assert "20" not in contours
    for code, contour in contours.items():
        left, top, right, bottom = contour.bbox
        assert left < contour.label[0] < right, code
        assert top < contour.label[1] < bottom, code
    assert "CC BY 4.0" in department_map.attribution()
    assert "MapSVG" in department_map.attribution()


def test_the_map_writes_each_count_and_outlines_only_the_own_departement() -> None:
    svg = department_map.region_map(report().territories, "carte", own="21")
    drawn = re.findall(r'<tspan class="nombre"[^>]*>(\d+)</tspan><tspan class="code"[^>]*>(\w+)</tspan>', svg)
    assert {code: int(count) for count, code in drawn} == {t.code: t.nb_nouvelles for t in report().territories}
    assert set(DEPARTEMENTS) == {code for _, code in drawn}
    assert svg.count("propre") == 1
    assert department_map.region_map(report().territories, "carte").count("propre") == 0


@pytest.mark.parametrize("codes", [["974"], ["971", "972", "973", "974", "976"], ["13", "974"]])
def test_overseas_departements_are_drawn_as_squares_inside_the_frame(codes: list[str]) -> None:
    svg = str(department_map.region_map([territory(code, 3) for code in codes], "carte"))
    left, top, width, height = map(int, re.findall(r'viewBox="([^"]+)"', svg)[0].split())
    squares = re.findall(r'<rect class="[^"]+" x="(-?\d+)" y="(-?\d+)" width="(\d+)" height="(\d+)"', svg)
    assert len(squares) == sum(code not in department_map.contours() for code in codes)
    for x, y, wide, high in (map(int, square) for square in squares):
        assert left <= x
        assert x + wide <= left + width
        assert top <= y
        assert y + high <= top + height
    assert all(f">{code}</tspan>" in svg for code in codes)


def test_one_detection_is_never_the_shade_of_none() -> None:
    assert [department_map.shade(count, 40) for count in (0, 1, 10, 11, 40)] == [0, 1, 1, 2, 4]
    assert department_map.shade(0, 0) == 0
