"""Whatever bytes come as --data: a data set, or one UserError, within bounds of memory (Hypothesis)."""

import gzip
import io
import pathlib
import tempfile
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.dataset_file import write_dataset
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.readers.csv_rows import MAXIMUM_LINE, read_header, read_rows
from fer_ensemble.data.readers.pictures import read_picture
from fer_ensemble.data.store import convert_inputs, is_hdf5, read_dataset
from fer_ensemble.data.summary import describe_dataset
from tests.any_bytes import damaged, few, within_memory
from tests.archives import tarred, zipped

pytestmark = [
    pytest.mark.filterwarnings("ignore:string or file could not be read"),  # NumPy's, of bad pixels
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),  # of damaged pictures
    pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning"),  # zipfile's, when the archives are made
]


def picture(form="PNG", size=(9, 7), mode="RGB", **options):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)).convert(mode).save(
        buffer, form, **options
    )
    return buffer.getvalue()


def data_set():
    with tempfile.TemporaryDirectory() as folder:
        images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)
        dataset = make_dataset(images, np.array([0, 1, 0]), np.zeros(3, int), np.arange(3), ("a", "b"))
        write_dataset(dataset, pathlib.Path(folder, "x.h5"))
        return pathlib.Path(folder, "x.h5").read_bytes()


ROW = " ".join(["7"] * 2304)
CSV = f'emotion,pixels,Usage\n3,{ROW},Training\n"4","{ROW}",PublicTest\n,{ROW},PrivateTest\n'.encode()
PICTURES = {f"{split}/{label}/1.png": picture() for split in ("train", "test") for label in ("happy", "bored")}
WHOLE = {
    "csv": CSV,
    "gz": gzip.compress(CSV),
    "zip": zipped(PICTURES),
    "bzip2": zipped({"a.csv": CSV}, zipfile.ZIP_BZIP2),
    "lzma": zipped({"a.csv": CSV}, zipfile.ZIP_LZMA),
    "zip in zip": zipped({"a.zip": zipped({"a.csv": CSV})}),
    "tar": tarred(PICTURES),
    "tar.gz": gzip.compress(tarred({"a.csv": CSV})),
    "h5": data_set(),
}
PICTURE_FILES = {
    "PNG": picture(),
    "16 bits": picture(mode="I;16"),
    "palette": picture(mode="P"),
    "JPEG": picture("JPEG"),
    "GIF": picture("GIF", mode="P"),
    "BMP": picture("BMP"),
    "WebP": picture("WEBP"),
    "TIFF": picture("TIFF", compression="tiff_lzw"),
    "PPM": picture("PPM"),
}


def anything(*beginnings):
    """Any bytes, behind one of the beginnings by which a kind of file is known."""
    return st.builds(bytes.__add__, st.sampled_from((b"", *beginnings)), st.binary(max_size=2000))


def read(content, skip=False):
    """Reads bytes as --data does, and describes what came; returns the data set, or None after a UserError."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "input")
        path.write_bytes(content)
        return read_input(path, skip)


def read_input(path, skip=False):
    """As `read`, but a file or folder that is there."""
    with within_memory():
        try:
            dataset = read_dataset(path) if is_hdf5(path) else convert_inputs([path], BadRows(skip))
        except UserError as error:
            assert str(path) in str(error) or "Expected" in str(error)
            return None
        assert describe_dataset(dataset)
        return dataset


@pytest.mark.parametrize("kind", WHOLE)
def test_the_whole_files_are_read(kind):
    assert read(WHOLE[kind]) is not None


@pytest.mark.parametrize("kind", WHOLE)
@few
@given(st.data(), st.booleans())
def test_a_damaged_file_is_a_data_set_or_one_error(kind, data, skip):
    read(data.draw(damaged([WHOLE[kind]])), skip)


@few
@given(
    anything(b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", bytes(257) + b"ustar", CSV[:21], b"\x89PNG\r\n\x1a\n")
)
def test_any_bytes_are_a_data_set_or_one_error(content):
    read(content)


@few
@given(st.lists(st.lists(st.text(max_size=12), max_size=5), max_size=5), st.sampled_from(',";\t'), st.booleans())
def test_any_table_is_a_data_set_or_one_error(rows, comma, has_header):
    header = [["emotion", "pixels", "Usage"]] if has_header else []
    text = "\n".join(comma.join(fields) for fields in header + rows)
    read(text.encode("utf-8", "surrogatepass"))


@few
@given(st.text(st.sampled_from('a1,"\n\r \\\0é'), max_size=200))
def test_the_rows_of_any_text_are_numbered_without_gaps(text):
    stream = io.BytesIO(b"a,b\n" + text.encode())
    rows = list(read_rows(stream, "x.csv", read_header(stream, "x.csv")))
    assert [row.number for row in rows] == list(range(len(rows)))
    assert all((row.fields is None) != (row.problem is None) for row in rows)
    assert all(len(row.fields) == 2 for row in rows if row.fields)
    assert len(text) < MAXIMUM_LINE


@pytest.mark.parametrize("kind", PICTURE_FILES)
@few
@given(st.data())
def test_a_damaged_picture_is_a_picture_or_one_error(kind, data):
    content = data.draw(damaged([PICTURE_FILES[kind]]))
    try:
        array = read_picture(content, "1.png")
    except UserError as error:
        assert str(error).startswith("1.png: ")
    else:
        assert array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3


@few
@given(
    st.dictionaries(
        st.text(st.sampled_from("ab/\\. é\ud800"), min_size=1, max_size=12).map(lambda name: f"{name}.png"),
        st.sampled_from((picture(), b"", b"none")),
        max_size=6,
    )
)
def test_any_names_in_an_archive_are_a_data_set_or_one_error(files):
    files = {name: content for name, content in files.items() if name.encode("utf-8", "replace").decode() == name}
    read(zipped(files), skip=True)
    read(tarred(files), skip=True)


@few
@given(
    st.dictionaries(
        st.lists(st.sampled_from(("train", "test", "happy", "bored", "é\udcff", "a.zip", "1")), max_size=3).map(
            tuple
        ),
        st.sampled_from((*PICTURE_FILES.values(), *WHOLE.values(), b"", b"none"))
        | damaged(list(PICTURE_FILES.values()))
        | st.none(),
        max_size=6,
    ),
    st.booleans(),
)
def test_a_folder_of_anything_is_a_data_set_or_one_error(files, skip):
    with tempfile.TemporaryDirectory() as folder:
        for number, (parts, content) in enumerate(files.items()):
            place = pathlib.Path(folder, *parts)
            place.mkdir(parents=True, exist_ok=True)
            if content is None:
                (place / f"{number}.png").symlink_to("nowhere")
            else:
                (place / f"{number}.png").write_bytes(content)
        read_input(pathlib.Path(folder), skip)
