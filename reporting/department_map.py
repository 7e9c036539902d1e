"""Map of the départements of a region as inline SVG, from the vendored contours (`contours.json`, CC BY 4.0).

Départements without a contour there (overseas) are drawn as squares with the same colours and labels, in a row, so no
département is ever left out. Each count is written on the map: colour only repeats it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

from reporting import french
from reporting.model import TerritoryCounts

CONTOURS = Path(__file__).parent / "contours.json"
SHADES = 4
_TILE, _TILES_PER_ROW = 120, 4


@dataclass(frozen=True)
class Contour:
    """Outline of a département in tenths of the source map's units; `radius` = largest circle around `label`."""

    bbox: tuple[int, int, int, int]
    label: tuple[int, int]
    radius: int
    path: str


@cache
def contours() -> dict[str, Contour]:
    """Outlines by département code (the 96 of metropolitan France)."""
    document = json.loads(CONTOURS.read_text(encoding="utf-8"))
    return {
        code: Contour(tuple(entry["bbox"]), tuple(entry["label"]), entry["radius"], entry["path"])
        for code, entry in document["departements"].items()
    }


@cache
def attribution() -> str:
    """Credit line that the licence of the contours asks to show with the map."""
    return str(json.loads(CONTOURS.read_text(encoding="utf-8"))["attribution"])


def shade(count: int, top: int) -> int:
    """Shade from 0 (none) to 4 (the most): a count of one is always visible."""
    if count <= 0 or top <= 0:
        return 0
    return max(1, -(-count * SHADES // top))


def region_map(territories: Sequence[TerritoryCounts], label: str, own: str | None = None) -> Markup:
    """Map of `territories` coloured and labelled by new detections; `own` is outlined; neighbours stay grey.

    Raises ValueError when `territories` is empty.
    """
    if not territories:
        raise ValueError("a map needs at least one département")
    ordered = sorted(territories, key=lambda territory: territory.code)
    top = max(territory.nb_nouvelles for territory in ordered)
    drawn = [territory for territory in ordered if territory.code in contours()]
    tiled = [territory for territory in ordered if territory.code not in contours()]
    box = _frame([contours()[territory.code].bbox for territory in drawn], len(tiled))
    parts = [_neighbours(box, {territory.code for territory in drawn})] if drawn else []
    # The outlined one comes last: SVG has no z-index and its border must stay above its neighbours'.
    for territory in sorted(drawn, key=lambda territory: (territory.code == own, territory.code)):
        css = f"teinte-{shade(territory.nb_nouvelles, top)}" + (" propre" if territory.code == own else "")
        parts.append(f'<path class="{css}" d="{contours()[territory.code].path}"/>')
    unit = (box[2] - box[0]) / 100
    for territory in drawn:
        parts.append(_label(territory, contours()[territory.code], unit, shade(territory.nb_nouvelles, top)))
    tiles_top = box[3] - _rows(len(tiled)) * _TILE if drawn else 10
    for index, territory in enumerate(tiled):
        row, column = divmod(index, _TILES_PER_ROW)
        corner = (box[0] + 10 + column * _TILE, tiles_top + row * _TILE)
        parts.append(_tile(territory, corner, shade(territory.nb_nouvelles, top), own))
    view = f"{box[0]} {box[1]} {box[2] - box[0]} {box[3] - box[1]}"
    return Markup(
        '<svg class="carte" viewBox="{view}" role="img" aria-label="{label}" focusable="false">{body}</svg>'
    ).format(view=view, label=label, body=Markup("".join(parts)))


def _frame(boxes: Sequence[tuple[int, int, int, int]], tiles: int) -> tuple[int, int, int, int]:
    if not boxes:
        columns = min(tiles, _TILES_PER_ROW)
        return 0, 0, columns * _TILE + 20, _rows(tiles) * _TILE + 20
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    margin = round(0.04 * max(right - left, bottom - top))
    return left - margin, top - margin, right + margin, bottom + margin + _rows(tiles) * _TILE


def _rows(tiles: int) -> int:
    return -(-tiles // _TILES_PER_ROW)


def _neighbours(box: tuple[int, int, int, int], inside: set[str]) -> str:
    parts = []
    for code, contour in sorted(contours().items()):
        left, top, right, bottom = contour.bbox
        overlaps = left < box[2] and right > box[0] and top < box[3] and bottom > box[1]
        if overlaps and code not in inside:
            parts.append(f'<path class="voisin" d="{contour.path}"/>')
    return "".join(parts)


def _label(territory: TerritoryCounts, contour: Contour, unit: float, level: int) -> str:
    """Code and count, sized to fit the largest circle inside the département."""
    size = min(4.6 * unit, contour.radius * 1.2)
    x, y = contour.label
    return _words(territory, x, y, size, level)


def _words(territory: TerritoryCounts, x: float, y: float, size: float, level: int) -> str:
    css = "clair" if level >= 3 else "sombre"
    return (
        f'<text class="{css}" text-anchor="middle" x="{x:.0f}" y="{y:.0f}">'
        f'<tspan class="nombre" font-size="{size * 1.15:.0f}" x="{x:.0f}" dy="{size * 0.15:.0f}">'
        f"{french.number(territory.nb_nouvelles)}</tspan>"
        f'<tspan class="code" font-size="{size * 0.72:.0f}" x="{x:.0f}" dy="{size * 0.85:.0f}">'
        f"{escape(territory.code)}</tspan></text>"
    )


def _tile(territory: TerritoryCounts, corner: tuple[int, int], level: int, own: str | None) -> str:
    x, y = corner
    css = f"teinte-{level}" + (" propre" if territory.code == own else "")
    square = f'<rect class="{css}" x="{x + 4}" y="{y + 4}" width="{_TILE - 8}" height="{_TILE - 8}" rx="8"/>'
    return square + _words(territory, x + _TILE / 2, y + _TILE / 2, 28, level)
