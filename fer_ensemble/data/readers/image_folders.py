"""Folders of images, one folder per class."""

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.classes import find_class
from fer_ensemble.data.dataset import (
    CLASS_NAMES,
    IMAGE_SIZE,
    PRIVATE_TEST,
    PUBLIC_TEST,
    SPLITS,
    TRAINING,
    UNLABELLED,
)
from fer_ensemble.data.readers.csv_files import Faces
from fer_ensemble.data.readers.pictures import read_face

_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_SPLIT_OF_FOLDER = {
    "train": TRAINING,
    "training": TRAINING,
    "val": PUBLIC_TEST,
    "valid": PUBLIC_TEST,
    "validation": PUBLIC_TEST,
    "publictest": PUBLIC_TEST,
    "test": PRIVATE_TEST,
    "testing": PRIVATE_TEST,
    "privatetest": PRIVATE_TEST,
}


def is_image(name, head):
    """Tells an image by its first bytes; a damaged one still by its name, so that it is not passed over."""
    return head.startswith(_MAGIC) or name.lower().endswith(_SUFFIXES)


def find_usage(parts):
    """Returns the split of an image (position in `SPLITS`).

    Args:
        parts: Folders and file name, as `("train", "happy", "Training_1.jpg")`. A file name that begins with
            `Training_`, `PublicTest_` or `PrivateTest_` decides; otherwise the innermost folder named for a split
            does (`validation` and `val` are PublicTest, `test` is PrivateTest). Without either: Training, as in a
            CSV without Usage.
    """
    for usage, split in enumerate(SPLITS):
        if parts[-1].startswith(f"{split}_"):
            return usage
    for folder in reversed(parts[:-1]):
        if folder.lower() in _SPLIT_OF_FOLDER:
            return _SPLIT_OF_FOLDER[folder.lower()]
    return TRAINING


def find_label(parts):
    """Returns the label of an image by the folder it lies in; -1 directly in the folder of a split.

    Raises:
        UserError: If the folder is named neither for a class nor for a split.
    """
    folder = parts[-2] if len(parts) > 1 else ""
    name = find_class(folder)
    if name:
        return CLASS_NAMES.index(name)
    if folder.lower() in _SPLIT_OF_FOLDER:
        return UNLABELLED
    raise UserError(
        f"expected an image in a folder named for its class ({', '.join(CLASS_NAMES)}), or directly in that of a "
        f"split (train, validation, test). Received: folder {folder!r}."
    )


def read_images(files, name, bad_rows, progress):
    """Reads images of any size and kind.

    Args:
        files: Iterable of `archives.File`, each an image.
        name: What error messages call them together.
        bad_rows: `BadRows`, told of each unreadable image and each unknown class.
        progress: `Progress`, told of each image.

    Returns:
        `Faces`, sorted by folders and file name as text; `rows` are the places in that order.
    """
    found = []
    for file in files:
        problem, image, label = None, np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8), UNLABELLED
        try:
            label = find_label(file.parts)
            image = read_face(file.stream.read(), file.name)
        except ValueError as error:
            problem = str(error).removeprefix(f"{file.name}: ")
        found.append(("/".join(file.parts), file.name, image, label, find_usage(file.parts), problem))
        progress.add(1)
    found.sort(key=lambda item: item[0])
    for row, (_, file_name, *_, problem) in enumerate(found):
        if problem:
            bad_rows.add(file_name, row, problem)
    rows = [row for row, item in enumerate(found) if not item[-1]]
    good = [found[row] for row in rows]
    images = np.array([item[2] for item in good], np.uint8).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
    labels = np.array([item[3] for item in good], np.int8)
    usage = np.array([item[4] for item in good], np.uint8)
    return Faces(name, images, labels, usage, np.array(rows, np.int64), len(found))
