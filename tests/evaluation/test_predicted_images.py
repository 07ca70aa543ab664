import dataclasses

import numpy as np

from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.store import write_dataset
from fer_ensemble.evaluation.predicted_images import describe_copies, find_data, positions_of


def record_of(dataset, name="tiny.h5"):
    return {"data": {"name": name, "fingerprint": dataset.fingerprint}, "class_names": list(dataset.class_names)}


def with_votes(dataset):
    votes = np.full((len(dataset.images), 10), 1, np.uint8)
    return make_dataset(dataset.images, dataset.labels, dataset.usage, dataset.rows, dataset.class_names, votes)


def test_the_data_of_the_training_are_found_in_the_folder_data(tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_data("", record_of(tiny_dataset)) == (None, False)
    write_dataset(tiny_dataset, tmp_path / "data" / "tiny.h5")
    dataset, own = find_data("", record_of(tiny_dataset))
    assert own and dataset.fingerprint == tiny_dataset.fingerprint


def test_other_data_of_that_name_are_left_alone(tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_dataset(tiny_dataset, tmp_path / "data" / "tiny.h5")
    other = dataclasses.replace(tiny_dataset, fingerprint="0" * 64)
    assert find_data("", record_of(other)) == (None, False)
    dataset, own = find_data(tmp_path / "data" / "tiny.h5", record_of(other))  # asked for
    assert not own and dataset.fingerprint == tiny_dataset.fingerprint


def test_votes_that_came_later_do_not_make_other_data(tiny_dataset, tmp_path):
    voted = with_votes(tiny_dataset)
    assert voted.fingerprint != tiny_dataset.fingerprint
    write_dataset(voted, tmp_path / "voted.h5")
    dataset, own = find_data(tmp_path / "voted.h5", record_of(tiny_dataset))
    assert own and dataset.votes is not None
    assert dataset.fingerprint == tiny_dataset.fingerprint


def test_positions_are_found_by_row(tiny_dataset):
    rows = tiny_dataset.rows[[7, 0, 3]]
    assert positions_of(tiny_dataset, rows).tolist() == [7, 0, 3]


def test_copies_are_counted_by_hand():
    images = np.zeros((7, 48, 48), np.uint8) + np.array([1, 2, 1, 3, 2, 1, 3], np.uint8)[:, None, None]
    labels = [0, 1, 0, 0, 0, -1, 0]
    usage = [0, 0, 0, 1, 1, 2, 2]
    dataset = make_dataset(images, labels, usage, np.arange(7), ("sad", "happy"))
    assert describe_copies(dataset) == {
        "redundant": 4,
        "groups": 3,
        "conflicts": [[1, 4]],
        "of_training": {"PublicTest": 1, "PrivateTest": 1},
    }
