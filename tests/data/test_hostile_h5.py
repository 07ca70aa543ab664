"""What accidents and enemies make of a data set's .h5: each ends in one line that names the file and the fix."""

import h5py
import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset_file import FORMAT
from fer_ensemble.data.store import load_dataset
from tests.h5_files import declare_a_million, write_h5


def link_elsewhere(file, name):
    file[name] = h5py.ExternalLink("/etc/other.h5", "images")


def store_elsewhere(file, name):
    file.create_dataset(name, (2, 48, 48), np.uint8, external=[("/etc/passwd", 0, 4608)])


def virtual(file, name):
    layout = h5py.VirtualLayout((2, 48, 48), np.uint8)
    layout[:] = h5py.VirtualSource("/etc/other.h5", "images", (2, 48, 48))
    file.create_virtual_dataset(name, layout)


NO_IMAGES = {
    "images": np.zeros((0, 48, 48), np.uint8),
    **dict.fromkeys(("labels", "usage", "rows"), np.zeros(0, np.uint8)),
}
H5_FILES = {
    "no attributes": (dict.fromkeys(("format", "fingerprint", "class_names", "provenance")), "of the format"),
    "no fingerprint": ({"fingerprint": None}, "no 'fingerprint'"),
    "no class names": ({"class_names": None}, "no 'class_names'"),
    "another version": ({"format": FORMAT.replace("1", "2")}, "of the format"),
    "format a number": ({"format": 7}, "of the format"),
    "class names no JSON": ({"class_names": "[a"}, "with its names"),
    "class names a number": ({"class_names": "7"}, "with its names"),
    "class names numbers": ({"class_names": "[1, 2]"}, "class names that are no text"),
    "class names deep": ({"class_names": "[" * 60_000}, "with its names"),
    "one class": ({"class_names": '["a"]'}, "complete data set. Received: `class_names` must be"),
    "a group of images": ({"images": lambda file, name: file.create_group(name)}, "Received: no array images"),
    "a number": ({"images": np.array(7, np.uint8)}, r"Received: labels of shape \(2,\)"),
    "float images": ({"images": np.zeros((2, 48, 48))}, "images of kind float64"),
    "16-bit images": ({"images": np.zeros((2, 48, 48), np.uint16)}, "must be uint8"),
    "flat images": ({"images": np.zeros((2, 2304), np.uint8)}, r"images of shape \(2, 2304\)"),
    "no images": ({"images": None}, "no array images"),
    "empty": (NO_IMAGES, "at least one"),
    "three labels": ({"labels": np.zeros(3, np.int8)}, r"labels of shape \(3,\)"),
    "label too high": ({"labels": np.full(2, 9)}, "`labels` must be within"),
    "votes of five": ({"votes": np.zeros((2, 5), np.uint8)}, r"votes of shape \(2, 5\)"),
    "rows twice": ({"rows": np.zeros(2, int)}, "`rows` must be a different number"),
    "other contents": ({}, "the contents it was written with"),
    "a million images": ({"images": declare_a_million, "labels": np.zeros(1_000_000, np.int8)}, "declare|shape"),
    "linked images": ({"images": link_elsewhere}, "no array images"),
    "images in another file": ({"images": store_elsewhere}, "no array images"),
    "virtual images": ({"images": virtual}, "no array images"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), H5_FILES.values(), ids=H5_FILES)
def test_a_bad_h5_is_one_error_that_names_it_and_how_to_make_it_anew(tmp_path, changes, told):
    path = tmp_path / "faces.h5"
    write_h5(path, **changes)
    with pytest.raises(UserError, match=rf"^{path}: expected[^\n]*({told}).* Make it anew: python -m fer_ens"):
        load_dataset(path)


def test_a_damaged_list_of_texts_does_not_run_in_circles(tmp_path):
    write_h5(tmp_path / "faces.h5")
    content = bytearray((tmp_path / "faces.h5").read_bytes())
    first = content.index(b"GCOL") + 16
    for size in (bytes(8), b"\xf0" + b"\xff" * 7):  # one that ends nowhere, and one of almost 2 ** 64 bytes
        content[first + 8 : first + 16] = size
        content[first + 32 : first + 48] = bytes(8) + size
        (tmp_path / "faces.h5").write_bytes(content)
        with pytest.raises(UserError, match=r"faces\.h5: expected a complete HDF5 file.*a list of texts"):
            load_dataset(tmp_path / "faces.h5")
