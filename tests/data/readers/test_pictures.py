import io
import os
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from fer_ensemble.base.errors import MissingPackageError, UserError
from fer_ensemble.data.readers import pictures
from fer_ensemble.data.readers.pictures import read_face, read_picture


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


def test_any_picture_comes_back_as_rgb():
    colours = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    np.testing.assert_array_equal(read_picture(encode(colours)), colours)
    grey = read_picture(encode(colours[..., 0]))
    np.testing.assert_array_equal(grey, np.repeat(colours[..., :1], 3, axis=2))
    assert grey.dtype == np.uint8


def test_a_palette_cmyk_and_an_animation_come_back_as_rgb():
    red = Image.new("RGB", (8, 6), (255, 0, 0))
    buffer = io.BytesIO()
    red.convert("P", palette=Image.Palette.ADAPTIVE).save(
        buffer, "GIF", save_all=True, append_images=[Image.new("RGB", (8, 6))]
    )
    np.testing.assert_array_equal(read_picture(buffer.getvalue()), np.array(red))
    buffer = io.BytesIO()
    red.convert("CMYK").save(buffer, "TIFF")
    np.testing.assert_array_equal(read_picture(buffer.getvalue()), np.array(red))


def test_what_is_transparent_becomes_white():
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[0, 0] = [10, 20, 30, 255]
    expected = np.full((2, 2, 3), 255, np.uint8)
    expected[0, 0] = [10, 20, 30]
    np.testing.assert_array_equal(read_picture(encode(picture)), expected)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0])
    buffer = io.BytesIO()
    palette.save(buffer, "PNG", transparency=0)
    np.testing.assert_array_equal(read_picture(buffer.getvalue()), 255)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_all_orientations_are_turned_upright(orientation, form):
    picture = np.zeros((16, 24), np.uint8)
    picture[:8, :8] = 255
    lossless = {"quality": 100} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = {
        1: picture, 2: picture[:, ::-1], 3: picture[::-1, ::-1], 4: picture[::-1], 5: picture.T,
        6: np.rot90(picture, -1), 7: picture[::-1, ::-1].T, 8: np.rot90(picture),
    }[orientation]  # fmt: skip
    np.testing.assert_allclose(
        read_picture(encode(picture, form, exif=exif, **lossless))[..., 0], expected, atol=2
    )


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_data_turn_nothing(face):
    content = encode(face, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 9)
    assert read_picture(content).shape == (48, 48, 3)


def test_eps_and_other_kinds_are_refused_whatever_their_name(tmp_path):
    (tmp_path / "face.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 48\n%%EndComments\n showpage\n"
    )
    with pytest.raises(UserError, match=r"face\.png: expected a readable picture \(PNG, JPEG, .*Received"):
        read_picture(tmp_path / "face.png")


def test_bounds_on_pixels_and_bytes_are_told(face, monkeypatch):
    monkeypatch.setattr(pictures, "MAXIMUM_PIXELS", 2303)
    with pytest.raises(UserError, match=r"^a\.png: expected a picture of at most 2,303 pixels. Received: 48 x 48"):
        read_picture(encode(face), "a.png")
    monkeypatch.setattr(pictures, "MAXIMUM_BYTES", 100)
    with pytest.raises(UserError, match=r"^a\.png: expected a picture of at most 100 bytes"):
        read_picture(encode(face), "a.png")


def test_a_small_file_of_a_huge_picture_is_one_line_and_no_memory():
    header = struct.pack(">IIBBBBB", 65_000, 65_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    content += struct.pack(">I", 10) + b"IDAT"
    with pytest.raises(UserError, match=r"at most 80,000,000 pixels. Received: more than"):
        read_picture(content)


def test_a_pipe_and_a_folder_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png: expected a picture file. Received: a pipe or device"):
        read_picture(tmp_path / "a.png")
    with pytest.raises(UserError, match="Received: a folder"):
        read_picture(tmp_path)


@pytest.mark.parametrize(("bits", "told"), [(np.int32, "16 bits"), (np.float32, "16 bits")])
def test_grey_values_of_32_bits_are_told(bits, told):
    with pytest.raises(UserError, match=told):
        read_picture(encode(np.full((5, 5), 70_000, bits), "TIFF"))


def test_heic_is_read_or_the_extra_is_named(face, monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), (200, 100, 50))).save(buffer, quality=100)
    picture = read_picture(buffer.getvalue())
    assert picture.shape == (48, 64, 3)
    np.testing.assert_allclose(picture[24, 32], [200, 100, 50], atol=6)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'fer-ensemble\[heic\]'"):
        read_picture(buffer.getvalue(), "a.heic")
