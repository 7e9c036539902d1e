"""The picture of `docs/architecture.md`, drawn from the Dagster definitions: `python docs/picture.py` rewrites it.

One box for each schema of the asset graph with the number of its assets, one arrow for each dependency between schemas, a
diamond for each blocking gate. A test fails when the page and the definitions differ.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

PAGE = Path(__file__).parent / "architecture.md"
START, END = "<!-- picture -->\n", "<!-- /picture -->"


def mermaid() -> str:
    """The graph as Mermaid text, in a fixed order."""
    from orchestration.definitions import defs

    graph = defs.resolve_asset_graph()
    sizes: Counter[str] = Counter()
    edges: set[tuple[str, str]] = set()
    gates: Counter[tuple[str, str]] = Counter()
    for key in graph.materializable_asset_keys:
        sizes[key.path[0]] += 1
        for parent in graph.get(key).parent_keys:
            if parent.path[0] != key.path[0]:
                edges.add((parent.path[0], key.path[0]))
    for check in graph.asset_check_keys:
        if graph.get_check_spec(check).blocking:
            gates[check.asset_key.path[0], check.name] += 1
    lines = ["flowchart LR", '    files[/"deliveries"/] --> ingest']
    lines += [
        f'    {schema}["{schema}.*<br/>{count} asset{"s" * (count > 1)}"]' for schema, count in sorted(sizes.items())
    ]
    lines += [f"    {parent} --> {child}" for parent, child in sorted(edges) if parent in sizes]
    lines += [f'    {schema} -. gate .- {schema}_{name}{{"{name}"}}' for schema, name in sorted(gates)]
    return "\n".join(lines)


def rewritten(page: str) -> str:
    """The page with the picture that the definitions make now."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}```mermaid\n{mermaid()}\n```\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
