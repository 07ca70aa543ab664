"""Members that something happened to: one line that names the file, nothing written."""

import dataclasses
import json
import os
import shutil

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands.ensemble_members import gather_members
from fer_ensemble.members import directory
from fer_ensemble.members.predictions import read_predictions
from tests.commands.light_members import (
    ALL_RUNS,
    IMAGES,
    change_record,
    expect_one_line,
    seal,
)


def rewrite(name, field, change):
    """Returns what changes a dataset of `predictions.h5`."""

    def damage(member):
        with h5py.File(member / directory.PREDICTIONS, "a") as file:
            values = file[f"{name}/{field}"][()]
            del file[f"{name}/{field}"]
            file[f"{name}/{field}"] = change(values)

    return damage


def remove(what):
    def damage(member):
        with h5py.File(member / directory.PREDICTIONS, "a") as file:
            del file[what]

    return damage


def set_first(value):
    def change(values):
        changed = values.copy()
        changed[0] = value
        return changed

    return change


def cut(name, share=0.5):
    def damage(member):
        content = (member / name).read_bytes()
        (member / name).write_bytes(content[: int(len(content) * share)])

    return damage


def hold_out_as_the_fold_before(member):
    with h5py.File(member / directory.PREDICTIONS, "a") as file:
        del file["oof"]
        with h5py.File(member.parents[1] / "exp_0" / "cnn_0" / directory.PREDICTIONS) as other:
            other.copy("oof", file)


def link_elsewhere(member):
    with h5py.File(member / directory.PREDICTIONS, "a") as file:
        del file["oof"]
        file["oof"] = h5py.ExternalLink(str(member.parents[1] / "exp_0" / "cnn_0" / directory.PREDICTIONS), "oof")


def link_field_elsewhere(member):
    with h5py.File(member / directory.PREDICTIONS, "a") as file:
        del file["oof/labels"]
        file.create_dataset("oof/labels", (IMAGES,), "i1", external=[(str(member / directory.MODEL), 0, IMAGES)])


def declare_a_billion_images(member):
    with h5py.File(member / directory.PREDICTIONS, "a") as file:
        del file["oof"]
        for field, shape, dtype in (("rows", (), "i8"), ("labels", (), "i1"), ("copies", (), "?")):
            file.create_dataset(f"oof/{field}", (10**9, *shape), dtype, chunks=True)
        file.create_dataset("oof/probabilities", (10**9, 3), "f4", chunks=True)


# What happens to exp_1/cnn_0, whose hashes are right again afterwards; and what is said.
PREDICTIONS = {
    "not HDF5": (lambda member: (member / directory.PREDICTIONS).write_text("hello"), "cannot be read"),
    "empty": (cut(directory.PREDICTIONS, 0), "cannot be read"),
    "truncated": (cut(directory.PREDICTIONS), "cannot be read"),
    "no out-of-fold part": (remove("oof"), "has no oof"),
    "no PublicTest": (remove("PublicTest"), "has no PublicTest"),
    "no PrivateTest": (remove("PrivateTest"), "has no PrivateTest"),
    "no labels": (remove("oof/labels"), "oof must have rows, labels, copies, probabilities"),
    "NaN": (rewrite("oof", "probabilities", set_first(np.nan)), "negative, infinite or no numbers"),
    "infinite": (rewrite("PublicTest", "probabilities", set_first(np.inf)), "negative, infinite or no numbers"),
    "negative": (rewrite("oof", "probabilities", set_first([-0.5, 0.5, 1.0])), "negative, infinite or no numbers"),
    "logits": (rewrite("oof", "probabilities", lambda values: values * 3), "do not sum to 1"),
    "two classes": (rewrite("oof", "probabilities", lambda values: values[:, :2]), "labels 0 to 2, of 2 classes"),
    "a class more": (
        lambda member: [
            rewrite(name, "probabilities", lambda values: np.pad(values, ((0, 0), (0, 1))))(member)
            for name in ("oof", "PublicTest", "PrivateTest")
        ],
        "must have 3 classes",
    ),
    "transposed": (rewrite("oof", "probabilities", np.transpose), "has the shapes"),
    "an image less": (rewrite("oof", "labels", lambda values: values[:-1]), "has the shapes"),
    "a scalar": (rewrite("oof", "rows", lambda values: values[0]), "has the shapes"),
    "texts": (rewrite("oof", "labels", lambda values: values.astype("S")), "the kinds"),
    "a label that is no class": (rewrite("oof", "labels", set_first(3)), "labels"),
    "a row twice": (rewrite("oof", "rows", set_first(IMAGES + 1)), "has a row twice"),
    "a row below 0": (rewrite("oof", "rows", set_first(-1)), "one below 0"),
    "images of another fold": (rewrite("oof", "rows", lambda values: values - IMAGES), "other labels of oof"),
    "held out twice": (hold_out_as_the_fold_before, "images held out twice"),
    "labels in another order": (rewrite("PublicTest", "labels", lambda values: values[::-1]), "other labels"),
    "other copies": (rewrite("PublicTest", "copies", lambda values: ~values), "other labels"),
    "fewer test images": (
        lambda member: [
            rewrite("PublicTest", field, lambda values: values[:-1])(member)
            for field in ("rows", "labels", "copies", "probabilities")
        ],
        "predicted 39 images of PublicTest, the members before it 40",
    ),
    "other images": (
        rewrite("PublicTest", "rows", lambda values: values + 1000),
        "predicted other images of PublicTest",
    ),
    "a link to another file": (link_elsewhere, "has links to other files"),
    "a field of another file": (link_field_elsewhere, "must have rows, labels, copies, probabilities"),
    "a billion images": (declare_a_billion_images, "has the shapes"),
}
RECORDS = {
    "history cut short": (cut(directory.HISTORY), "history.csv", None),
    "history of words": (
        lambda member: (member / directory.HISTORY).write_text("loss\nlow\n"), "history.csv", None,
    ),
    "history empty": (lambda member: (member / directory.HISTORY).write_text(""), "it has no rows", None),
    "no history": (lambda member: (member / directory.HISTORY).unlink(), "history.csv is missing", "unsealed"),
    "history changed": (cut(directory.HISTORY, 0.9), "is not the file that the training wrote", "unsealed"),
    "no device": (lambda member: change_record(member, device=None), "it has no device", None),
    "no metrics": (lambda member: change_record(member, metrics=None), "it has no metrics", None),
    "no times": (lambda member: change_record(member, training_seconds=None), "it has no training_seconds", None),
    "a time in words": (lambda member: change_record(member, training_seconds="long"), "cannot be 'long'", None),
    "no fingerprint": (lambda member: change_record(member, data={"name": "a"}), "it has no data.", None),
    "settings are a list": (lambda member: change_record(member, settings=[]), "settings cannot be []", None),
    "a setting is a list": (
        lambda member: change_record(member, settings={"model": "cnn", "replica": 0, "fold": 1, "epochs": [1]}),
        "settings.epochs cannot be [1]",
        None,
    ),
    "classes are a text": (
        lambda member: change_record(member, class_names="happy"), "class_names cannot be", None,
    ),
    "a class twice": (
        lambda member: change_record(member, class_names=["a", "a", "b"]), "has a name twice", None,
    ),
    "hashes are numbers": (
        lambda member: change_record(member, files={"model.keras": 7}),
        "files cannot hold 'model.keras'",
        "unsealed",
    ),
    "a file elsewhere": (
        lambda member: change_record(member, files={"../../../etc/passwd": "0" * 64}),
        "files cannot hold",
        "unsealed",
    ),
    "no model": (lambda member: change_record(member, files={"history.csv": "0" * 64}), "history.csv", "unsealed"),
    "a record that is nested": (
        lambda member: (member / directory.RECORD).write_text("[" * 100_000), "nested too deeply", "unsealed",
    ),
    "a record of 100 MB": (
        lambda member: os.truncate(member / directory.RECORD, 100_000_000), "at most", "unsealed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PREDICTIONS)
def test_damaged_predictions_are_told_before_anything_is_written(case, light_ensemble):
    damage, message = PREDICTIONS[case]
    damage(light_ensemble / "exp_1" / "cnn_0")
    seal(light_ensemble / "exp_1" / "cnn_0")
    expect_one_line(light_ensemble, message, "exp_1/cnn_0" if "held out twice" not in message else "cnn_0")


@pytest.mark.parametrize("case", RECORDS)
def test_damaged_records_and_histories_are_told_before_anything_is_written(case, light_ensemble):
    damage, message, sealed = RECORDS[case]
    damage(light_ensemble / "exp_1" / "cnn_0")
    if sealed is None:
        seal(light_ensemble / "exp_1" / "cnn_0")
    expect_one_line(light_ensemble, message, "exp_1/cnn_0")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("settings", "class_names", "data", "folds", "files", "training_seconds", "versions", "metrics", "device")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FIELDS), JSON)
def test_whatever_a_record_holds_it_is_told_in_one_line_or_scored(pristine, tmp_path_factory, field, value):
    folder = tmp_path_factory.mktemp("fuzzed") / "ensemble"
    shutil.copytree(pristine, folder)
    member = folder / "exp_1" / "cnn_0"
    record = json.loads((member / "member.json").read_text())
    (member / "member.json").write_text(json.dumps({**record, field: value}))
    try:
        members, _ = gather_members(str(folder), ALL_RUNS)
    except UserError as told:
        assert "exp_1" in str(told)
    else:
        assert [dataclasses.asdict(member)["run"] for member in members] == ["cnn_0"] * 4 + ["resnet_0"] * 4
    shutil.rmtree(folder)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 20_000))
def test_whatever_bytes_predictions_hold_they_are_told_in_one_line_or_read(
    pristine, tmp_path_factory, some, start
):
    content = bytearray((pristine / "exp_1" / "cnn_0" / "predictions.h5").read_bytes())
    content[start : start + len(some)] = some
    path = tmp_path_factory.mktemp("fuzzed") / "predictions.h5"
    path.write_bytes(content)
    try:
        parts, _ = read_predictions(path)
    except UserError as told:
        assert "predictions.h5" in str(told) and "\n" not in str(told)
    else:
        assert set(parts) <= {"oof", "PublicTest", "PrivateTest"}
