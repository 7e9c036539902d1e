"""YAML files that people write: read into a model, with errors in French that name the file and the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from expectations.mistakes import mistakes, repeated_fields

#: The C parser when the wheel brings it: much faster, same result.
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Model = TypeVar("Model", bound=BaseModel)


def read_model(
    path: Path,
    model: type[Model],
    *,
    error: type[ValueError],
    subject: str,
    context: Mapping[str, Any] | None = None,
    quote_values: bool = True,
) -> Model:
    """The content of a YAML file as `model`; `context` goes to its validators, `subject` names the whole of it.

    Raises `error`, one line for each mistake, each naming file and line. `quote_values=False` keeps the values out of the
    messages: where people might have written a secret.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise error(f"{path}, ligne {place[0]} : YAML illisible, colonne {place[1]}") from problem
    except UnicodeDecodeError as problem:
        raise error(f"{path}, ligne 1 : texte UTF-8 attendu") from problem
    _raise(error, path, repeated_fields(node))
    try:
        return model.model_validate(data, context=context)
    except ValidationError as invalid:
        _raise(error, path, mistakes(invalid, node, subject=subject, quote_values=quote_values))
        raise


def _raise(error: type[ValueError], path: Path, found: Sequence[tuple[int, str]]) -> None:
    if found:
        raise error("\n".join(f"{path}, ligne {line} : {sentence}" for line, sentence in found))
