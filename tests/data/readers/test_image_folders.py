import numpy as np
import pytest
from PIL import Image

from fer_ensemble.base.counter import Progress
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, TRAINING
from fer_ensemble.data.readers.archives import walk_files
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.readers.image_folders import find_label, find_usage, is_image, read_images


def save(path, value, size=(48, 48), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def read(folder, skip=False):
    bad_rows = BadRows(skip)
    return read_images(walk_files(folder), "faces", bad_rows, Progress("Reading", "images")), bad_rows.found


@pytest.mark.parametrize(
    ("path", "usage"),
    [
        ("train/happy/1.jpg", TRAINING),
        ("validation/happy/1.jpg", PUBLIC_TEST),
        ("Val/happy/1.jpg", PUBLIC_TEST),
        ("test/happy/1.jpg", PRIVATE_TEST),
        ("test/happy/PublicTest_1.jpg", PUBLIC_TEST),
        ("train/happy/PrivateTest_1.jpg", PRIVATE_TEST),
        ("test/happy/Training_1.jpg", TRAINING),
        ("test/train/happy/1.jpg", TRAINING),
        ("faces/happy/1.jpg", TRAINING),
    ],
)
def test_the_file_name_gives_the_split_or_else_the_innermost_folder(path, usage):
    assert find_usage(tuple(path.split("/"))) == usage


def test_the_folder_gives_the_label():
    assert find_label(("train", "Surprised", "1.jpg")) == 5
    assert find_label(("test", "1.jpg")) == -1
    with pytest.raises(ValueError, match=r"folder named for its class \(angry, .*Received: folder 'contempt'\."):
        find_label(("train", "contempt", "1.jpg"))


def test_an_image_is_known_by_its_first_bytes_or_its_name():
    assert is_image("face", b"\x89PNG\r\n\x1a\n...")
    assert is_image("face.JPG", b"")
    assert not is_image("face.txt", b"emotion,pixels")


def test_images_of_any_kind_are_read_in_the_order_of_their_paths(tmp_path):
    save(tmp_path / "train" / "happiness" / "b.png", 20)
    save(tmp_path / "train" / "happiness" / "a.png", (30, 30, 30), (200, 100), "RGB")
    save(tmp_path / "train" / "anger" / "z.bmp", 10, (20, 30))
    save(tmp_path / "test" / "neutral" / "PublicTest_7.jpg", 40)
    faces, _ = read(tmp_path)
    np.testing.assert_array_equal(faces.images, np.full((4, 48, 48), [[[40]], [[10]], [[30]], [[20]]]))
    np.testing.assert_array_equal(faces.labels, [6, 0, 3, 3])
    np.testing.assert_array_equal(faces.usage, [1, 0, 0, 0])
    np.testing.assert_array_equal(faces.rows, [0, 1, 2, 3])


def test_a_corrupt_image_is_an_error_or_left_out(tmp_path):
    save(tmp_path / "train" / "sad" / "1.png", 1)
    (tmp_path / "train" / "sad" / "0.jpg").write_bytes(b"no picture")
    with pytest.raises(
        ValueError, match=r"train/sad/0\.jpg, row 0: expected a readable picture .*Received: 10 bytes"
    ):
        read(tmp_path)
    faces, [(file, row, problem)] = read(tmp_path, skip=True)
    np.testing.assert_array_equal(faces.rows, [1])
    assert (file, row) == (str(tmp_path / "train" / "sad" / "0.jpg"), 0)
    assert problem.startswith("expected a readable picture")


def test_an_unknown_class_is_an_error_or_left_out(tmp_path):
    save(tmp_path / "train" / "bored" / "1.png", 1)
    with pytest.raises(ValueError, match=r"train/bored/1\.png, row 0: .*Received: folder 'bored'"):
        read(tmp_path)
    assert len(read(tmp_path, skip=True)[0].images) == 0
