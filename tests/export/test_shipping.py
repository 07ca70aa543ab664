"""A finished member becomes the network that ships, with a card that says what was measured and what was not."""

import json
import types

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.classifier.onnx_network import OnnxNetwork
from fer_ensemble.classifier.shipped_card import format_card, read_card
from fer_ensemble.data.dataset import PUBLIC_TEST
from fer_ensemble.data.store import read_dataset
from fer_ensemble.export import shipping
from fer_ensemble.export.card import describe_training
from fer_ensemble.scoring.metrics import wilson_interval


@pytest.fixture(scope="module")
def shipped(tiny_member, tiny_data, tmp_path_factory):
    pytest.importorskip("tf2onnx")
    assets = tmp_path_factory.mktemp("assets")
    # Of its 12 images int8 may lose any.
    return shipping.ship(tiny_member, read_dataset(tiny_data), assets, most_loss=100), assets


def test_the_figures_of_the_card_are_those_of_the_file(shipped, tiny_dataset):
    card, assets = shipped
    tested = tiny_dataset.split(PUBLIC_TEST)
    labels = tiny_dataset.labels[tested]
    predicted = OnnxNetwork(assets / "network.onnx").predict(tiny_dataset.images[tested]).argmax(axis=1)
    assert card["scores"]["accuracy"] == pytest.approx((predicted == labels).mean())
    assert card["scores"]["images"] == len(tested) == 12
    assert card["scores"]["interval"] == list(wilson_interval(int((predicted == labels).sum()), 12))
    for label, one in enumerate(card["classes"]):
        right = int(((predicted == labels) & (labels == label)).sum())
        assert one["recall"] == pytest.approx(right / 4)
        assert one["recall_interval"] == list(wilson_interval(right, 4))
    assert card["file"]["bytes"] == (assets / "network.onnx").stat().st_size
    assert set(card["latency"]) >= {"one", "each_of_64", "runtime", "threads", "processor"}


def test_the_card_is_there_for_programs_and_for_people(shipped):
    card, assets = shipped
    assert read_card(assets) == json.loads(json.dumps(card))
    text = (assets / "card.md").read_text()
    assert text == format_card(card)
    for words in (
        "not tested", "age", "skin colour", "culture", "from the side", "article 5(1)(f)", "An expression is not "
        "a feeling",
        "about 65 %", "Goodfellow", "without any warranty", "95 % interval", "calibration error",
    ):  # fmt: skip
        assert words in text


def test_a_class_that_is_never_answered_has_no_precision(shipped):
    classes = [one | {"precision": None} for one in shipped[0]["classes"]]
    assert format_card(shipped[0] | {"classes": classes}).count("| - |") == len(classes)


def test_the_keras_file_is_the_member_as_it_was_trained(shipped, tiny_member):
    assert (shipped[1] / "network.keras").read_bytes() == (tiny_member / "model.keras").read_bytes()


def test_the_file_that_ships_is_int8_and_the_card_says_so(shipped):
    card, assets = shipped
    onnx = pytest.importorskip("onnx")
    weights = onnx.load(assets / "network.onnx").graph.initializer
    assert any(one.data_type == onnx.TensorProto.INT8 and len(one.dims) == 4 for one in weights)
    assert card["file"]["quantize"] == "int8" and "`network.onnx`, int8, has " in (assets / "card.md").read_text()


def test_what_loses_too_much_as_int8_does_not_ship(tiny_member, tiny_data, tmp_path):
    pytest.importorskip("tf2onnx")
    with pytest.raises(UserError, match="expected int8 to lose at most -100 points"):
        shipping.ship(tiny_member, read_dataset(tiny_data), tmp_path, most_loss=-100)
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_large_does_not_ship(tiny_member, tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr(shipping, "MOST_PARAMETERS", 100)
    with pytest.raises(UserError, match="at most 1,000,000 parameters to ship"):
        shipping.ship(tiny_member, read_dataset(tiny_data), tmp_path / "assets")
    assert not (tmp_path / "assets").exists()


def test_a_card_says_what_the_network_learnt_from(tiny_dataset):
    settings = {"fold": None, "holdout": 0.0, "epochs": 50, "pretrained": "", "teacher": "x", "teacher_share": 0.4}
    text = describe_training({"settings": settings}, tiny_dataset)
    assert "all 48 labelled images of FER2013's Training" in text
    assert "to 60 % the label, and to 40 % what an ensemble says" in text
    settings |= {"fold": 2, "teacher": ""}
    text = describe_training({"settings": settings}, tiny_dataset)
    assert "without the images of fold 2" in text and "ensemble" not in text and "further" not in text
    extra = {"name": "drawings.csv.gz.h5", "images": 2500}
    text = describe_training({"settings": settings | {"extra_data": "x"}, "extra_data": extra}, tiny_dataset)
    assert "2,500 further images" in text and "`drawings.csv.gz`" in text and "keeps" not in text
    settings |= {"pretrained": "x", "pretrained_share": 0.25}
    text = describe_training({"settings": settings}, tiny_dataset)
    assert "from weights that were trained before, of which it keeps 25 %." in text


def test_a_network_that_held_nothing_out_is_calibrated_on_public_test_and_the_card_says_so(shipped, tiny_dataset):
    from fer_ensemble.export.card import _describe_calibration

    source = types.SimpleNamespace(
        facts={"provenance": {"calibrated_on": "PublicTest"}},
        average=lambda faces: np.full((len(faces), 3), 1 / 3),
    )
    tested = tiny_dataset.split(PUBLIC_TEST)
    found = _describe_calibration(source, tiny_dataset.images[tested], tiny_dataset.labels[tested].astype(int))
    assert found["chosen_on"] == "PublicTest"
    assert "chosen on PublicTest itself" in found["note"]
    assert found["cross_fitted_ece"] == pytest.approx(0, abs=1e-9)  # a third sure, a third right
    assert "the images that it held out" in shipped[0]["calibration"]["note"]
