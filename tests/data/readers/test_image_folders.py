import numpy as np
import pytest
from PIL import Image

from fer_ensemble.base.progress_bar import ProgressBar
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, TRAINING
from fer_ensemble.data.readers.archives import walk_files
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.readers.image_folders import find_class_folder, find_usage, is_image, read_images


def save(path, value, size=(48, 48), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def read(folder, skip=False):
    bad_rows = BadRows(skip)
    names = ["/".join(file.parts) for file in walk_files(folder)]
    progress = ProgressBar("Reading", "images")
    return read_images(walk_files(folder), names, "faces", bad_rows, progress), bad_rows.found


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
        ("faces/happy/1.jpg", None),
    ],
)
def test_the_file_name_gives_the_split_or_else_the_innermost_folder(path, usage):
    assert find_usage(tuple(path.split("/"))) == usage


def test_the_folder_gives_the_class():
    assert find_class_folder(("train", "Surprised", "1.jpg"), is_folder=True) == "Surprised"
    assert find_class_folder(("train", "bored", "1.jpg"), is_folder=True) == "bored"
    assert find_class_folder(("bored", "1.jpg"), is_folder=False) == "bored"
    assert find_class_folder(("happy", "1.jpg"), is_folder=True) == "happy"


def test_an_image_directly_in_the_folder_of_a_split_has_no_label_unless_that_is_in_one_of_the_seven():
    assert find_class_folder(("test", "1.jpg"), is_folder=True) is None
    assert find_class_folder(("data", "test", "1.jpg"), is_folder=True) is None
    assert find_class_folder(("data", "fear", "test", "1.jpg"), is_folder=True) == "fear"


@pytest.mark.parametrize(("parts", "is_folder"), [(("photos", "1.jpg"), True), (("1.jpg",), False)])
def test_an_image_beside_the_classes_is_an_error(parts, is_folder):
    with pytest.raises(ValueError, match=r"expected an image in a folder named for its class \(angry, .*your own"):
        find_class_folder(parts, is_folder)


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


def test_an_image_beside_the_classes_is_an_error_or_left_out(tmp_path):
    save(tmp_path / "sad" / "1.png", 1)
    save(tmp_path / "1.png", 1)
    with pytest.raises(ValueError, match=r"1\.png, row 0: .*Received: folder .* Mend or remove the picture"):
        read(tmp_path)
    assert len(read(tmp_path, skip=True)[0].images) == 1


def test_classes_of_ones_own_come_behind_the_seven_in_order(tmp_path):
    for value, folder in enumerate(
        ["train/Zzz", "train/bored", "train/happiness", "test/zzz", "test/10", "test/9"]
    ):
        save(tmp_path / folder / "1.png", value)
    faces, _ = read(tmp_path)
    assert faces.class_names == ("happy", "9", "10", "bored", "zzz")
    np.testing.assert_array_equal(faces.images[:, 0, 0], [4, 5, 3, 0, 1, 2])
    np.testing.assert_array_equal(faces.labels, [2, 1, 4, 4, 3, 0])


def test_without_a_split_in_any_name_the_usage_is_not_told(tmp_path):
    save(tmp_path / "faces" / "sad" / "1.png", 1)
    assert read(tmp_path / "faces")[0].usage is None
    save(tmp_path / "faces" / "sad" / "PublicTest_1.png", 1)
    np.testing.assert_array_equal(read(tmp_path / "faces")[0].usage, [0, 1])
