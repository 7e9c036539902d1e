"""The documentation says what is: links resolve, commands exist, French words are explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from project_files import ROOT, name_of

from expectations.contract import load_contracts

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
GLOSSARY = ROOT / "docs" / "glossary.md"

# French words that start, or make, the names of columns and need no entry: they are in any dictionary and mean just that.
PLAIN_WORDS = set(
    """
    action activite annee autorisees autorise changement chiffre code conclu confidentialite consommation consommees
    consomme creation credit date debut denomination disparition duree echeance en est etat famille fin heures id jours jugement
    latitude libelle longitude mise moyenne nb nom nombre nature nomenclature normale numero operation origine parution
    pays periode prenom precedente produit recours resultat rotation secteur sens stade statut stocks structure taux traitement
    tribunal type valeur
    """.split()
)


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as the forges make them."""
    headings = re.findall(r"^#+\s+(.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for groups in LINK.findall(page.read_text(encoding="utf-8")):
        target = next(group for group in groups if group)
        if re.match(r"(?:https?|mailto):", target):
            continue
        path, _, anchor = target.partition("#")
        pointed = (page.parent / path).resolve() if path else page
        if not pointed.exists() or (anchor and pointed.suffix == ".md" and anchor not in anchors(pointed)):
            broken.append(target)
    assert not broken, f"{name_of(page)}: {broken}"


def existing_commands() -> set[str]:
    """Commands and `group command` pairs of `vigie`."""
    from typer.main import get_command

    from orchestration.cli.application import app

    root = get_command(app)
    names: set[str] = set()
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        children = getattr(command, "commands", {})
        names |= {name, *(f"{name} {child}" for child in children)}
    return names


def named_commands(text: str) -> set[str]:
    """Commands that a page names in code: `vigie ingest …`, or a line of a block that starts with vigie."""
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^\s*(?:\$ )?(vigie .+)$", text, re.M)
    found = set()
    for piece in code:
        for match in re.finditer(
            r"(?:^|[\s;&|/])vigie((?:\s+--[\w-]+(?:[= ]\S+)?)*)\s+([a-z]+)(?:\s+([a-z]+))?", piece
        ):
            found.add(" ".join(filter(None, match.group(2, 3))))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_named_in_a_page_exist(page: Path) -> None:
    """A README whose second command fails loses its reader there."""
    existing = existing_commands()
    groups = {name.split()[0] for name in existing if " " in name}
    wrong = {
        named
        for named in named_commands(page.read_text(encoding="utf-8"))
        if named not in existing and (named.split()[0] not in existing or (named.split()[0] in groups and " " in named))
    }
    assert not wrong, f"{name_of(page)} names commands that do not exist: {sorted(wrong)}"


def test_the_habit_reads_commands_as_they_are_written() -> None:
    text = "`vigie --home /x ingest a.csv`, `vigie model card`\n```\n$ vigie demo\n.venv/bin/vigie up\n```\n"
    assert {"ingest a", "model card", "demo"} <= named_commands(text)


def test_the_readme_names_the_first_command_to_run() -> None:
    assert "demo" in named_commands((ROOT / "README.md").read_text(encoding="utf-8")) or "make demo" in (
        ROOT / "README.md"
    ).read_text(encoding="utf-8")


def glossary_words() -> set[str]:
    """Words explained: those of the headings, and of the names in code that each entry gives."""
    text = GLOSSARY.read_text(encoding="utf-8")
    named = re.findall(r"^- \*\*(.+?)\*\*(?: \(([^)]*)\))?", text, re.M | re.S)
    words = " ".join(" ".join(pair) for pair in named).lower()
    plain = words.translate(str.maketrans("àâäçéèêëîïôöùûüœ", "aaaceeeeiioouuuo"))
    return set(re.findall(r"[a-z0-9]+", plain))


def test_every_french_word_that_starts_a_column_is_explained() -> None:
    """A reader who meets `ecart_negatif` or `ccsf` must find the words of the producer's note, without asking."""
    explained = glossary_words() | PLAIN_WORDS
    unknown = {
        f"{contract.name}.{column.name}"
        for contract in load_contracts().values()
        for column in contract.columns
        if column.name.split("_")[0] not in explained and column.name.split("_")[0].rstrip("s") not in explained
    }
    assert not unknown, f"no entry in {name_of(GLOSSARY)} (nor among the plain words) for: {sorted(unknown)}"


@pytest.mark.parametrize(
    "term",
    [
        "siren", "siret", "écart négatif", "part ouvrière", "part patronale", "cotisation", "débit", "délai", "CCSF",
        "effectif", "activité partielle", "procédure collective", "sauvegarde", "redressement", "liquidation", "plan",
        "périmètre", "alerte", "première alerte", "aggravation", "retour", "capacité", "connaissance", "défaillance",
        "paydex", "quarantaine", "livraison", "nouvelle détection", "bilan", "CODEFI", "habilitation",
    ],
)  # fmt: skip
def test_the_words_of_the_trade_have_an_entry(term: str) -> None:
    entries = re.findall(r"^- \*\*(.+?)\*\*", GLOSSARY.read_text(encoding="utf-8"), re.M)
    assert any(term.lower() in entry.lower() for entry in entries)
