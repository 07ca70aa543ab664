import itertools
import json
import pathlib
import shutil

import keras
import numpy as np
import pytest

from fer_ensemble.data.contents import make_dataset
from fer_ensemble.members import directory, predictions
from fer_ensemble.members.collection import Member, member_predictions
from fer_ensemble.members.predictions import predict_probabilities, read_predictions
from fer_ensemble.members.predictor import Predictor
from fer_ensemble.members.views import VIEWS

FACES = np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)


@pytest.fixture
def member(tiny_member, tmp_path):
    """A copy of a member that was really trained."""
    copy = pathlib.Path(shutil.copytree(tiny_member, tmp_path / "exp_0" / "cnn_0"))
    return Member("cnn_0", 0, copy, directory.read_record(copy))


def make_sibling(member, run="cnn_1", scale=1.5):
    """A member of the same architecture with other weights, whose predictions are those of its own model."""
    folder = pathlib.Path(shutil.copytree(member.folder, member.folder.with_name(run)))
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    model.set_weights([weight * scale for weight in model.get_weights()])
    model.save(folder / "model.keras")
    record = json.loads((folder / "member.json").read_text())
    directory.write_record(folder, record, [directory.MODEL, directory.PREDICTIONS, directory.HISTORY])
    return Member(run, 0, folder, directory.read_record(folder))


def plain_probabilities(member, faces):
    model = keras.saving.load_model(member.folder / "model.keras", compile=False)
    return model.predict(faces[..., None], verbose=0)


def test_it_predicts_what_the_training_left(member, tiny_dataset):
    network = Predictor().load(member)
    parts, _ = read_predictions(member.folder / "predictions.h5")
    for part in parts.values():
        images = tiny_dataset.images[np.isin(tiny_dataset.rows, part.rows)]
        np.testing.assert_allclose(predict_probabilities(network, images), part.probabilities, atol=1e-5)


def test_one_network_gives_each_member_its_own_predictions(member):
    predictor, sibling = Predictor(), make_sibling(member)
    networks = []
    for one in (member, sibling, member):
        networks.append(predictor.load(one))
        found = predict_probabilities(networks[-1], FACES)
        np.testing.assert_allclose(found, plain_probabilities(one, FACES), atol=1e-5)
    assert networks[0] is networks[1] is networks[2]
    assert np.abs(plain_probabilities(member, FACES) - plain_probabilities(sibling, FACES)).max() > 1e-2


def test_it_computes_in_a_call_traced_once_whatever_remains_for_the_last_batch(member, monkeypatch):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("counts TensorFlow's traces")
    monkeypatch.setattr(predictions, "BATCH_SIZE", 2)
    predictor = Predictor()
    for one in (member, make_sibling(member)):
        network = predictor.load(one)
        found = predict_probabilities(network, FACES)  # 2 + 2 + 1
        np.testing.assert_allclose(found, plain_probabilities(one, FACES), atol=1e-5)
    assert network.predict_function.experimental_get_tracing_count() == 1


def test_another_architecture_gets_a_network_of_its_own(member):
    narrow = make_sibling(member)
    settings = {**narrow.record["settings"], "width": 3}
    from fer_ensemble.models import add_softmax, build_model
    from fer_ensemble.training.settings import TrainingSettings

    add_softmax(build_model(TrainingSettings(**settings), 3)).save(narrow.folder / "model.keras")
    directory.write_record(narrow.folder, {**narrow.record, "settings": settings}, [directory.MODEL])
    narrow = Member("cnn_1", 0, narrow.folder, directory.read_record(narrow.folder))
    predictor = Predictor()
    assert predictor.load(member) is not predictor.load(narrow)
    for one in (member, narrow):
        found = predict_probabilities(predictor.load(one), FACES)
        np.testing.assert_allclose(found, plain_probabilities(one, FACES), atol=1e-5)


def test_members_of_one_architecture_keep_their_own_pixel_statistics(member):
    from fer_ensemble.models import add_softmax, build_model
    from fer_ensemble.models.layers import set_pixel_statistics
    from fer_ensemble.training.settings import TrainingSettings

    settings = {**member.record["settings"], "pixel_statistics": "dataset", "input_channels": 3}
    keras.utils.set_random_seed(0)
    core = build_model(TrainingSettings(**settings), 3)
    members = []
    for number, mean in enumerate((100.0, 150.0)):
        sibling = make_sibling(member, f"cnn_{number + 1}")
        set_pixel_statistics(core, mean, 60.0)
        add_softmax(core).save(sibling.folder / "model.keras")
        directory.write_record(sibling.folder, {**sibling.record, "settings": settings}, [directory.MODEL])
        members.append(Member(sibling.run, 0, sibling.folder, directory.read_record(sibling.folder)))
    predictor = Predictor()
    networks, found = [], []
    for one in members:
        networks.append(predictor.load(one))
        found.append(predict_probabilities(networks[-1], FACES))
        np.testing.assert_allclose(found[-1], plain_probabilities(one, FACES), atol=1e-5)
    assert networks[0] is networks[1]
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_flip_is_the_average_of_the_face_and_its_mirror_image(member):
    found = predict_probabilities(Predictor("flip").load(member), FACES)
    expected = (plain_probabilities(member, FACES) + plain_probabilities(member, FACES[:, :, ::-1])) / 2
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - plain_probabilities(member, FACES)).max() > 1e-3


def test_shifts_are_the_average_of_faces_moved_by_two_pixels_and_their_mirror_images(member):
    expected = np.zeros((len(FACES), 3))
    padded = np.pad(FACES, ((0, 0), (2, 2), (2, 2)), mode="edge")
    for top, left in ((2, 2), (0, 2), (4, 2), (2, 0), (2, 4)):
        view = padded[:, top : top + 48, left : left + 48]
        expected += plain_probabilities(member, view) + plain_probabilities(member, view[:, :, ::-1])
    found = predict_probabilities(Predictor("shifts").load(member), FACES)
    np.testing.assert_allclose(found, expected / 10, atol=1e-5)
    assert np.abs(found - predict_probabilities(Predictor("flip").load(member), FACES)).max() > 1e-4


def enlarge(crops):
    """From 44 to 48 pixels: each new pixel's centre lies between two old ones, at (i + 1/2) 44/48 - 1/2."""
    centres = np.clip((np.arange(48) + 0.5) * 44 / 48 - 0.5, 0, 43)
    below = np.minimum(centres.astype(int), 42)
    matrix = np.zeros((48, 44))
    matrix[np.arange(48), below] = 1 - (centres - below)
    matrix[np.arange(48), below + 1] = centres - below
    return np.einsum("yi,nij,xj->nyx", matrix, crops, matrix)


def test_tencrop_is_the_average_of_five_crops_and_their_mirror_images(member):
    expected = np.zeros((len(FACES), 3))
    for top, left in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2)):
        view = enlarge(FACES[:, top : top + 44, left : left + 44])
        expected += plain_probabilities(member, view) + plain_probabilities(member, view[:, :, ::-1])
    found = predict_probabilities(Predictor("tencrop").load(member), FACES)
    np.testing.assert_allclose(found, expected / 10, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("views", list(VIEWS))
def test_every_image_counts_under_every_view(views, member, monkeypatch):
    network = Predictor(views).load(member)
    expected = [predict_probabilities(network, face[None])[0] for face in FACES]
    monkeypatch.setattr(predictions, "BATCH_SIZE", 3 * VIEWS[views])
    found = predict_probabilities(network, FACES, VIEWS[views])  # 3 + 2
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_predictions_of_a_view_hold_what_was_held_out_and_are_kept(member, tiny_dataset, capsys):
    parts = member_predictions(member, tiny_dataset, Predictor("flip"))
    assert "exp_0/cnn_0: predicting" in capsys.readouterr().out
    plain = member_predictions(member)
    assert parts.keys() == plain.keys()
    network = Predictor("flip").load(member)
    for name, part in parts.items():
        for field in ("rows", "labels", "copies"):
            np.testing.assert_array_equal(getattr(part, field), getattr(plain[name], field))
        images = tiny_dataset.images[np.isin(tiny_dataset.rows, part.rows)]
        np.testing.assert_allclose(part.probabilities, predict_probabilities(network, images), atol=1e-5)
    assert len(list(member.folder.glob("predictions-*.h5"))) == 1
    again = member_predictions(member, tiny_dataset, Predictor("flip"))
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(again["oof"].probabilities, parts["oof"].probabilities)


def test_each_view_of_other_data_is_kept_apart(member, tiny_dataset):
    other = make_dataset(
        255 - tiny_dataset.images, tiny_dataset.labels, tiny_dataset.usage, tiny_dataset.rows, ("a", "b", "c")
    )
    found = {views: member_predictions(member, other, Predictor(views)) for views in VIEWS}
    assert all(parts.keys() == {"PublicTest", "PrivateTest"} for parts in found.values())
    values = [parts["PublicTest"].probabilities for parts in found.values()]
    assert min(np.abs(a - b).max() for a, b in itertools.pairwise(values)) > 1e-4
    assert len(list(member.folder.glob("predictions-*.h5"))) == len(VIEWS)


def test_each_precision_is_kept_apart(member, tiny_dataset):
    precisions = ("float32", "mixed_bfloat16")
    parts = [member_predictions(member, tiny_dataset, Predictor("flip", precision)) for precision in precisions]
    exact, rounded = (part["PublicTest"].probabilities for part in parts)
    assert 0 < np.abs(exact - rounded).max() < 0.05
    assert len(list(member.folder.glob("predictions-*.h5"))) == 2


@pytest.mark.parametrize("damaged", ["first", "next"])
def test_a_damaged_model_is_named(damaged, member):
    predictor, sibling = Predictor(), make_sibling(member)
    with (sibling.folder / "model.keras").open("ab") as file:
        file.write(b"\0")
    if damaged == "next":
        predictor.load(member)
    with pytest.raises(ValueError, match=r"exp_0/cnn_1/model\.keras is not the file that the training wrote"):
        predictor.load(sibling)
