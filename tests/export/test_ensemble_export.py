import dataclasses
import shutil

import numpy as np
import pytest

from fer_ensemble.base.atomic_files import hash_file
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import CLASS_NAMES
from fer_ensemble.ensemble.ensemble_file import Calibrations, EnsembleRecord, read_record, write_record
from fer_ensemble.ensemble.saved import Ensemble
from fer_ensemble.export import runtimes
from fer_ensemble.export.exporting import FORMATS, TestFaces, export
from fer_ensemble.export.onnx_file import read_facts
from fer_ensemble.export.source_loading import load_source
from fer_ensemble.scoring.calibration import Calibration

pytestmark = pytest.mark.slow
MEMBERS = {"exp_0/cnn_0": 0.5, "exp_1/cnn_0": 0.0, "exp_0/resnet_0": 0.5}


@pytest.fixture(scope="module")
def pristine(make_network, tmp_path_factory):
    """The folder of an ensemble of a CNN, one that weighs nothing, and a ResNet."""
    folder = tmp_path_factory.mktemp("ensemble")
    for number, name in enumerate(MEMBERS):
        (folder / name).mkdir(parents=True)
        statistics = "image" if number else "unit"
        model = make_network(number, model=name.split("/")[1].removesuffix("_0"), pixel_statistics=statistics)
        model.save(folder / name / "model.keras")
    calibration = Calibration(0.1, 0.8)
    write_record(
        folder,
        EnsembleRecord(
            class_names=CLASS_NAMES,
            data={"name": "tiny", "images": 1, "fingerprint": "0"},
            folds={"folds": 2, "seed": 0, "fingerprint": "0"},
            models={name: hash_file(folder / name / "model.keras") for name in MEMBERS},
            weights=MEMBERS,
            weights_from="equal",
            chosen_on="nothing",
            calibrations=Calibrations({}, calibration, calibration),
            unsure_below=0.4,
            views="none",
            versions={},
            version="0",
        ),
    )
    return folder


@pytest.fixture
def ensemble(pristine, tmp_path):
    """The folder of such an ensemble, which a test may change."""
    return shutil.copytree(pristine, tmp_path / "ensemble")


def change_views(folder, views):
    write_record(folder, dataclasses.replace(read_record(folder), views=views))


@pytest.mark.parametrize(("format", "views"), [("onnx", "flip"), ("onnx", "shifts"), ("savedmodel", "none")])
def test_a_whole_ensemble_becomes_one_graph_that_says_what_it_says(format, views, ensemble, faces, tmp_path):
    pytest.importorskip("tf2onnx")
    change_views(ensemble, views)
    output = tmp_path / f"exported{FORMATS[format].suffix}"
    export(load_source(ensemble), output, format, test=TestFaces(faces, np.full(len(faces), -1), None))
    found = runtimes.predict(FORMATS[format].open(output), faces)
    np.testing.assert_allclose(found, Ensemble.load(ensemble, precision="float32").predict(faces), atol=1e-5)
    if format == "onnx":
        facts = read_facts(output)
        assert facts["calibration"] == {"smoothing": 0.1, "temperature": 0.8}
        assert facts["source_sha256"] == hash_file(ensemble / "ensemble.json")
        assert [one["name"] for one in facts["provenance"]["members"]] == list(MEMBERS)


def test_an_ensemble_is_no_litert_file(ensemble, tmp_path):
    with pytest.raises(UserError, match=r"A whole ensemble is exported as onnx, savedmodel. Received: litert"):
        export(load_source(ensemble), tmp_path / "e.tflite", "litert")


def test_a_network_that_is_not_the_one_in_ensemble_json_is_refused(ensemble):
    with (ensemble / "exp_0/cnn_0/model.keras").open("ab") as file:
        file.write(b"more")
    with pytest.raises(UserError, match=r"is not the network that .*ensemble.json names"):
        load_source(ensemble)
