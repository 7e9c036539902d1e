"""Charts as inline SVG, drawn without a library: a few shapes, the same bytes everywhere.

Every chart is `role="img"` with a French `aria-label`; the page gives its data table beside it. Colours come from the
page's style sheet through classes, so that the print style can change them. Coordinates are rounded to one decimal.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from markupsafe import Markup, escape

from reporting import french
from reporting.model import MonthlyCount

WIDTH, HEIGHT = 240.0, 56.0
"""Size of a sparkline in SVG user units; the page scales it to the width of its column."""

SMALLEST_SPAN = 0.25
"""Smallest vertical span of a line, as a share of its highest value."""

_NICE_STEPS = (1, 2, 5)

Values = Sequence[float | None]


def _n(value: float) -> str:
    """Coordinate with at most one decimal, without « -0 »."""
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _svg(body: str, label: str, width: float, height: float, css: str) -> Markup:
    return Markup(
        '<svg class="{css}" viewBox="0 0 {w} {h}" role="img" aria-label="{label}" focusable="false">{body}</svg>'
    ).format(css=css, w=_n(width), h=_n(height), label=label, body=Markup(body))


def _abscissa(index: int, count: int) -> float:
    margin = 3.0
    return margin + (WIDTH - 2 * margin) * (index / (count - 1) if count > 1 else 0.5)


def _runs(values: Values) -> list[list[int]]:
    """Indexes of consecutive known values: a gap in the data is a gap in the line."""
    runs: list[list[int]] = []
    previous_known = False
    for index, value in enumerate(values):
        if value is not None:
            if not previous_known:
                runs.append([])
            runs[-1].append(index)
        previous_known = value is not None
    return runs


def _line(values: Values, low: float, high: float, css: str) -> str:
    span = (high - low) or 1.0

    def point(index: int) -> str:
        ordinate = HEIGHT - 4 - (HEIGHT - 8) * ((values[index] or 0.0) - low) / span
        return f"{_n(_abscissa(index, len(values)))},{_n(ordinate)}"

    parts = [
        f'<polyline class="{css}" points="{" ".join(point(i) for i in run)}"/>' for run in _runs(values) if run[1:]
    ]
    last = [index for index, value in enumerate(values) if value is not None][-1]
    isolated = [run[0] for run in _runs(values) if len(run) == 1 and run[0] != last]
    for index in [*isolated, last]:
        x, _, y = point(index).partition(",")
        parts.append(f'<circle class="{css}-point" cx="{x}" cy="{y}" r="{"3" if index == last else "1.5"}"/>')
    return "".join(parts)


def line_sparkline(values: Values, label: str) -> Markup | None:
    """A line over the months; None when no value is known.

    The vertical scale fits the values but spans at least a quarter of the highest one, so that losing 2 of 60 employees
    does not look like a collapse.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    missing = max(high * SMALLEST_SPAN, 1.0) - (high - low)
    if missing > 0:
        low, high = low - missing / 2, high + missing / 2
    return _svg(_line(values, low, high, "trait"), label, WIDTH, HEIGHT, "mini")


def bar_sparkline(layers: Sequence[tuple[str, Values]], label: str) -> Markup | None:
    """Stacked bars from zero, one a month; `layers` = (class, values) from the bottom up; None when nothing is known.

    A month whose value is unknown has no bar; a month worth zero has a thin foot, so that the two are told apart.
    """
    count = len(layers[0][1]) if layers else 0
    # A credit has no bar and does not shorten the one below it.
    totals = [sum(max(0.0, values[index] or 0.0) for _, values in layers) for index in range(count)]
    known = [any(values[index] is not None for _, values in layers) for index in range(count)]
    if not any(known):
        return None
    top = max(totals) or 1.0
    slot = (WIDTH - 6) / count
    parts = []
    for index in range(count):
        if not known[index]:
            continue
        x, base = 3 + slot * index, HEIGHT - 4
        if totals[index] <= 0:
            parts.append(_rectangle("pied", x, base, slot, 1.0))
        for css, values in layers:
            height = (HEIGHT - 8) * max(0.0, values[index] or 0.0) / top
            parts.append(_rectangle(css, x, base, slot, height))
            base -= height
    return _svg("".join(parts), label, WIDTH, HEIGHT, "mini")


def _rectangle(css: str, x: float, base: float, slot: float, height: float) -> str:
    if height <= 0:
        return ""
    gap = slot * 0.15
    return (
        f'<rect class="{css}" x="{_n(x + gap)}" y="{_n(base - height)}"'
        f' width="{_n(slot - 2 * gap)}" height="{_n(height)}"/>'
    )


def dots(probability: float, label: str) -> Markup:
    """One hundred dots, those « out of 100 » filled: ten rows of ten, from the top left."""
    filled = french.out_of_hundred(probability)
    parts = []
    for row in range(10):
        inside = min(10, max(0, filled - 10 * row))
        y = _n(5 + 10 * row)
        if inside:
            parts.append(_dot_row("plein", 5, inside, y))
        if inside < 10:
            parts.append(_dot_row("vide", 5 + 10 * inside, 10 - inside, y))
    return _svg("".join(parts), label, 100, 100, "points")


def _dot_row(css: str, start: float, count: int, y: str) -> str:
    # A dashed line with round caps and dashes of length zero is a row of dots: one element instead of ten.
    return f'<path class="{css}" d="M{_n(start)},{y}h{_n((count - 1) * 10 + 0.1)}"/>'


def axis_ticks(highest: float) -> list[int]:
    """Whole-number ticks from 0 up to at least `highest`: steps of 1, 2 or 5 × 10^n, at most five of them."""
    power = 1
    while True:
        for factor in _NICE_STEPS:
            step = factor * power
            if step * 5 >= highest:
                count = max(1, -(-int(highest) // step))
                return [step * index for index in range(count + 1)]
        power *= 10


_LEFT, _RIGHT, _TOP, _BOTTOM, _CHART_WIDTH, _CHART_HEIGHT = 46.0, 8.0, 10.0, 28.0, 560.0, 200.0


def history_chart(history: Sequence[MonthlyCount], layers: Sequence[tuple[str, Sequence[int]]], label: str) -> Markup:
    """Stacked monthly bars with a labelled axis of counts and a label every three months (the last always has one)."""
    totals = [sum(values[index] for _, values in layers) for index in range(len(history))]
    ticks = axis_ticks(max([*totals, 1]))
    top = ticks[-1]
    plot_width, plot_height = _CHART_WIDTH - _LEFT - _RIGHT, _CHART_HEIGHT - _TOP - _BOTTOM
    slot = plot_width / max(1, len(history))
    parts = [_grid(ticks, plot_height)]
    for index, point in enumerate(history):
        x, base = _LEFT + slot * index, _TOP + plot_height
        for css, values in layers:
            height = plot_height * values[index] / top
            parts.append(_rectangle(css, x, base, slot, height))
            base -= height
        if (len(history) - 1 - index) % 3 == 0:
            parts.append(_tick(x + slot / 2, french.short_month(point.month), last=index == len(history) - 1))
    return _svg("".join(parts), label, _CHART_WIDTH, _CHART_HEIGHT, "historique")


def _grid(ticks: Sequence[int], plot_height: float) -> str:
    parts = []
    for tick in ticks:
        y = _TOP + plot_height * (1 - tick / ticks[-1])
        parts.append(f'<path class="grille" d="M{_n(_LEFT)},{_n(y)}H{_n(_CHART_WIDTH - _RIGHT)}"/>')
        parts.append(
            f'<text class="axe" x="{_n(_LEFT - 6)}" y="{_n(y + 4)}" text-anchor="end">{french.number(tick)}</text>'
        )
    return "".join(parts)


def _tick(x: float, words: str, *, last: bool) -> str:
    css = "axe axe-fin" if last else "axe"
    anchor, x = ("end", min(x + 18, _CHART_WIDTH)) if last else ("middle", x)
    return f'<text class="{css}" x="{_n(x)}" y="{_n(_CHART_HEIGHT - 8)}" text-anchor="{anchor}">{escape(words)}</text>'


def known_range(values: Values, decimals: int = 0) -> str | None:
    """« de 48 à 61 » over the known values, « stable à 48 » when they are all equal once rounded; None without any."""
    known = [french.rounded(value, decimals) for value in values if value is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    if low == high:
        return f"stable à {_short(low, decimals)}"
    return f"de {_short(low, decimals)} à {_short(high, decimals)}"


def _short(value: Decimal, decimals: int) -> str:
    return french.trimmed(value, decimals) if decimals else french.number(value)
