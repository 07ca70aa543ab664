"""The ensemble that one holds in one's hand."""

import concurrent.futures
import dataclasses
import json
import shutil

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.ensemble.choice import choose, find_saved, is_saved, make_record
from fer_ensemble.ensemble.ensemble_file import NAME, read_record, write_record
from fer_ensemble.ensemble.keras_network import KerasNetwork
from fer_ensemble.ensemble.parts import join_parts
from fer_ensemble.ensemble.saved import Ensemble
from fer_ensemble.members.collection import collect_members, own_predictions
from fer_ensemble.members.predictions import read_predictions

FACES = np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)
RUNS = ("cnn_0", "resnet_0")


def gather(folder):
    members, missing = collect_members(folder, RUNS, range(4), whole=True)
    assert not missing
    return members


def choose_for(members, weighting="auto"):
    parts = [own_predictions(member) for member in members]
    oof, public = (join_parts(name, members, [part[name] for part in parts]) for name in ("oof", "PublicTest"))
    return choose(weighting, oof, public)


@pytest.fixture(scope="module")
def saved(untrained, tmp_path_factory):
    """The folder of a saved ensemble. Copy what you change."""
    folder = shutil.copytree(untrained, tmp_path_factory.mktemp("saved") / "ensemble")
    members = gather(folder)
    write_record(folder, make_record(choose_for(members), members, "none"))
    return folder


@pytest.fixture(scope="module")
def loaded(saved):
    return Ensemble.load(saved, precision="float32")


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


def test_what_is_saved_is_read_again_to_the_last_digit(saved):
    members = gather(saved)
    record = make_record(choose_for(members), members, "none")
    assert read_record(saved) == record
    assert list(record.weights) == [member.name for member in members]
    assert set(record.calibrations.single) == set(RUNS)


def test_a_member_alone_has_the_calibration_of_its_own_views_or_none(copy):
    path = copy / "exp_0" / "cnn_0" / "model.keras"
    record = read_record(copy)
    alone = KerasNetwork(path, "float32")
    assert alone.about["calibration"] == dict(vars(record.calibrations.single["cnn_0"]))
    write_record(copy, dataclasses.replace(record, views="flip"))
    assert KerasNetwork(path, "float32").about["calibration"] is None


def test_it_answers_with_the_calibrated_average_of_its_members(loaded, saved, tiny_dataset):
    record = read_record(saved)
    parts = {name: read_predictions(saved / name / "predictions.h5")[0]["PublicTest"] for name in record.weights}
    average = sum(record.weights[name] * part.probabilities.astype(np.float64) for name, part in parts.items())
    rows = next(iter(parts.values())).rows
    found = loaded.predict(tiny_dataset.images[np.isin(tiny_dataset.rows, rows)])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, record.calibrations.all.apply(average), atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert loaded.class_names == tiny_dataset.class_names
    assert loaded.predict(FACES[:0]).shape == (0, 3)


def test_all_resident_or_one_at_a_time_answer_the_same(loaded, saved):
    everything = Ensemble.load(saved, resident="all", precision="float32")
    np.testing.assert_allclose(everything.predict(FACES), loaded.predict(FACES), atol=1e-6)


def test_threads_that_ask_at_once_get_what_each_would_get_alone(loaded):
    faces = [np.roll(FACES, shift, axis=2) for shift in range(6)]
    alone = [loaded.predict(some) for some in faces]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        together = list(pool.map(loaded.predict, faces))
    np.testing.assert_array_equal(together, alone)


def test_a_call_reads_no_file_and_writes_none(copy):
    ensemble = Ensemble.load(copy, precision="float32")
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    expected = ensemble.predict(FACES)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    shutil.rmtree(copy)
    np.testing.assert_array_equal(ensemble.predict(FACES), expected)


def test_views_are_averaged_before_the_calibration(loaded, saved):
    members = (loaded.predict_members(FACES) + loaded.predict_members(FACES[:, :, ::-1])) / 2
    np.testing.assert_allclose(loaded.predict(FACES, views="flip"), loaded.combine(members), atol=1e-5)


def test_it_knows_where_it_comes_from(loaded, saved, tiny_dataset):
    facts = json.loads(json.dumps(loaded.about))
    assert facts["data"]["fingerprint"] == tiny_dataset.fingerprint
    assert facts["models"] == read_record(saved).models and len(facts["models"]) == 8
    assert 0 <= loaded.unsure_below <= 1
    assert "47 images" in facts["chosen_on"] or "48 images" in facts["chosen_on"]


@pytest.mark.parametrize(
    ("images", "views", "message"),
    [
        (FACES.astype(np.float32), None, r"`images` must be uint8 .* Received: float32 of shape \(5, 48, 48\)"),
        (FACES[0], None, r"Received: uint8 of shape \(48, 48\)"),
        (FACES[:, :40], None, r"Received: uint8 of shape \(5, 40, 48\)"),
        (FACES, "upside", r"`views` must be among none, flip, shifts, tencrop\. Received: 'upside'"),
    ],
)
def test_anything_but_faces_is_refused(loaded, images, views, message):
    with pytest.raises(UserError, match=message):
        loaded.predict(images, views)


def test_no_saved_ensemble_is_told_with_what_makes_one(untrained):
    with pytest.raises(FileNotFoundError, match=r"There is no .*ensemble\.json.* python predict\.py --ensemble"):
        Ensemble.load(untrained)


def test_another_network_than_the_saved_one_is_refused(copy):
    with (copy / "exp_1" / "cnn_0" / "model.keras").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(UserError, match=r"exp_1/cnn_0/model\.keras is not the network that ensemble\.json names"):
        Ensemble.load(copy)
    (copy / "exp_1" / "cnn_0" / "model.keras").unlink()
    with pytest.raises(FileNotFoundError, match=r"There is no .*exp_1/cnn_0/model\.keras.* choose weights anew"):
        Ensemble.load(copy)
    (copy / "ensemble.onnx").touch()
    with pytest.raises(FileNotFoundError, match=r"The same networks are in .*ensemble\.onnx: load that"):
        Ensemble.load(copy)


def test_what_was_chosen_is_found_again_for_these_very_members_and_views_alone(copy):
    members = gather(copy)
    found = find_saved(copy, members, "none")
    np.testing.assert_array_equal(found.weights, choose_for(members).weights)
    assert is_saved(copy, members)
    assert find_saved(copy, members, "flip") is None
    assert find_saved(copy, members[:4], "none") is None
    changed = {**members[0].record, "files": {**members[0].record["files"], "model.keras": "0" * 64}}
    assert not is_saved(copy, [dataclasses.replace(members[0], record=changed), *members[1:]])


def change(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


COLD = {"smoothing": 0, "temperature": 0}
ONE = {"name": "exp_0/cnn_0", "model_sha256": "0" * 64, "weight": 1}
DAMAGED = {
    "empty": (b"", "damaged"),
    "cut": (b'{"format_version": 1,', "damaged"),
    "no text": (b"\xff\xfe\x00", "no UTF-8 text"),
    "a list": (b"[]", "one object is needed"),
    "nested": (b"[" * 100_000, "nested too deeply"),
    "another version": ({"format_version": 2}, "format_version is 2, not 1"),
    "no version": ({"format_version": None}, "format_version cannot be None"),
    "no classes": ({"class_names": []}, "class_names cannot be"),
    "a class twice": ({"class_names": ["a", "a", "b"]}, "a name twice"),
    "members of no folder": ({"members": [{**ONE, "name": "../../etc/cnn_0"}]}, "is no member"),
    "an absolute member": ({"members": [{**ONE, "name": "/exp_0/cnn_0"}]}, "is no member"),
    "a member twice": ({"members": [ONE, ONE]}, "stands twice"),
    "no hash": ({"members": [{**ONE, "model_sha256": "abc"}]}, "64 hex digits"),
    "no member": ({"members": []}, "must sum to 1"),
    "a negative weight": ({"members": [{**ONE, "weight": -1}]}, "between 0 and 1"),
    "a weight that is none": ({"members": [{**ONE, "weight": "1"}]}, "weight cannot be '1'"),
    "weights that sum to 2": ({"members": [ONE, {**ONE, "name": "exp_1/cnn_0"}]}, "must sum to 1"),
    "a huge weight": ({"members": [{**ONE, "weight": 10**400}]}, "between 0 and 1"),
    "views": ({"views": "sideways"}, "views must be among"),
    "a threshold": ({"unsure_below": 2}, "unsure_below must lie between 0 and 1"),
    "a calibration": ({"calibration": {"single": {}, "held_out": {}, "all": {}}}, "it has no smoothing"),
    "a temperature": ({"calibration": {"single": {}, "held_out": COLD, "all": COLD}}, "temperature 0"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_told_in_one_line_with_what_to_do(case, saved, tmp_path):
    content, message = DAMAGED[case]
    path = shutil.copy(saved / NAME, tmp_path)
    path = tmp_path / NAME
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        change(path, **content)
    with pytest.raises(UserError) as told:
        read_record(tmp_path)
    assert message in str(told.value) and str(path) in str(told.value)
    assert "Make it anew: python predict.py --ensemble" in str(told.value) and "\n" not in str(told.value)


WITHOUT_KERAS = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.split(".")[0])

sys.meta_path.insert(0, Missing())
import fer_ensemble.ensemble.oof
from fer_ensemble.base.errors import MissingPackageError
from fer_ensemble.ensemble.saved import Ensemble

try:
    Ensemble.load({folder!r})
except MissingPackageError as told:
    assert "pip install 'fer-ensemble[train]'" in str(told), told
else:
    raise SystemExit("loaded")
"""


def test_a_base_installation_names_what_is_missing(saved, python):
    absent = ("keras", "tensorflow", "h5py", "pandas", "scipy", "sklearn", "filelock", "fcntl", "matplotlib")
    answer = python("-c", WITHOUT_KERAS.format(absent=absent, folder=str(saved)))
    assert answer.returncode == 0, answer.stderr
