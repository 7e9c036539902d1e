"""What is wrong with a file that a person wrote, in French, each mistake with the line of the YAML file where it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import ValidationError

_TYPES = {
    "bool": "vrai ou faux (true, false)",
    "date": "une date AAAA-MM-JJ",
    "dict": "une suite de champs",
    "float": "un nombre",
    "int": "un nombre entier",
    "list": "une liste",
    "model": "une suite de champs",
    "string": "un texte",
    "tuple": "une liste",
}


class Misplaced(ValueError):
    """A mistake that the model finds in one of its own fields: the message, and the field that it is about."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def mistakes(
    error: ValidationError, node: yaml.Node | None, *, subject: str, quote_values: bool
) -> list[tuple[int, str]]:
    """(line, sentence) of each mistake, in the order of the file; `node` is the root of the document, called `subject`."""
    found = set()
    for problem in error.errors():
        raised = problem.get("ctx", {}).get("error")
        location = (*problem["loc"], *([raised.field] if isinstance(raised, Misplaced) else []))
        line, place = _place(node, location)
        found.add((line, f"{'.'.join(map(str, place)) or subject} : {_sentence(problem, quote_values)}"))
    return sorted(found)


def repeated_fields(node: yaml.Node | None) -> list[tuple[int, str]]:
    """(line, sentence) of each field that is written twice: YAML would keep the last one and say nothing."""
    found = []
    for mapping in _mappings(node):
        names = [key.value for key, _ in mapping.value]
        for index, (key, _) in enumerate(mapping.value):
            if key.value in names[:index]:
                found.append((key.start_mark.line + 1, f"{key.value} : champ écrit deux fois"))
    return sorted(found)


def _mappings(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _mappings(item)


def _place(node: yaml.Node | None, location: tuple[Any, ...]) -> tuple[int, tuple[Any, ...]]:
    """Line (first = 1) of the deepest YAML node on the way of an error location, and the way as far as it is in the file.

    The last step stays when it is the name of a field that is absent; the names that pydantic gives to the branches of
    a type are left out.
    """
    line = 1
    way: list[Any] = []
    for index, step in enumerate(location):
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == step:
                    line, child = key.start_mark.line + 1, value
            if child is None and index == len(location) - 1:
                return line, (*way, step)
            if child is None:
                continue  # the branch of a type
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            child = node.value[step]
            line = child.start_mark.line + 1
        if child is None:
            return line, tuple(way)
        way.append(step)
        node = child
    return line, tuple(way)


def _sentence(problem: Any, quote_values: bool) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    got = f", reçu {problem['input']!r}" if quote_values and isinstance(problem["input"], str | int | float) else ""
    match kind:
        case "missing":
            return "champ obligatoire, absent"
        case "extra_forbidden":
            return "champ inconnu"
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"{context['expected'].replace(' or ', ' ou ')} attendu{got}"
        case "string_pattern_mismatch":
            return f"texte de la forme {context['pattern']} attendu{got}"
        case "greater_than_equal":
            return f"{context['ge']} au moins attendu{got}"
        case "less_than_equal":
            return f"{context['le']} au plus attendu{got}"
        case "too_short":
            return f"{context['min_length']} valeur au moins attendue"
        case "union_tag_invalid" | "union_tag_not_found":  # the field that says which kind of thing it is
            return f"{context['discriminator'].strip(chr(39))} : {context.get('expected_tags', 'champ')} attendu"
    wanted = _TYPES.get(kind.partition("_")[0])
    return f"il faut ici {wanted}{got}" if wanted else f"valeur invalide ({kind}){got}"
