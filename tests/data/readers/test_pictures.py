import io

import numpy as np
import pytest
from PIL import Image

from fer_ensemble.data.readers.pictures import read_face


def encode(array, form="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture
def face():
    return np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)


def test_a_grey_48x48_picture_comes_back_exactly(face, tmp_path):
    np.testing.assert_array_equal(read_face(encode(face)), face)
    (tmp_path / "face.png").write_bytes(encode(face))
    np.testing.assert_array_equal(read_face(tmp_path / "face.png"), face)


def test_colour_becomes_grey_by_luma():
    red = np.zeros((48, 48, 3), np.uint8)
    red[..., 0] = 255
    np.testing.assert_array_equal(read_face(encode(red)), 76)  # 0.299 * 255 = 76.2


def test_sixteen_bit_grey_keeps_its_upper_eight_bits(face):
    np.testing.assert_array_equal(read_face(encode(face.astype(np.uint16) * 256 + 7)), face)


def test_a_wide_picture_is_cropped_to_its_middle():
    wide = np.zeros((96, 288), np.uint8)
    wide[:, 88:200] = 200  # the middle third, and what the resampling looks at beside it
    np.testing.assert_array_equal(read_face(encode(wide)), 200)


def test_any_size_is_resampled_to_48x48():
    for height, width in ((1, 1), (10, 7), (2000, 1500)):
        image = read_face(encode(np.full((height, width), 90, np.uint8)))
        np.testing.assert_array_equal(image, np.full((48, 48), 90))


def test_a_picture_lying_on_its_side_is_turned_as_exif_says(face):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    np.testing.assert_array_equal(read_face(encode(face, exif=exif)), np.rot90(face, -1))


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "an empty file"), (b"GIF89a no", "9 bytes"), (b"\xff\xd8\xff\xe0 no", "7 bytes")],
)
def test_what_is_no_picture_is_an_error_that_names_it(content, problem):
    with pytest.raises(ValueError, match=rf"1\.jpg: expected a readable picture.*Received: {problem}"):
        read_face(content, "1.jpg")


def test_a_picture_that_was_cut_is_an_error(face):
    with pytest.raises(ValueError, match="picture: expected a readable picture"):
        read_face(encode(face)[:-400])


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_face(tmp_path / "none.png")
