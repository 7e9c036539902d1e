from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from zipfile import ZipFile

import polars as pl
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from models_ml.artefact import ArtefactRefused, load, save
from models_ml.features import Feature
from models_ml.train import TrainedModel


def test_a_model_read_back_is_the_same_model(
    trained: TrainedModel, small_features: tuple[Feature, ...], last_month: pl.DataFrame, tmp_path: Path
) -> None:
    info = save(trained, tmp_path)
    back = load(info.path, info.sha256, features=small_features)
    assert back.model.predict(last_month).equals(trained.model.predict(last_month))
    assert back.model.shift == trained.model.shift != 0
    assert back.model.contributions(last_month).equals(trained.model.contributions(last_month))
    for name in (
        "model_id",
        "as_of",
        "features",
        "params",
        "seed",
        "metrics",
        "thresholds",
        "trained_on",
        "validation",
        "calibration",
        "data_hash",
    ):
        assert getattr(back, name) == getattr(trained, name), name


def test_the_same_model_has_the_same_bytes(
    trained: TrainedModel, small_features: tuple[Feature, ...], tmp_path: Path
) -> None:
    """skops stamps members with the clock and names them after memory addresses."""
    first = save(trained, tmp_path / "a")
    second = save(load(first.path, first.sha256, features=small_features), tmp_path / "b")
    assert first.sha256 == second.sha256 == hashlib.sha256(second.path.read_bytes()).hexdigest()
    assert first.path.name == f"{trained.model_id}.skops"
    assert [path.name for path in (tmp_path / "a").iterdir()] == [first.path.name]


def test_a_file_with_another_hash_is_refused(
    trained: TrainedModel, small_features: tuple[Feature, ...], tmp_path: Path
) -> None:
    info = save(trained, tmp_path)
    payload = bytearray(info.path.read_bytes())
    payload[len(payload) // 2] ^= 1
    info.path.write_bytes(payload)
    with pytest.raises(ArtefactRefused, match="empreinte"):
        load(info.path, info.sha256, features=small_features)


def test_a_list_of_variables_that_changed_is_refused(
    trained: TrainedModel, small_features: tuple[Feature, ...], tmp_path: Path
) -> None:
    """A model fed with another list of columns answers without complaint, and wrongly."""
    info = save(trained, tmp_path)
    with pytest.raises(ArtefactRefused, match="liste des variables"):
        load(info.path, info.sha256, features=small_features[:-1])
    with pytest.raises(ArtefactRefused, match="liste des variables"):
        load(info.path, info.sha256)


def test_a_type_outside_the_list_is_refused_even_when_skops_trusts_it(tmp_path: Path) -> None:
    path = tmp_path / "other.skops"
    payload = skops.io.dumps({"estimator": LogisticRegression(), "metadata": "{}"})
    path.write_bytes(payload)
    with pytest.raises(ArtefactRefused, match="LogisticRegression"):
        load(path, hashlib.sha256(payload).hexdigest())


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.skops"
    path.write_bytes(b"not a model")
    with pytest.raises(ArtefactRefused, match="archive"):
        load(path, hashlib.sha256(b"not a model").hexdigest())


def test_a_model_of_another_scikit_learn_is_refused(
    trained: TrainedModel, small_features: tuple[Feature, ...], tmp_path: Path
) -> None:
    info = save(trained, tmp_path)
    source = ZipFile(info.path)
    schema = json.loads(source.read("schema.json"))
    out = io.BytesIO()
    with ZipFile(out, "w") as target:
        for name in source.namelist():
            if name != "schema.json":
                target.writestr(name, source.read(name))
        leaf = schema["content"]["metadata"]
        record = json.loads(json.loads(leaf["content"]))
        leaf["content"] = json.dumps(json.dumps({**record, "scikit_learn": "0.24.2"}))
        target.writestr("schema.json", json.dumps(schema))
    info.path.write_bytes(out.getvalue())
    with pytest.raises(ArtefactRefused, match=r"0\.24\.2"):
        load(info.path, hashlib.sha256(out.getvalue()).hexdigest(), features=small_features)
