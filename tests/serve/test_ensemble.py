"""The same server, with an ensemble in place of the network that ships."""

import json
import shutil

import numpy as np
import pytest

from fer_ensemble.ensemble.ensemble_file import EnsembleRecord, write_record


@pytest.fixture(scope="module")
def folder(tiny_member, tmp_path_factory):
    """The folder of an ensemble of one member."""
    folder = tmp_path_factory.mktemp("ensemble")
    shutil.copytree(tiny_member, folder / "exp_0" / "cnn_0")
    record = json.loads((tiny_member / "member.json").read_text())
    name, classes = "exp_0/cnn_0", tuple(record["class_names"])
    models = {name: record["files"]["model.keras"]}
    write_record(
        folder,
        EnsembleRecord(
            classes,
            record["data"],
            record["folds"],
            models,
            {name: 1.0},
            "equal",
            "nothing",
            None,
            0.4,
            "none",
            {},
            "0",
        ),
    )
    return folder


def test_an_ensemble_is_served_as_the_network_that_ships_is(folder, start_process, scenes):
    from fer_ensemble.classifier.classifier import load

    ensemble = load(folder)
    face = scenes.drawn("happy")
    with start_process(f"--model={folder}") as server:
        _, _, about = server.get("/api/model")
        status, _, answer = server.post("/api/predict", face.tobytes(), "application/octet-stream")
        assert server.post("/api/faces", scenes.encode(scenes.party()))[2]["faces"]
    assert (status, about["class_names"]) == (200, list(ensemble.class_names))
    assert "folder" not in about["about"] and about["about"]["kind"] == "ensemble"
    given = [answer["faces"][0]["probabilities"][name] for name in ensemble.class_names]
    assert np.array([given]) == pytest.approx(ensemble.predict(face[None]), abs=1e-4)
