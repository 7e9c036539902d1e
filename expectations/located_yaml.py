"""YAML files that people write: read into a model, with errors that name the file and the line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

#: The C parser when the wheel brings it: much faster, same result.
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Model = TypeVar("Model", bound=BaseModel)


def read_model(
    path: Path, model: type[Model], *, error: type[ValueError], subject: str, context: Mapping[str, Any] | None = None
) -> Model:
    """The content of a YAML file as `model`; `context` goes to its validators, `subject` names the whole of it.

    Raises `error`, one line for each problem, each naming file and line; the values themselves are not repeated.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        raise error(f"{path}, ligne {mark.line + 1 if mark else 1} : YAML illisible ({problem})") from problem
    try:
        return model.model_validate(data, context=context)
    except ValidationError as invalid:
        lines = [
            f"{path}, ligne {_line_of(node, item['loc'])} : {'.'.join(map(str, item['loc'])) or subject} : {item['msg']}"
            for item in invalid.errors()
        ]
        raise error("\n".join(lines)) from invalid


def _line_of(node: yaml.Node | None, location: tuple[Any, ...]) -> int:
    """Line (first = 1) of the deepest YAML node on the way of a pydantic error location.

    A step that the file does not have (a missing field, the chosen member of a union) stays where it is.
    """
    line = 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == step:
                    line, node = key.start_mark.line + 1, value
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line
