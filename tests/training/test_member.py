import csv
import dataclasses
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from fer_ensemble import __version__
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.stop_signals import Stopped
from fer_ensemble.commands.predict import report_ensemble
from fer_ensemble.commands.predict_options import PredictOptions
from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, TRAINING, UNLABELLED
from fer_ensemble.data.folds import FOLD_SPLITTER, load_folds
from fer_ensemble.data.store import write_dataset
from fer_ensemble.ensemble.saved import Ensemble
from fer_ensemble.members import directory, lock, replacement
from fer_ensemble.members.predictions import predict_probabilities, read_predictions
from fer_ensemble.training import checkpoint
from fer_ensemble.training.history import HISTORY_COLUMNS
from fer_ensemble.training.member import member_seed, train_member
from fer_ensemble.training.settings import FOLDS, TrainingSettings
from fer_ensemble.training.splits import split_training
from fer_ensemble.training.training_options import TrainingOptions

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPLETE = {"member.json", "model.keras", "predictions.h5", "history.csv", "lock"}


@pytest.fixture
def copy(tiny_member, tmp_path):
    """A copy of the finished member, to be changed."""
    return pathlib.Path(shutil.copytree(tiny_member.parents[1], tmp_path / "copy")) / "exp_0" / "cnn_0"


def options_for(folder, data, **changes):
    return TrainingOptions(data=str(data), experiments=str(folder.parents[1]), **changes)


def describe(folder):
    """Times and contents of the files in a folder; taking the lock touches that file, and means nothing."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def command(folder, data, settings):
    flags = [
        f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in dataclasses.asdict(settings).items()
    ]
    return [*flags, f"--data={data}", f"--experiments={folder.parents[1]}"]


def test_a_finished_member_holds_just_what_is_promised(tiny_member):
    assert {path.name for path in tiny_member.iterdir()} == COMPLETE


def test_the_record_tells_how_the_member_was_made(tiny_member, tiny_data, tiny_dataset, tiny_settings):
    record = directory.read_record(tiny_member)
    assert record["settings"] == dataclasses.asdict(tiny_settings)
    assert record["class_names"] == ["happy", "surprise", "neutral"]
    assert record["data"] == {"name": "tiny.h5", "images": 73, "fingerprint": tiny_dataset.fingerprint}
    fingerprint = load_folds(tiny_dataset, tiny_data, FOLDS, 0)[1]
    assert record["folds"] == {"folds": 4, "seed": 0, "splitter": FOLD_SPLITTER, "fingerprint": fingerprint}
    assert record["seed"] == member_seed(tiny_settings)
    assert record["precision"] == "float32" and record["device"]
    versions = record["versions"]
    assert versions["fer_ensemble"] == __version__ and versions["numpy"] == np.__version__
    assert versions.keys() == {"fer_ensemble", "python", "keras", "backend", versions["backend"], "numpy", "h5py"}
    assert record["started"] <= record["finished"]
    with (tiny_member / "history.csv").open() as file:
        seconds = sum(float(row["seconds"]) for row in csv.DictReader(file))
    assert record["training_seconds"] == pytest.approx(seconds, abs=0.06)


def test_the_hashes_are_those_of_the_files(tiny_member):
    hashes = directory.read_record(tiny_member)["files"]
    assert hashes == {
        name: hashlib.sha256((tiny_member / name).read_bytes()).hexdigest()
        for name in ("model.keras", "predictions.h5", "history.csv")
    }


def test_the_out_of_fold_rows_are_exactly_the_fold_s(tiny_member, tiny_data, tiny_dataset):
    folds, _ = load_folds(tiny_dataset, tiny_data, FOLDS, 0)
    training = tiny_dataset.split(TRAINING)
    held_out = training[(folds == 0) & (tiny_dataset.labels[training] != UNLABELLED)]
    parts, fingerprint = read_predictions(tiny_member / "predictions.h5")
    assert fingerprint == tiny_dataset.fingerprint
    expected = {
        "oof": held_out,
        "PublicTest": tiny_dataset.split(PUBLIC_TEST),
        "PrivateTest": tiny_dataset.split(PRIVATE_TEST),
    }
    assert parts.keys() == expected.keys()
    for name, positions in expected.items():
        np.testing.assert_array_equal(parts[name].rows, tiny_dataset.rows[positions])
        np.testing.assert_array_equal(parts[name].labels, tiny_dataset.labels[positions])
        assert parts[name].probabilities.shape == (len(positions), 3)
        np.testing.assert_allclose(parts[name].probabilities.sum(axis=1), 1, atol=1e-6)


def test_only_the_held_out_images_were_not_trained_on(tiny_member, tiny_data, tiny_dataset, tmp_path, capsys):
    assert len(load_folds(tiny_dataset, tiny_data, FOLDS, 0)[0]) == 49  # 48 with a label
    settings = TrainingSettings(width=4, input_size=16, epochs=1, fold=2, precision="float32")
    train_member(settings, TrainingOptions(data=str(tiny_data), experiments=str(tmp_path)))
    parts, _ = read_predictions(tmp_path / "exp_2" / "cnn_0" / "predictions.h5")
    own = 48 - len(parts["oof"].rows)
    assert f"cnn_0, fold 2: {own} images to train on, {48 - own} held out, 1 epochs" in capsys.readouterr().out
    # The folds of one run share no image.
    other = read_predictions(tiny_member / "predictions.h5")[0]["oof"].rows
    assert not set(parts["oof"].rows) & set(other)


def test_the_out_of_fold_images_of_a_holdout_are_those_held_out(tiny_data, tiny_dataset, tmp_path):
    settings = TrainingSettings(width=4, input_size=16, epochs=1, fold=None, holdout=0.25, precision="float32")
    train_member(settings, TrainingOptions(data=str(tiny_data), experiments=str(tmp_path)))
    folder = tmp_path / "exp_none" / "cnn_0"
    part = read_predictions(folder / "predictions.h5")[0]["oof"]
    held_out = split_training(tiny_dataset, tiny_data, settings)[1]
    np.testing.assert_array_equal(part.rows, tiny_dataset.rows[held_out])
    record = directory.read_record(folder)
    assert record["metrics"]["oof"] is not None
    assert (record["folds"]["folds"], record["folds"]["holdout"]) == (None, 0.25)
    with (folder / "history.csv").open() as file:
        assert float(next(csv.DictReader(file))["val_accuracy"]) == pytest.approx(
            record["metrics"]["oof"], abs=1e-5
        )


def test_the_predictions_are_those_of_the_saved_model(tiny_member, tiny_dataset):
    import keras

    model = keras.saving.load_model(tiny_member / "model.keras", compile=False)
    public = tiny_dataset.split(PUBLIC_TEST)
    expected = model.predict(tiny_dataset.images[public][..., None], verbose=0)
    part = read_predictions(tiny_member / "predictions.h5")[0]["PublicTest"]
    np.testing.assert_allclose(part.probabilities, expected, atol=1e-6)


def test_predictions_with_more_views_are_what_the_ensemble_asks_for_too(
    tiny_data, tiny_dataset, tiny_settings, tmp_path, capsys
):
    import keras

    settings = dataclasses.replace(tiny_settings, tta="flip")
    folder = directory.member_folder(tmp_path, settings.fold, settings.run)
    train_member(settings, options_for(folder, tiny_data))
    part = read_predictions(folder / "predictions.h5")[0]["oof"]
    images = tiny_dataset.images[np.isin(tiny_dataset.rows, part.rows)]
    network = keras.saving.load_model(folder / "model.keras", compile=False)
    mean = np.mean([predict_probabilities(network, faces) for faces in (images, images[..., ::-1])], axis=0)
    np.testing.assert_allclose(part.probabilities, mean, atol=1e-5)
    assert np.abs(part.probabilities - predict_probabilities(network, images)).max() > 1e-4

    report_ensemble(PredictOptions(str(tmp_path), runs=settings.run, allow_missing=True, save=True))
    assert "views: flip (out of fold: flip)" in capsys.readouterr().out
    assert Ensemble.load(tmp_path).views == "flip"
    with pytest.raises(UserError, match="`tta` must be auto without `data`"):
        report_ensemble(PredictOptions(str(tmp_path), runs=settings.run, allow_missing=True, tta="none"))


def test_the_saved_model_loads_without_a_warning(tiny_member):
    import keras

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = keras.saving.load_model(tiny_member / "model.keras")
    assert not model.compiled


def test_the_scores_are_those_of_the_predictions_and_private_test_is_not_looked_at(tiny_member):
    metrics = directory.read_record(tiny_member)["metrics"]
    parts, _ = read_predictions(tiny_member / "predictions.h5")
    assert metrics == {
        name: pytest.approx((parts[name].probabilities.argmax(axis=1) == parts[name].labels).mean())
        for name in ("oof", "PublicTest")
    }
    with (tiny_member / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HISTORY_COLUMNS and [row["epoch"] for row in rows] == [str(n) for n in range(1, 9)]
    # The curve's last point is the finished member, moving average and all.
    assert float(rows[-1]["val_accuracy"]) == pytest.approx(metrics["oof"], abs=1e-5)


def test_a_complete_member_is_left_alone(tiny_data, tiny_settings, tiny_member, capsys):
    before = describe(tiny_member)
    train_member(tiny_settings, options_for(tiny_member, tiny_data))
    assert describe(tiny_member) == before
    assert "is complete: nothing to do (--overwrite trains it afresh)" in capsys.readouterr().out


def test_a_complete_member_with_other_views_is_asked_again_and_not_trained(
    tiny_data, tiny_settings, copy, tmp_path, capsys
):
    before = describe(copy)
    train_member(dataclasses.replace(tiny_settings, tta="shifts"), options_for(copy, tiny_data))
    assert "is complete: predicting with --tta=shifts" in capsys.readouterr().out
    after = describe(copy)
    assert {name for name in before if after[name] != before[name]} == {"member.json", "predictions.h5"}
    directory.check_files(copy)
    # What a training with these views leaves.
    folder = directory.member_folder(tmp_path / "trained", tiny_settings.fold, tiny_settings.run)
    train_member(dataclasses.replace(tiny_settings, tta="shifts"), options_for(folder, tiny_data))
    for key in ("settings", "metrics", "seed", "data"):
        assert directory.read_record(copy)[key] == directory.read_record(folder)[key]
    ours, trained = (read_predictions(each / "predictions.h5")[0] for each in (copy, folder))
    for name, part in ours.items():
        np.testing.assert_allclose(part.probabilities, trained[name].probabilities, atol=1e-5)


def test_asking_again_that_was_killed_before_the_record_is_done_once_more(tiny_data, tiny_settings, copy):
    record = directory.read_record(copy)
    (copy / "predictions.h5").write_bytes(b"of other views")
    train_member(tiny_settings, options_for(copy, tiny_data))
    directory.check_files(copy)
    assert directory.read_record(copy)["files"]["model.keras"] == record["files"]["model.keras"]
    (copy / "history.csv").write_text("damaged")
    with pytest.raises(UserError, match=r"history\.csv is not the file that the training wrote"):
        train_member(dataclasses.replace(tiny_settings, tta="flip"), options_for(copy, tiny_data))


def test_a_kill_between_the_last_state_and_its_history_costs_no_row(
    tiny_data, tiny_settings, tiny_member, tmp_path, monkeypatch
):
    folder = directory.member_folder(tmp_path, tiny_settings.fold, tiny_settings.run)
    write = checkpoint.write_text

    def write_or_die(path, text):
        if text.count("\n") > tiny_settings.epochs:
            raise KeyboardInterrupt
        write(path, text)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "write_text", write_or_die)
        train_member(tiny_settings, options_for(folder, tiny_data))
    train_member(tiny_settings, options_for(folder, tiny_data))
    assert len(directory.read_history(folder)["epoch"]) == tiny_settings.epochs
    assert all(np.array_equal(*pair) for pair in zip(*map(read_weights, (folder, tiny_member)), strict=True))


def test_other_settings_are_refused_with_the_differences(tiny_data, tiny_settings, tiny_member):
    before = describe(tiny_member)
    other = dataclasses.replace(tiny_settings, learning_rate=0.01, epochs=30, precision="auto")
    message = (
        r"cnn_0 was begun with other settings \(learning_rate: 0\.01, not 0\.05; epochs: 30, not 8; "
        r"precision: auto, not float32\)\. "
        r"Give the same ones, another --experiments folder, or --overwrite to start afresh\."
    )
    with pytest.raises(ValueError, match=message):
        train_member(other, options_for(tiny_member, tiny_data))
    assert describe(tiny_member) == before


def test_other_classes_are_refused(tiny_data, tiny_settings, tiny_member):
    with pytest.raises(ValueError, match=r"classes: neutral,happy, not happy,surprise,neutral"):
        train_member(tiny_settings, options_for(tiny_member, tiny_data, classes="neutral,happy"))


def test_other_data_are_refused(tiny_dataset, tiny_settings, tiny_member, tmp_path):
    images = tiny_dataset.images.copy()
    images[0, 0, 0] ^= 1
    names = ("labels", "usage", "rows", "class_names")
    write_dataset(make_dataset(images, *(getattr(tiny_dataset, name) for name in names)), tmp_path / "other.h5")
    with pytest.raises(ValueError, match=r"data: other\.h5 is not what it was, tiny\.h5"):
        train_member(tiny_settings, options_for(tiny_member, tmp_path / "other.h5"))


def test_an_unfinished_training_of_other_settings_is_refused(tiny_data, tiny_settings, copy):
    from fer_ensemble.training.state import save_state

    notes = directory.read_record(copy)
    (copy / "member.json").unlink()
    save_state(copy / "state.npz", [], {**notes, "history": []})
    with pytest.raises(ValueError, match=r"was begun with other settings \(width: 8, not 4\)"):
        train_member(dataclasses.replace(tiny_settings, width=8), options_for(copy, tiny_data))


def test_a_damaged_record_is_told(tiny_data, tiny_settings, copy):
    (copy / "member.json").write_text('{"settings": ')
    with pytest.raises(ValueError, match=r"member\.json must be the record of a finished member, but is damaged"):
        train_member(tiny_settings, options_for(copy, tiny_data))


def test_overwrite_trains_afresh_with_any_settings(tiny_data, tiny_settings, copy):
    before = describe(copy)
    (copy / "predictions-0123456789ab.h5").write_text("of the former member")
    (copy / "tensorboard").mkdir()
    other = dataclasses.replace(tiny_settings, epochs=1, width=2)
    train_member(other, options_for(copy, tiny_data, overwrite=True))
    assert {path.name for path in copy.iterdir()} == COMPLETE
    assert directory.read_record(copy)["settings"]["epochs"] == 1
    after = describe(copy)
    assert all(after[name][1] != before[name][1] for name in before)


def test_the_old_member_stays_until_the_new_one_is_complete(tiny_data, tiny_settings, copy, monkeypatch):
    before = describe(copy)
    other = dataclasses.replace(tiny_settings, epochs=1, width=2)
    options = options_for(copy, tiny_data, overwrite=True)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.keras"):
        train_member(dataclasses.replace(other, pretrained="nowhere.keras"), options)
    assert describe(copy) == before and not replacement.is_replaced(copy)
    with monkeypatch.context() as patch, pytest.raises(Stopped) as stopped:
        patch.setattr("fer_ensemble.members.predictions.write_predictions", stop)
        train_member(other, options)
    assert "stands at epoch 1 of 1; the same command without --overwrite goes on" in stopped.value.where
    assert {name: facts for name, facts in describe(copy).items() if name in before} == before
    train_member(other, options_for(copy, tiny_data))  # goes on with the new one
    assert {path.name for path in copy.iterdir()} == COMPLETE
    assert directory.read_record(copy)["settings"]["width"] == 2


def test_an_unknown_backend_is_told_before_anything_is_lost(tiny_data, tiny_settings, copy, python):
    before = describe(copy)
    flags = command(copy, tiny_data, tiny_settings)
    result = python("model_train.py", *flags, "--overwrite", KERAS_BACKEND="garbage")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1), result.stderr
    assert "garbage" in result.stderr and result.stderr.startswith("model_train.py: error: ")
    assert describe(copy) == before


def stop(*arguments):
    raise Stopped(signal.SIGTERM)


def test_each_member_has_a_seed_of_its_own():
    def seed(**changes):
        return member_seed(TrainingSettings(**changes))

    assert seed() == seed(epochs=3, learning_rate=0.1)  # what is tuned does not change the random numbers
    assert seed(fold=None) == seed(fold=None, holdout=0.2)
    seeds = [
        seed(model=model, replica=replica, fold=fold, seed=start)
        for model in ("cnn", "resnet")
        for replica in range(3)
        for fold in (0, 1, 2, 3, None)
        for start in range(3)
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(isinstance(value, int) and 0 <= value < 2**31 for value in seeds)


def test_a_second_process_on_the_same_member_exits_75_and_harms_nothing(copy, tiny_data, tiny_settings, python):
    (copy / "member.json").unlink()
    report = {"pid": 4321, "host": "node7"}
    (copy / "progress.json").write_text(json.dumps(report))
    before = describe(copy)
    flags = command(copy, tiny_data, tiny_settings)
    with lock.held(copy):
        for more in ([], ["--overwrite"]):
            result = python("model_train.py", *flags, *more)
            assert (result.returncode, result.stdout) == (75, "")
            assert result.stderr == (
                f"model_train.py: error: {copy} is being trained by another process (process 4321 on node7).\n"
            )
    assert describe(copy) == before


def read_weights(folder):
    import keras

    return keras.saving.load_model(folder / "model.keras", compile=False).get_weights()


def test_a_training_interrupted_at_any_moment_goes_on_to_the_same_end(
    tiny_member, tiny_data, tiny_settings, tmp_path
):
    # While it is begun, and then twice at random moments: before, in or after an epoch.
    seed = int(os.environ.get("FER_TEST_SEED", "0"))
    print(f"FER_TEST_SEED={seed} waits as this time; another seed, at other moments")
    moments = random.Random(seed)
    folder = directory.member_folder(tmp_path, 0, "cnn_0")
    flags = command(folder, tiny_data, tiny_settings)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    log = tmp_path / "log"
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL, None):
        start = log.stat().st_size if log.exists() else 0
        with log.open("a") as output:
            process = subprocess.Popen(
                [sys.executable, ROOT / "model_train.py", *flags], env=environment, stdout=output, stderr=output
            )
        if number is None:
            assert process.wait(300) == 0, log.read_text()
            break
        begun = "images to train on" if number == signal.SIGTERM else "going on after"
        while process.poll() is None and begun not in log.read_text()[start:]:
            time.sleep(0.005)
        time.sleep(0 if number == signal.SIGTERM else moments.uniform(0, 2.0))
        process.send_signal(number)
        process.wait(300)
        if directory.is_complete(folder):  # this time it was faster than the signal
            break
        assert process.returncode == (-number if number == signal.SIGKILL else 128 + number), log.read_text()
        with lock.held(folder):  # it leaves no lock
            pass
    said = log.read_text()
    assert re.search(r"stopped by SIGTERM: \S+ stands at (step|epoch) \d.* of 8; the same command goes on", said)
    assert "Traceback" not in said
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == COMPLETE, said
    record = directory.read_record(folder)
    for name in record["files"]:
        directory.check_file(folder, record, name)
    # And it is, to the bit, the training that was never interrupted.
    ours, theirs = read_weights(folder), read_weights(tiny_member)
    assert all(np.array_equal(*pair) for pair in zip(ours, theirs, strict=True)), said
    ours, theirs = (read_predictions(path / "predictions.h5")[0] for path in (folder, tiny_member))
    assert all(np.array_equal(ours[name].probabilities, theirs[name].probabilities) for name in theirs), said
    ours, theirs = (list(csv.DictReader((path / "history.csv").open())) for path in (folder, tiny_member))
    for name in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
        assert [row[name] for row in ours] == [row[name] for row in theirs], said
