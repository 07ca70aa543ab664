"""Files are written, run in their own runtimes and compared for real, with a tiny trained member."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from fer_ensemble.base.atomic_files import hash_file
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.store import read_dataset
from fer_ensemble.export import runtimes
from fer_ensemble.export.exporting import FORMATS, choose_test_faces, export
from fer_ensemble.export.onnx_file import read_facts
from fer_ensemble.export.source_loading import load_source

KEYS = {
    "format_version", "class_names", "calibration", "crop_landmarks", "unsure_below", "source_sha256", "version",
    "provenance",
}  # fmt: skip


@pytest.fixture(scope="module")
def source(tiny_member):
    return load_source(tiny_member)


@pytest.fixture(scope="module")
def test_faces(source, tiny_data):
    return choose_test_faces(source, read_dataset(tiny_data))


def name_of(format):
    return f"network{FORMATS[format].suffix}"


@pytest.mark.parametrize(
    ("format", "quantize", "most"),
    [
        ("onnx", "none", 1e-5),
        ("onnx", "float16", 1e-2),
        ("onnx", "int8", 0.2),
        ("litert", "none", 1e-5),
        ("litert", "float16", 1e-2),
        ("litert", "int8_weights", 0.1),
        ("litert", "int8", 0.2),
        ("savedmodel", "none", 1e-5),
        ("keras", "none", 1e-5),
    ],
)
def test_each_format_gives_the_probabilities_of_its_source(format, quantize, most, source, test_faces, tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("ai_edge_quantizer")
    output = tmp_path / name_of(format)
    comparison = export(source, output, format, quantize, test_faces, most_loss=20)
    assert comparison.faces == len(test_faces.faces)
    assert comparison.difference < most
    found = runtimes.predict(FORMATS[format].open(output), test_faces.faces, batch_size=5)
    np.testing.assert_allclose(found, source.predict(test_faces.faces), atol=most)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_an_onnx_file_says_what_it_is_and_takes_any_number_of_faces(source, test_faces, tiny_member, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    output = tmp_path / "network.onnx"
    export(source, output, "onnx", "float16", test_faces)
    facts = read_facts(output)
    assert set(facts) == KEYS
    assert facts["class_names"] == ["happy", "surprise", "neutral"]
    assert facts["source_sha256"] == hash_file(tiny_member / "model.keras")
    session = onnxruntime.InferenceSession(output)
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape) == ("faces", "tensor(uint8)", ["n", 48, 48])
    assert [(one.name, one.type) for one in session.get_outputs()] == [("probabilities", "tensor(float)")]
    for count in (1, 3):
        (found,) = session.run(None, {"faces": test_faces.faces[:count]})
        assert found.shape == (count, 3)


@pytest.mark.parametrize("format", ["litert", "keras", "savedmodel"])
def test_formats_without_room_for_facts_have_them_beside(format, source, test_faces, tmp_path):
    output = tmp_path / name_of(format)
    export(source, output, format, "none", test_faces)
    beside = output / "fer_ensemble.json" if format == "savedmodel" else tmp_path / f"{output.name}.json"
    assert set(json.loads(beside.read_text())) == KEYS | {"quantize"}


def test_a_fold_member_is_calibrated_on_what_it_held_out(source):
    assert source.facts["provenance"]["calibrated_on"] == "the images that it held out"
    assert source.facts["provenance"]["calibration_images"] == 12


def test_int8_is_calibrated_on_training_faces_that_the_member_held_out(source, tiny_data):
    dataset = read_dataset(tiny_data)
    chosen = choose_test_faces(source, dataset).calibration
    held_out = dataset.images[np.isin(dataset.rows, source.held_out)]
    assert {face.tobytes() for face in chosen} == {face.tobytes() for face in held_out}


def test_what_changes_too_much_is_an_error_and_no_file(source, test_faces, tmp_path):
    with pytest.raises(UserError, match="expected int8 to lose at most -100 points"):
        export(source, tmp_path / "network.onnx", "onnx", "int8", test_faces, most_loss=-100)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("format", "quantize", "name", "message"),
    [
        ("onnx", "int8_weights", "n.onnx", "`quantize` must be among none, float16, int8 for onnx"),
        ("savedmodel", "float16", "n", "`quantize` must be among none for savedmodel"),
        ("onnx", "none", "n.tflite", "`output` must end in .onnx for onnx"),
        ("onnx", "int8", "n.onnx", "needs labelled faces. Give the data set with --data"),
        ("tflite", "none", "n.tflite", "`format` must be among onnx, litert, savedmodel, keras"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_written(
    format, quantize, name, message, source, tmp_path
):
    with pytest.raises(UserError, match=message):
        export(source, tmp_path / name, format, quantize)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_not_replaced(source, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match="a new folder, or a SavedModel alone to replace"):
        export(source, tmp_path / "mine", "savedmodel")
    for name in ("saved_model.pb", "notes.txt"):
        (tmp_path / "mine" / name).touch()
    with pytest.raises(UserError, match=r"a SavedModel alone to replace\. Received: .*mine, with notes\.txt"):
        export(source, tmp_path / "mine", "savedmodel")
    (tmp_path / "mine.onnx").mkdir()
    with pytest.raises(UserError, match=r"`output` must be a file for onnx\. Received: .*mine\.onnx, a folder"):
        export(source, tmp_path / "mine.onnx", "onnx")


def test_a_folder_that_holds_no_network_is_told(tmp_path):
    with pytest.raises(UserError, match="expected shipped, the folder of a finished member"):
        load_source(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        load_source(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (b"no network", None, "must be a network saved as .keras, but cannot be read"),
        (None, {}, "member.json must be .* damaged .it has no settings.model"),
        (None, {"model": "cnn", "replica": 0}, "it has no settings.fold"),
    ],
    ids=["model", "no settings", "no fold"],
)
def test_a_damaged_member_is_told(model, settings, message, tiny_member, tmp_path):
    folder = shutil.copytree(tiny_member, tmp_path / "member")
    record = json.loads((folder / "member.json").read_text())
    if model is not None:  # and the record knows no better
        (folder / "model.keras").write_bytes(model)
        record["files"]["model.keras"] = hash_file(folder / "model.keras")
    if settings is not None:
        record["settings"] = settings
    (folder / "member.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=message):
        load_source(folder)


def test_data_of_other_classes_is_refused(source, tiny_dataset):
    other = dataclasses.replace(tiny_dataset, class_names=("a", "b", "c"))
    with pytest.raises(UserError, match=r"`data` must have the classes of .* happy, surprise, neutral"):
        choose_test_faces(source, other)
