"""predict.py and members that something happened to: one line that names the file, nothing written."""

import dataclasses
import hashlib
import json
import os
import shutil

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands.ensemble_members import gather_members, training_command
from fer_ensemble.commands.predict import report_ensemble
from fer_ensemble.commands.predict_options import PredictOptions, predict_photos
from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.store import write_dataset
from fer_ensemble.members import directory
from fer_ensemble.members.predictions import Predictions, read_predictions, write_predictions
from fer_ensemble.training.settings import TrainingSettings

CLASSES = ("happy", "sad", "neutral")
RUNS = ("cnn_0", "resnet_0")
IMAGES = 40  # held out by each fold; as many in each test split
FINGERPRINT = hashlib.sha256(b"data").hexdigest()
HISTORY = "epoch,loss,accuracy,val_loss,val_accuracy\n1,1.5,0.4,1.4,0.5\n2,1.2,0.5,,\n"
ALL_LABELS = np.random.default_rng(0).integers(0, 3, 6 * IMAGES).astype(np.int8)


def make_part(generator, rows, skill=1.0):
    """Predictions of some images by a network that knows something of their labels."""
    labels = ALL_LABELS[rows]
    logits = generator.normal(0, 1, (len(rows), 3)) + skill * np.eye(3)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(rows, labels, np.zeros(len(rows), bool), probabilities.astype(np.float32))


def make_member(folder, fold, run, **settings):
    """Writes one finished member, and returns its folder."""
    generator = np.random.default_rng([int(run[-1]), fold, len(run)])
    model, replica = run.rsplit("_", 1)
    member = directory.member_folder(folder, fold, run)
    member.mkdir(parents=True)
    rows = np.arange(6 * IMAGES).reshape(6, IMAGES)
    parts = {"oof": rows[fold], "PublicTest": rows[4], "PrivateTest": rows[5]}
    parts = {name: make_part(generator, chosen) for name, chosen in parts.items()}
    write_predictions(member / directory.PREDICTIONS, parts, FINGERPRINT)
    (member / directory.MODEL).write_bytes(f"{run}, {fold}".encode())
    (member / directory.HISTORY).write_text(HISTORY)
    values = {**dataclasses.asdict(TrainingSettings(model=model, replica=int(replica), fold=fold)), **settings}
    record = {
        "settings": values,
        "class_names": list(CLASSES),
        "data": {"name": "faces.h5", "images": 6 * IMAGES, "fingerprint": FINGERPRINT},
        "folds": {"folds": 4, "seed": 0, "fingerprint": "f" * 64},
        "seed": 1,
        "precision": "float32",
        "device": "a CPU",
        "versions": {"fer_ensemble": "0.1.0", "keras": "3.15.1"},
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:05:05+00:00",
        "training_seconds": 60.0,
        "metrics": {"oof": 0.5, "PublicTest": 0.5},
    }
    directory.write_record(member, record, [directory.MODEL, directory.PREDICTIONS, directory.HISTORY])
    return member


def make_ensemble(folder):
    """Writes all members, and returns the folder."""
    for run in RUNS:
        for fold in range(4):
            make_member(folder, fold, run)
    return folder


def change_record(member, **changes):
    """Changes fields of a member's record; `None` takes one away."""
    path = member / directory.RECORD
    record = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: value for name, value in record.items() if value is not None}))


def seal(member):
    """Makes a member's files, whatever became of them, those that its record names."""
    record = json.loads((member / directory.RECORD).read_text())
    names = record.pop("files")
    directory.write_record(member, record, names)


ALL_RUNS = ",".join(RUNS)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """The folder of an ensemble. Copy it."""
    return make_ensemble(tmp_path_factory.mktemp("light"))


@pytest.fixture
def ensemble(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "ensemble")


def predict(folder, **options):
    report_ensemble(PredictOptions(ensemble=str(folder), **{"runs": ALL_RUNS, **options}))


def list_files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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
def test_damaged_predictions_are_told_before_anything_is_written(case, ensemble):
    damage, message = PREDICTIONS[case]
    damage(ensemble / "exp_1" / "cnn_0")
    seal(ensemble / "exp_1" / "cnn_0")
    expect_one_line(ensemble, message, "exp_1/cnn_0" if "held out twice" not in message else "cnn_0")


@pytest.mark.parametrize("case", RECORDS)
def test_damaged_records_and_histories_are_told_before_anything_is_written(case, ensemble):
    damage, message, sealed = RECORDS[case]
    damage(ensemble / "exp_1" / "cnn_0")
    if sealed is None:
        seal(ensemble / "exp_1" / "cnn_0")
    expect_one_line(ensemble, message, "exp_1/cnn_0")


def test_a_folder_in_the_place_of_a_result_is_told_before_any_is_written(ensemble, tmp_path):
    (tmp_path / "out" / "report.html").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=r"out/report\.html"):
        predict(ensemble, output=str(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]


def expect_one_line(folder, message, member, **options):
    before = list_files(folder)
    with pytest.raises(UserError) as told:
        predict(folder, **options)
    assert message in str(told.value) and member in str(told.value)
    assert len(str(told.value)) < 900
    assert list_files(folder) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runs": "bogus_0"}, "`runs` must name runs that .* holds: cnn_0, resnet_0. Received: bogus_0."),
        ({"runs": "../../cnn_0"}, "`runs` must be names such as cnn_0. Received: ../../cnn_0."),
        ({"weights": "/dev/zero"}, "/dev/zero must be a JSON file of weights, a file"),
        ({"weights": "."}, "must be a JSON file of weights, a file"),
        ({"runs": "cnn_0,cnn_0"}, "`runs` must name each run once. Received: cnn_0 twice."),
        ({"splits": "OOF,Training"}, "`splits` must be among OOF, PublicUse and PrivateUse."),
        ({"save": True, "output": "elsewhere"}, "`save` writes ensemble.json beside the members"),
        ({"tta": "flip"}, "`tta` must be auto without `data`"),
    ],
)
def test_what_cannot_be_meant_is_told(ensemble, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = list_files(ensemble)
    with pytest.raises(UserError, match=message):
        predict(ensemble, **options)
    assert list_files(ensemble) == before


@pytest.mark.parametrize("options", [{"splits": "OOF,Training"}, {"data": "other.csv"}, {"save": True}])
def test_photos_take_nothing_that_has_no_meaning_for_them(ensemble, options):
    options = PredictOptions(ensemble=str(ensemble), images="me.png", **options)
    with pytest.raises(UserError, match=r"`splits` must be among|`images` are predicted instead of `data`"):
        predict_photos(options, ["me.png"])


def write_data(path, usage, labels=None):
    images = np.random.default_rng(0).integers(0, 256, (len(usage), 48, 48), np.uint8)
    labels = np.zeros(len(usage), int) if labels is None else labels
    write_dataset(make_dataset(images, labels, np.array(usage), np.arange(len(usage)), CLASSES), path)
    return path


def test_a_folder_of_tables_alone_is_scored_again_and_left_as_it_is(ensemble, tmp_path, capsys):
    predict(ensemble, save=True)
    expected = json.loads((ensemble / "scores.json").read_text())
    for member in ensemble.glob("exp_*/*"):
        (member / directory.MODEL).unlink()
        (member / directory.PREDICTIONS).unlink()
    before = list_files(ensemble)
    capsys.readouterr()
    predict(ensemble, runs="", allow_missing=True)
    assert "They are not weighed anew" in capsys.readouterr().out
    assert list_files(ensemble) == before
    predict(ensemble, runs="", allow_missing=True, output=str(tmp_path / "out"), splits="OOF,PublicUse")
    found = json.loads((tmp_path / "out" / "scores.json").read_text())
    for name in ("oof", "PublicTest"):
        one, other = found["splits"][name], expected["splits"][name]
        assert one["ensemble"]["accuracy"] == other["ensemble"]["accuracy"]
        assert one["ensemble"]["log_loss"] == pytest.approx(other["ensemble"]["log_loss"], abs=1e-5)
        after = other["calibration"]["after"]["log_loss"]
        assert one["calibration"]["after"]["log_loss"] == pytest.approx(after, abs=1e-5)
        assert one["members"]["mean"] == 0.5  # as their records note it
    assert "PrivateTest" not in found["splits"] and (tmp_path / "out" / "report.html").is_file()
    for options in ({"weights": "equal"}, {"calibrate": True}, {"save": True}, {"runs": "cnn_0"}):
        with pytest.raises(UserError, match="no predictions of single members"):
            predict(ensemble, **{"runs": "", "allow_missing": True, **options})


def test_data_without_test_images_are_told_and_nothing_is_scored_in_their_name(ensemble, tmp_path):
    data = write_data(tmp_path / "training.h5", [0] * 9)
    expect_one_line(ensemble, "must have images of PublicTest or PrivateTest", "training.h5", data=str(data))


@pytest.mark.parametrize("kind", ["other classes", "other data", "damaged", "a text"])
def test_a_file_of_that_name_below_the_current_directory_is_not_taken_for_the_training_s(
    kind, ensemble, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "faces.h5"
    if kind == "other classes":
        images = np.zeros((2, 48, 48), np.uint8)
        write_dataset(make_dataset(images, np.zeros(2, int), np.zeros(2, int), np.arange(2), ("cat", "dog")), path)
    elif kind == "other data":
        write_data(path, [0, 1, 2])
    else:
        path.write_bytes(b"\x89HDF\r\n\x1a\n" if kind == "damaged" else b"emotion,pixels\n")
    before = sorted((tmp_path / "data").iterdir())
    predict(ensemble, output=str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["copies"] is None
    assert sorted((tmp_path / "data").iterdir()) == before


def test_a_record_s_data_name_leads_nowhere_else(ensemble, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    write_data(tmp_path / "secret.h5", [0, 1, 2])
    for member in ensemble.glob("exp_*/*"):
        data = json.loads((member / "member.json").read_text())["data"]
        change_record(member, data={**data, "name": "../../secret.h5"})
    predict(ensemble, output=str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["copies"] is None


def test_members_of_one_run_that_were_trained_differently_are_named(ensemble, tmp_path, capsys):
    settings = json.loads((ensemble / "exp_2" / "cnn_0" / "member.json").read_text())["settings"]
    change_record(ensemble / "exp_2" / "cnn_0", settings={**settings, "epochs": 7})
    predict(ensemble, output=str(tmp_path / "out"))
    told = capsys.readouterr().out
    assert "members of cnn_0 differ in epochs" in told and "7 in fold 2" in told
    assert "cnn_0" in json.loads((tmp_path / "out" / "scores.json").read_text())["differing_settings"]


def test_a_missing_member_is_trained_with_the_settings_of_its_own_architecture(tmp_path):
    for run, width in (("resnet18_0", 64), ("resnet_0", 16), ("cnn_0", 32), ("cnn4_0", 8)):
        for fold in range(4):
            make_member(tmp_path, fold, run, width=width, epochs=9)
    shutil.rmtree(tmp_path / "exp_3" / "resnet_0")
    with pytest.raises(
        UserError, match=r"model_train\.py --model=resnet --replica=0 --fold=3 .*--width=16 "
    ) as told:
        gather_members(str(tmp_path), "resnet18_0,resnet_0,cnn_0,cnn4_0")
    assert "--width=64" not in str(told.value)
    members, _ = gather_members(str(tmp_path), "resnet18_0,cnn_0,cnn4_0")
    command = training_command("exp_0/vgg16_1", members, "my experiments")
    # Of an architecture that nobody has: only what all share.
    assert "--width" not in command and "--epochs=9" in command and "'--experiments=my experiments'" in command


def test_weights_are_chosen_once_and_kept_until_somebody_asks(ensemble, tmp_path, capsys):
    predict(ensemble, runs="", allow_missing=True)  # cnn_1 and resnet_1 are missing: not what is meant
    assert not (ensemble / "ensemble.json").exists()
    predict(ensemble, save=True)
    saved = (ensemble / "ensemble.json").read_bytes()
    capsys.readouterr()
    for options in ({"weights": "equal"}, {"weights": "equal", "output": str(tmp_path / "out")}, {}):
        predict(ensemble, **options)
        assert (ensemble / "ensemble.json").read_bytes() == saved
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["weights_from"] == "equal"
    assert not (tmp_path / "out" / "ensemble.json").exists()
    predict(ensemble, weights="greedy", save=True)
    assert json.loads((ensemble / "ensemble.json").read_text())["weights_from"] == "greedy"
    predict(ensemble)  # auto: what was chosen
    assert json.loads((ensemble / "scores.json").read_text())["weights_from"] == "greedy"
    assert "weights of the runs (greedy)" in capsys.readouterr().out


def test_the_first_run_saves_what_it_chose(tmp_path):
    for run in ("cnn_0", "cnn_1", "resnet_0", "resnet_1"):
        for fold in range(4):
            make_member(tmp_path, fold, run)
    predict(tmp_path, runs="")
    saved = json.loads((tmp_path / "ensemble.json").read_text())
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert {one["name"]: one["weight"] for one in saved["members"]} == scores["member_weights"]
    assert saved["calibration"]["held_out"] == scores["calibration"]["oof"]
    assert saved["calibration"]["all"] == scores["calibration"]["test"]
    assert saved["unsure_below"] == scores["unsure_below"]
    # A member that was trained anew makes it another ensemble.
    (tmp_path / "exp_0" / "cnn_0" / "model.keras").write_bytes(b"another")
    seal(tmp_path / "exp_0" / "cnn_0")
    predict(tmp_path, runs="")
    assert json.loads((tmp_path / "ensemble.json").read_text())["members"] != saved["members"]


def test_results_are_there_when_nobody_can_be_told(ensemble, tmp_path, monkeypatch):
    def refuse(*words, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("builtins.print", refuse)
    with pytest.raises(OSError, match="No space left"):
        predict(ensemble, output=str(tmp_path / "out"))
    assert (tmp_path / "out" / "scores.json").is_file() and (tmp_path / "out" / "report.html").is_file()


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
