"""A trained model on disk: one skops file, same bytes for the same model, refused when anything about it is not what is expected.

No pickle. skops names its members after memory addresses and stamps them with the clock; `_canonical` renumbers and re-dates them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
import sklearn
import skops.io

from models_ml.calibrate import CalibrationParams
from models_ml.families import FAMILIES
from models_ml.features import Feature, feature_hash, load_features
from models_ml.hazard import HazardModel, HazardParams
from models_ml.train import TrainedModel, TrainParams

_OURS = tuple(f"models_ml.families.{name}" for name in ("Forest", "Heads", "Mean", "Scorecard", "Spread"))
_HGB = "sklearn.ensemble._hist_gradient_boosting"
# What our own models are made of, listed from a dump. Anything else in a file is refused before anything is built.
ALLOWED_TYPES = frozenset(
    {
        "builtins.dict", "builtins.list", "builtins.set", "builtins.str", "builtins.tuple",
        "numpy.int64", "numpy.ndarray", "numpy.uint64", "numpy.random._generator.Generator",
        "sklearn._loss._loss.CyHalfBinomialLoss", "sklearn._loss.link.Interval", "sklearn._loss.link.LogitLink",
        "sklearn._loss.loss.HalfBinomialLoss", "sklearn.preprocessing._label.LabelEncoder",
        f"{_HGB}.binning._BinMapper", f"{_HGB}.gradient_boosting.HistGradientBoostingClassifier",
        f"{_HGB}.predictor.TreePredictor",
        "sklearn.ensemble._forest.ExtraTreesClassifier", "sklearn.tree._classes.ExtraTreeClassifier",
        "sklearn.tree._tree.Tree", *_OURS,
    }
)  # fmt: skip
# Those of the list that skops itself does not trust by default.
_TRUSTED = [f"{_HGB}.predictor.TreePredictor", "sklearn.tree._tree.Tree", *_OURS]
_EPOCH = (1980, 1, 1, 0, 0, 0)


class ArtefactRefused(Exception):
    """The file is not the expected model. `str()` is the reason in French."""


@dataclass(frozen=True)
class ArtefactInfo:
    """Where the model was written and the sha256 of the file, to be kept elsewhere and asked for at load."""

    path: Path
    sha256: str


def _nodes(state: Any) -> Iterator[dict[str, Any]]:
    """Every node of a skops schema, depth first in the order of the file."""
    if isinstance(state, dict):
        if "__class__" in state:
            yield state
        for child in state.values():
            yield from _nodes(child)
    elif isinstance(state, list):
        for child in state:
            yield from _nodes(child)


def _canonical(dump: bytes) -> bytes:
    """The same archive with members and nodes numbered by first appearance and a fixed date: same model, same bytes."""
    source = ZipFile(io.BytesIO(dump))
    schema = json.loads(source.read("schema.json"))
    numbers: dict[object, int] = {}
    files: dict[str, str] = {}
    for node in _nodes(schema):
        if "__id__" in node:
            # Equal small constants may or may not be one object in memory: a JSON leaf never shares its number.
            key = object() if node["__loader__"] == "JsonNode" else node["__id__"]
            node["__id__"] = numbers.setdefault(key, len(numbers) + 1)
        if "n_threads" in node.get("content", ()):  # only of use to bin during the fit: the machine's, not the model's
            node["content"]["n_threads"]["content"] = "1"
        if "file" in node:
            node["file"] = files.setdefault(node["file"], f"{len(files) + 1:06d}{Path(node['file']).suffix}")
    out = io.BytesIO()
    with ZipFile(out, "w", compression=ZIP_STORED) as target:
        for old, new in files.items():
            target.writestr(ZipInfo(new, _EPOCH), _blank_padding(source.read(old)))
        target.writestr(ZipInfo("schema.json", _EPOCH), json.dumps(schema, separators=(",", ":")))
    return out.getvalue()


def _blank_padding(member: bytes) -> bytes:
    """Between the fields of a node of a forest, numpy writes bytes of whatever was in memory."""
    if not member.startswith(b"\x93NUMPY"):
        return member
    array = np.load(io.BytesIO(member), allow_pickle=False)
    if array.dtype.names is None:
        return member
    out = io.BytesIO()
    blank = np.frombuffer(bytearray(array.nbytes), dtype=array.dtype).reshape(array.shape)
    for name in array.dtype.names:
        blank[name] = array[name]
    np.save(out, blank)
    return out.getvalue()


def _metadata(trained: TrainedModel) -> str:
    record = {
        "model_id": trained.model_id,
        "family": trained.family,
        "as_of": trained.as_of.isoformat(),
        "features": [feature.model_dump(by_alias=True) for feature in trained.features],
        "params": asdict(trained.params),
        "seed": trained.seed,
        "metrics": trained.metrics,
        "thresholds": trained.thresholds,
        "trained_on": trained.trained_on,
        "validation": trained.validation,
        "feature_hash": trained.feature_hash,
        "data_hash": trained.data_hash,
        "base": trained.model.base,
        "centre": trained.model.centre.tolist(),
        "shift": trained.model.shift,
        "calibration": trained.calibration,
        "scikit_learn": sklearn.__version__,
    }
    return json.dumps(record, ensure_ascii=False, sort_keys=True)


def save(trained: TrainedModel, folder: Path) -> ArtefactInfo:
    """Write `<model_id>.skops` in `folder` (created if absent), whole or not at all. Same model, same bytes."""
    payload = _canonical(skops.io.dumps({"estimator": trained.model.estimator, "metadata": _metadata(trained)}))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{trained.model_id}.skops"
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        stream.write(payload)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    return ArtefactInfo(path, hashlib.sha256(payload).hexdigest())


def _check_types(payload: bytes) -> None:
    try:
        schema = json.loads(ZipFile(io.BytesIO(payload)).read("schema.json"))
    except Exception as error:
        raise ArtefactRefused(f"le fichier n'est pas une archive skops lisible : {error}") from error
    found = {f"{node['__module__']}.{node['__class__']}" for node in _nodes(schema)}
    if unknown := sorted(found - ALLOWED_TYPES):
        raise ArtefactRefused(f"le fichier contient des types non autorisés : {', '.join(unknown)}")


def load(path: Path, sha256: str, *, features: Sequence[Feature] | None = None) -> TrainedModel:
    """The trained model of `path`. `features`: what the caller will give it (default: the project's list).

    Raises ArtefactRefused when the file's sha256 is not `sha256`, when it holds a type outside ALLOWED_TYPES, when the list of
    variables is not the one it was fitted on, or when it was written by another release of scikit-learn.
    """
    payload = path.read_bytes()
    found = hashlib.sha256(payload).hexdigest()
    if found != sha256:
        raise ArtefactRefused(f"l'empreinte de {path.name} est {found[:12]}…, attendue {sha256[:12]}…")
    _check_types(payload)
    content = skops.io.loads(payload, trusted=_TRUSTED)
    record = json.loads(content["metadata"])
    expected = feature_hash(load_features() if features is None else features)
    if record["feature_hash"] != expected:
        raise ArtefactRefused(
            "la liste des variables n'est plus celle sur laquelle le modèle a été appris : il faut réapprendre"
        )
    if record["scikit_learn"].split(".")[:2] != sklearn.__version__.split(".")[:2]:
        raise ArtefactRefused(
            f"modèle écrit avec scikit-learn {record['scikit_learn']}, version présente : {sklearn.__version__}"
        )
    return _rebuild(content["estimator"], record)


def _rebuild(estimator: Any, record: dict[str, Any]) -> TrainedModel:
    hazard = record["params"].pop("hazard")
    hazard |= {name: tuple(hazard[name]) for name in ("horizons", "members") if name in hazard}
    # A model written before the families is additive, one written before the correction of level has none.
    hazard.pop("additive", None)
    calibration = CalibrationParams(**record["params"].pop("calibration", {"level_months": 0}))
    record = {"family": "additive", "shift": 0.0, "calibration": {}, **record}
    params = TrainParams(hazard=HazardParams(**hazard), calibration=calibration, **record["params"])
    features = tuple(Feature.model_validate(line) for line in record["features"])
    names = [feature.name for feature in features]
    return TrainedModel(
        model=HazardModel(
            estimator,
            names,
            params.hazard,
            additive=FAMILIES[record["family"]].additive,
            **{name: record[name] for name in ("base", "centre", "shift")},
        ),
        as_of=date.fromisoformat(record["as_of"]),
        features=features,
        params=params,
        **{
            name: record[name]
            for name in (
                "model_id",
                "family",
                "seed",
                "metrics",
                "thresholds",
                "trained_on",
                "validation",
                "calibration",
                "feature_hash",
                "data_hash",
            )
        },
    )
