import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from fer_ensemble.base.atomic_files import hash_file
from fer_ensemble.base.errors import UserError
from fer_ensemble.members import directory, notes
from fer_ensemble.models import add_softmax, build_model
from fer_ensemble.models.transfer import weighted_layers
from fer_ensemble.training.member import train_member
from fer_ensemble.training.pretrained import find_pretrained, keep_share, load_pretrained, may_know_held_out
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = {"width": 4, "input_size": 16, "precision": "float32", "epochs": 1, "batch_size": 12, "validate_every": 0}
NAMES = ("happy", "surprise", "neutral")


def settings_for(pretrained, **changes):
    return TrainingSettings(**{**TINY, "pretrained": str(pretrained), **changes})


def build(settings, classes=3, seed=1):
    keras.utils.set_random_seed(seed)
    return add_softmax(build_model(settings, classes))


def load(pretrained, class_names=NAMES, **changes):
    """Finds and loads the weights; returns the model and the names of the layers that are not fresh any more."""
    settings = settings_for(pretrained, **changes)
    path = find_pretrained(settings)
    model = build(settings, len(class_names))
    layers = weighted_layers(model)
    before = [layer.get_weights()[0] for layer in layers]
    load_pretrained(model, path, settings, class_names)
    pairs = zip(layers, before, strict=True)
    return model, [layer.name for layer, weight in pairs if not np.array_equal(layer.get_weights()[0], weight)]


def fails(pretrained, **changes):
    with pytest.raises((ValueError, OSError)) as error:
        load(pretrained, **changes)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", ["folder", "model.keras", "copy.keras", "copy.weights.h5"])
def test_a_member_of_ours_or_its_file_is_taken_over_with_its_logits(kind, tiny_member, tmp_path):
    trained = keras.saving.load_model(tiny_member / "model.keras")
    path = {"folder": tiny_member, "model.keras": tiny_member / "model.keras"}.get(kind, tmp_path / kind)
    if kind == "copy.keras":
        trained.save(path)
    elif kind == "copy.weights.h5":
        trained.save_weights(path)
    model, _ = load(path)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), trained.get_weights(), strict=True))


@pytest.mark.parametrize("kind", ["folder", "copy.keras", "copy.weights.h5"])
def test_of_other_classes_all_but_the_logits(kind, tiny_member, tmp_path):
    trained = keras.saving.load_model(tiny_member / "model.keras")
    path = tiny_member if kind == "folder" else tmp_path / kind
    if kind == "copy.keras":
        trained.save(path)
    elif kind == "copy.weights.h5":
        trained.save_weights(path)
    model, changed = load(path, ("happy", "neutral"))
    layers = weighted_layers(model)
    assert layers[-1].name == "logits" and changed == [layer.name for layer in layers[:-1]]


def test_a_member_s_logits_are_taken_by_the_names_of_its_classes(tiny_member):
    _, changed = load(tiny_member, ("happy", "neutral", "surprise"))
    assert "logits" not in changed and len(changed) == 2 * 11
    _, changed = load(tiny_member)
    assert "logits" in changed


def test_the_fold_stands_in_the_path(tiny_member):
    path = str(tiny_member).replace("exp_0", "exp_{fold}")
    assert find_pretrained(settings_for(path)) == tiny_member / "model.keras"
    with pytest.raises(OSError, match=r"There is no file .*exp_2/cnn_0/model\.keras"):
        find_pretrained(settings_for(path + "/model.keras", fold=2))


def test_torchvision_s_weights_from_a_file(tmp_path):
    # As ours, in PyTorch's layout and names; `tests/models/test_published.py` compares outputs.
    given = {"model": "resnet18", "input_channels": 3, "pixel_statistics": "imagenet"}
    settings = settings_for(tmp_path / "resnet18.safetensors", **given)
    source, state = build(settings, seed=5), {}
    for layer in weighted_layers(source):
        weights = layer.get_weights()
        if layer.name == "logits":
            state["fc.weight"], state["fc.bias"] = np.ascontiguousarray(weights[0].T), weights[1] + 1
        elif len(weights) == 1:
            state[f"{layer.name}.weight"] = np.ascontiguousarray(weights[0].transpose(3, 2, 0, 1))
        else:
            for name, value in zip(("weight", "bias", "running_mean", "running_var"), weights, strict=True):
                state[f"{layer.name}.{name}"] = value + 0.25
    save_file(state, settings.pretrained)
    model, changed = load(settings.pretrained, **given)
    assert set(changed) == {layer.name for layer in weighted_layers(model)}
    np.testing.assert_allclose(model.get_weights()[0], source.get_weights()[0], rtol=1e-6)
    np.testing.assert_array_equal(model.get_layer("logits").bias, source.get_layer("logits").bias + 1)
    _, changed = load(settings.pretrained, ("a", "b"), **given)
    assert "logits" not in changed and "conv1" in changed
    assert fails(settings.pretrained, model="cnn").endswith(
        "does not fit --model=cnn --width=4: of .safetensors files, only torchvision's resnet18, resnet34, vgg16, "
        "vgg19, vgg16_bn, vgg19_bn are understood."
    )


def test_what_cannot_be_a_start_is_told_in_one_line(tiny_member, tmp_path):
    missing = tmp_path / "missing"
    assert fails(f"{missing}.keras") == f"There is no file {missing}.keras to start from (--pretrained)."
    assert fails(tmp_path) == f"{tmp_path} must hold a finished member to start from (--pretrained)."
    message = fails("resnet18.pth")
    assert "or a file ending in .keras, .weights.h5, .safetensors. Received: resnet18.pth. PyTorch's" in message
    assert "pickles, which can run any program" in message
    for suffix in (".keras", ".weights.h5", ".safetensors"):
        path = tmp_path / f"damaged{suffix}"
        path.write_text("not this")
        model = "resnet18" if suffix == ".safetensors" else "cnn"
        what = f"does not fit --model={model} --width=4: it"
        if suffix == ".keras":
            what = "must be a network saved as .keras, but"
        assert f"{path} {what} cannot be read (" in fails(path, model=model)
    assert "does not fit --model=resnet9 --width=4: it is a cnn of 23 layers" in fails(
        tiny_member, model="resnet9"
    )
    assert "where (3, 3, 8) is needed" in fails(tiny_member, width=8)
    copy = pathlib.Path(shutil.copytree(tiny_member, tmp_path / "copy"))
    with (copy / "model.keras").open("ab") as file:
        file.write(b"\0")
    assert "model.keras is not the file that the training wrote" in fails(copy)


def test_imagenet_where_keras_has_no_weights_says_which_to_take():
    message = fails("imagenet", model="resnet34")
    assert "which there are of vgg16, vgg19 only. For resnet34, save torchvision's as a file" in message
    assert message.endswith("and give that: --pretrained=resnet34.safetensors.")
    assert fails("imagenet", model="cnn").endswith("There are none of cnn.")


def test_imagenet_without_a_network_is_one_line(python, tiny_data, tmp_path):
    nowhere = "http://127.0.0.1:9"
    result = python(
        "model_train.py", "--model=vgg16", "--width=64", "--pretrained=imagenet", f"--data={tiny_data}",
        f"--experiments={tmp_path}", http_proxy=nowhere, https_proxy=nowhere, KERAS_HOME=str(tmp_path / "keras"),
    )  # fmt: skip
    assert result.returncode == 1
    line = result.stderr.splitlines()[-1]  # Keras says first that it downloads
    assert re.match(r"model_train\.py: error: https://\S+/vgg16_\w+_notop\.h5 could not be downloaded \(", line)
    assert line.endswith("or give torchvision's weights as one: --pretrained=vgg16.safetensors.")


def train(settings, experiments, data, **changes):
    train_member(settings, TrainingOptions(data=str(data), experiments=str(experiments), **changes))
    return directory.member_folder(experiments, settings.fold, settings.run)


def test_a_training_starts_from_the_weights_and_notes_their_fingerprint(tiny_member, tiny_data, tmp_path, capsys):
    # At a learning rate of nearly 0, and statistics that hardly move, it ends where it starts.
    settings = settings_for(tiny_member, fold=1, learning_rate=1e-9, optimizer="sgd", label_smoothing=0.0)
    folder = train(settings, tmp_path, tiny_data)
    ours, theirs = (keras.saving.load_model(one / "model.keras") for one in (folder, tiny_member))
    for found, expected in zip(ours.trainable_variables, theirs.trainable_variables, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    record = directory.read_record(folder)
    assert record["pretrained"] == {
        "file": "model.keras",
        "sha256": hash_file(tiny_member / "model.keras"),
        "may_know_held_out": True,
    }
    assert record["settings"]["pretrained"] == str(tiny_member)
    said = capsys.readouterr().out
    assert f"starts from {tiny_member}/model.keras\nnote: what that was trained on may include images" in said


def test_what_a_start_knows_its_own_start_may_know_too(tiny_member, tmp_path):
    record = directory.read_record(tiny_member)
    path = pathlib.Path(shutil.copytree(tiny_member, tmp_path / "copy")) / "model.keras"
    for inherited in (False, True):
        record["pretrained"] = {"may_know_held_out": inherited}
        directory.write_record(path.parent, record, [directory.MODEL])
        assert may_know_held_out(path, record) is inherited
    assert may_know_held_out(path, {**record, "data": {"fingerprint": "other"}})
    pair = {**record, "settings": {**record["settings"], "fold": (0, 1)}}
    assert may_know_held_out(path, pair)
    directory.write_record(path.parent, {**pair, "pretrained": {}}, [directory.MODEL])  # where the fold is a list
    assert not may_know_held_out(path, pair)
    assert not may_know_held_out(tmp_path / "some.keras", record)


def test_an_interrupted_training_goes_on_without_the_file(tiny_member, tiny_data, tmp_path):
    source = pathlib.Path(shutil.copytree(tiny_member, tmp_path / "source"))
    fingerprint = hash_file(source / "model.keras")
    settings = settings_for(source, epochs=12)
    folder = directory.member_folder(tmp_path, 0, "cnn_0")
    flags = [f"--{name}={value}" for name, value in dataclasses.asdict(settings).items()]
    process = subprocess.Popen(
        [
            sys.executable,
            ROOT / "model_train.py",
            *flags,
            f"--data={tiny_data}",
            f"--experiments={tmp_path}",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    while process.poll() is None and not (notes.read_progress(folder) or {}).get("epoch"):
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 128 + signal.SIGTERM
    shutil.rmtree(source)
    resumed = train(settings, tmp_path, tiny_data)
    facts = directory.read_record(resumed)["pretrained"]
    assert (facts["sha256"], facts["may_know_held_out"]) == (fingerprint, False)


def test_the_finished_network_may_keep_a_share_of_its_start(tiny_member, tiny_data, tmp_path, power_cut):
    def weights(folder):
        return keras.saving.load_model(folder / "model.keras").get_weights()

    given = {"fold": 1, "deterministic": True}
    start = pathlib.Path(shutil.copytree(tiny_member, tmp_path / "start"))
    alone = train(settings_for(start, **given), tmp_path / "alone", tiny_data)
    settings = settings_for(start, pretrained_share=0.25, **given)
    with power_cut():
        train(settings, tmp_path, tiny_data)
    (start / "model.keras").rename(tmp_path / "model.keras")
    build(settings).save(start / "model.keras")
    directory.write_record(start, directory.read_record(start), [directory.MODEL])
    with pytest.raises(UserError, match=r"begun with another --pretrained than .*start is now"):
        train(settings, tmp_path, tiny_data)
    (tmp_path / "model.keras").rename(start / "model.keras")
    shutil.copy(tiny_member / directory.RECORD, start)
    kept = train(settings, tmp_path, tiny_data)
    for mixed, finished, before in zip(weights(kept), weights(alone), weights(start), strict=True):
        np.testing.assert_allclose(mixed, 0.75 * finished + 0.25 * before, rtol=1e-5, atol=1e-6)
        assert (finished != before).any() or not finished.any()


def test_a_layer_that_was_not_taken_over_keeps_what_it_learnt(tiny_member):
    settings = settings_for(tiny_member)
    model = build(settings, classes=2)
    before = weighted_layers(model)
    logits, first = before[-1].get_weights()[0], before[0].get_weights()[0]
    path = find_pretrained(settings)
    keep_share(model, lambda model: load_pretrained(model, path, settings, ("happy", "neutral")), 0.5)
    np.testing.assert_array_equal(model.get_layer("logits").kernel, logits)
    trained = keras.saving.load_model(path)
    np.testing.assert_allclose(
        weighted_layers(model)[0].get_weights()[0],
        (first + weighted_layers(trained)[0].get_weights()[0]) / 2,
        atol=1e-7,
    )


def test_a_share_of_no_start_is_refused():
    with pytest.raises(UserError, match="`pretrained_share` takes weights to start from"):
        settings_for("", pretrained_share=0.5)
