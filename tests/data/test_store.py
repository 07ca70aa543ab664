import os
import pathlib
import resource
import subprocess
import sys

import h5py
import numpy as np
import pytest

from fer_ensemble.data import store
from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.dataset import CLASS_NAMES
from fer_ensemble.data.store import load_dataset, read_dataset, resolve_dataset, write_dataset

ROOT = pathlib.Path(__file__).resolve().parents[2]


def line(value):
    return " ".join([str(value)] * 2304)


@pytest.fixture
def dataset():
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)
    return make_dataset(images, np.array([0, -1, 6]), np.array([0, 2, 1]), np.array([0, 1, 3]), CLASS_NAMES)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "faces.csv"
    path.write_text(f"emotion,pixels,Usage\n3,{line(1)},Training\n4,{line(2)},Training\n,{line(3)},PublicTest\n")
    return path


def assert_equal(one, other):
    assert one.fingerprint == other.fingerprint
    assert one.class_names == other.class_names
    for name in ("images", "labels", "usage", "rows", "votes"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("votes", [None, np.arange(30, dtype=np.uint8).reshape(3, 10)])
def test_what_is_written_is_read_again(dataset, votes, tmp_path):
    arrays = dataset.images, dataset.labels, dataset.usage, dataset.rows
    dataset = make_dataset(*arrays, CLASS_NAMES, votes)
    write_dataset(dataset, tmp_path / "new" / "folder" / "faces.h5")
    assert_equal(read_dataset(tmp_path / "new" / "folder" / "faces.h5"), dataset)


def test_plain_h5py_can_read_the_file(dataset, tmp_path):
    write_dataset(dataset, tmp_path / "faces.h5")
    with h5py.File(tmp_path / "faces.h5") as file:
        np.testing.assert_array_equal(file["images"][()], dataset.images)
        assert file.attrs["fingerprint"] == dataset.fingerprint


def test_a_missing_file_is_told_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"none\.h5 does not exist\. Make it: python -m fer_ensemble\.data"
    ):
        read_dataset(tmp_path / "none.h5")


def test_an_hdf5_file_of_others_is_an_error(tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["weights"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"weights\.h5: expected an HDF5 file of the format .*Received another"):
        load_dataset(tmp_path / "weights.h5")


def test_a_truncated_file_is_an_error(dataset, tmp_path):
    path = tmp_path / "faces.h5"
    write_dataset(dataset, path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"faces\.h5: expected a complete HDF5 file\. Received .*truncated"):
        load_dataset(path)


def test_a_changed_or_missing_array_is_an_error(dataset, tmp_path):
    write_dataset(dataset, tmp_path / "faces.h5")
    with h5py.File(tmp_path / "faces.h5", "r+") as file:
        file["images"][0, 0, 0] ^= 1
    with pytest.raises(ValueError, match=r"expected the contents it was written with"):
        read_dataset(tmp_path / "faces.h5")
    with h5py.File(tmp_path / "faces.h5", "r+") as file:
        del file["rows"]
    with pytest.raises(ValueError, match=r"expected a complete data set\. Received: .*rows"):
        read_dataset(tmp_path / "faces.h5")


def test_a_place_where_one_cannot_write_is_an_error(dataset, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"faces\.h5 cannot be written \(.*\)\. Choose another place"):
        write_dataset(dataset, tmp_path / "file" / "faces.h5")


def test_a_full_disk_leaves_the_old_file_and_no_half_one(dataset, tmp_path):
    path = tmp_path / "faces.h5"
    write_dataset(dataset, path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # bytes a file may have: as good as a full disk
    try:
        with pytest.raises(OSError, match=r"faces\.h5 cannot be written \(File too large\)"):
            write_dataset(dataset, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_input_is_converted_once_and_kept_beside_it(table):
    first = load_dataset(table)
    np.testing.assert_array_equal(first.labels, [3, 4, -1])
    kept = resolve_dataset(str(table))
    assert kept == table.with_name("faces.csv.h5")
    written = kept.stat()
    assert_equal(load_dataset(table), first)
    assert kept.stat().st_ino == written.st_ino  # not replaced
    assert_equal(load_dataset(kept), first)


def test_it_is_converted_anew_when_the_input_changed(table):
    first = load_dataset(table)
    table.write_text(table.read_text().replace("\n4,", "\n5,"))
    os.utime(table, ns=(0, 1))
    np.testing.assert_array_equal(load_dataset(table).labels, [3, 5, -1])
    assert load_dataset(table).fingerprint != first.fingerprint


def test_an_input_that_changes_while_it_is_converted_is_converted_again(table, monkeypatch):
    convert = store.convert_inputs

    def convert_slowly(paths, bad_rows):
        dataset = convert(paths, bad_rows)
        table.write_text(table.read_text().replace("\n4,", "\n5,"))
        os.utime(table, ns=(0, 1))
        return dataset

    with monkeypatch.context() as patch:
        patch.setattr(store, "convert_inputs", convert_slowly)
        np.testing.assert_array_equal(load_dataset(table).labels, [3, 4, -1])
    np.testing.assert_array_equal(load_dataset(table).labels, [3, 5, -1])


def test_a_folder_is_converted_anew_when_a_file_in_it_changed(tmp_path, table):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "faces.csv").write_bytes(table.read_bytes())
    assert len(load_dataset(folder).labels) == 3
    with (folder / "faces.csv").open("a") as file:
        file.write(f"6,{line(9)},Training\n")
    assert len(load_dataset(folder).labels) == 4
    assert resolve_dataset(folder) == tmp_path / "folder.h5"


def test_a_damaged_conversion_is_made_anew(table):
    first = load_dataset(table)
    table.with_name("faces.csv.h5").write_bytes(b"half")
    assert_equal(load_dataset(table), first)


def test_several_inputs_and_a_subset_of_classes(table, tmp_path):
    header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    rows = ["Training,,10,0,0,0,0,0,0,0,0,0", "Training,,0,0,0,10,0,0,0,0,0,0", "PublicTest,,0,0,0,0,0,0,0,0,0,0"]
    (tmp_path / "votes.csv").write_text(header + "\n".join(rows))
    dataset = load_dataset(f"{table},{tmp_path / 'votes.csv'}", classes="neutral,sad")
    np.testing.assert_array_equal(dataset.labels, [1, -1])
    np.testing.assert_array_equal(dataset.votes[:, 3], [10, 0])
    assert resolve_dataset([table, tmp_path / "votes.csv"]) == tmp_path / "faces.csv+votes.csv.h5"


def test_an_unknown_class_is_told_before_anything_is_converted(table):
    with pytest.raises(ValueError, match="`classes` must be among"):
        resolve_dataset(table, "bored,sad")
    assert not table.with_name("faces.csv.h5").exists()


def test_no_and_missing_inputs_are_errors(tmp_path):
    with pytest.raises(ValueError, match=r"Expected at least one CSV.*Received: none"):
        load_dataset(" , ")
    with pytest.raises(FileNotFoundError, match=r"none\.csv does not exist"):
        load_dataset(tmp_path / "none.csv")


def test_a_folder_where_one_must_not_write_is_left_alone(table, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "folder"
    folder.mkdir()
    table = table.rename(folder / "faces.csv")
    folder.chmod(0o500)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("root may write everywhere")
        assert len(load_dataset(table).labels) == 3
    finally:
        folder.chmod(0o700)
    [kept] = (tmp_path / "cache" / "fer_ensemble").iterdir()
    assert kept.name.endswith("-faces.csv.h5")
    assert list(folder.iterdir()) == [table]


def test_processes_that_convert_at_once_do_no_harm(table):
    code = "import sys; from fer_ensemble.data import store; print(store.load_dataset(sys.argv[1]).fingerprint)"
    command = [sys.executable, "-c", code, str(table)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(6)]
    fingerprints = {process.communicate()[0].strip() for process in processes}
    assert fingerprints == {load_dataset(table).fingerprint}
    assert {path.name for path in table.parent.iterdir()} == {"faces.csv", "faces.csv.h5"}
