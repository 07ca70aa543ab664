"""Folders of images, one folder per class."""

from collections.abc import Iterable

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.memory import check_memory
from fer_ensemble.base.progress_bar import ProgressBar
from fer_ensemble.data.classes import ClassNumbers, find_class
from fer_ensemble.data.dataset import (
    CLASS_NAMES,
    IMAGE_SIZE,
    PRIVATE_TEST,
    PUBLIC_TEST,
    SPLITS,
    TRAINING,
    UNLABELLED,
)
from fer_ensemble.data.readers.archives import File
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.readers.faces import BYTES, Faces
from fer_ensemble.data.readers.pictures import MAXIMUM_BYTES, SUFFIXES, read_face

_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM")
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


def is_image(name: str, head: bytes) -> bool:
    """Tells an image by its first bytes; a damaged one still by its name, so that it is not passed over."""
    return head.startswith(_MAGIC) or name.lower().endswith(SUFFIXES)


def find_usage(parts: tuple[str, ...]) -> int | None:
    """Returns the split of an image (position in `SPLITS`), or None where nothing names one.

    Args:
        parts: Folders and file name, as `("train", "happy", "Training_1.jpg")`. A file name that begins with
            `Training_`, `PublicTest_` or `PrivateTest_` decides; otherwise the innermost folder named for a split
            does (`validation` and `val` are PublicTest, `test` is PrivateTest).
    """
    for usage, split in enumerate(SPLITS):
        if parts[-1].startswith(f"{split}_"):
            return usage
    for folder in reversed(parts[:-1]):
        if folder.lower() in _SPLIT_OF_FOLDER:
            return _SPLIT_OF_FOLDER[folder.lower()]
    return None


def find_class_folder(parts: tuple[str, ...], is_folder: bool) -> str | None:
    """Returns the name of the class of an image: that of the folder it lies in.

    Args:
        parts: Folders and file name.
        is_folder: Whether the first of the parts is the name of the input itself, which may be that of one of the
            seven classes, but not of a class of one's own: there, an image lies beside the classes.

    Returns:
        The name; None directly in the folder of a split, or of a split within that of one of the seven classes.

    Raises:
        ValueError: If the image lies in no folder of a class.
    """
    folder = parts[-2] if len(parts) > 1 else ""
    if folder.lower() in _SPLIT_OF_FOLDER:
        return parts[-3] if len(parts) > 2 and find_class(parts[-3]) else None
    if find_class(folder) or len(parts) > (2 if is_folder else 1):
        return folder
    raise ValueError(
        f"expected an image in a folder named for its class ({', '.join(CLASS_NAMES)}, or classes of your own), "
        f"or directly in that of a split (train, validation, test). Received: folder {folder!r}."
    )


def read_images(
    files: Iterable[File], names: list[str], name: str, bad_rows: BadRows, progress: ProgressBar
) -> Faces:
    """Reads images of any size and kind.

    Args:
        files: Iterable of `archives.File`, each an image.
        names: The files' names (`File.parts` joined by slashes), in the same order.
        name: What error messages call them together.
        bad_rows: `BadRows`, told of each unreadable image and each that lies in no folder of a class.
        progress: `ProgressBar`, told of each image.

    Returns:
        `Faces`, sorted by folders and file name as text; `rows` are the positions in it. `usage` is None if
        no image is in the folder of a split or named for one; if some are, the others are Training.
    """
    check_memory(len(names) * BYTES, f"{len(names):,} faces")
    order = np.argsort(np.array(names, object), kind="stable")
    row_of_file = np.empty(len(names), np.int64)
    row_of_file[order] = np.arange(len(names))
    images = np.zeros(
        (len(names), IMAGE_SIZE, IMAGE_SIZE), np.uint8
    )  # each is written to its place: no second copy
    labels, usage = np.full(len(names), UNLABELLED), np.full(len(names), -1)
    classes = ClassNumbers(name)
    problems = {}
    read = 0
    for row, file in zip(row_of_file, files, strict=False):
        if "/".join(file.parts) != names[read]:
            break
        read += 1
        try:
            images[row] = read_face(file.read(MAXIMUM_BYTES), file.name)
            class_name = find_class_folder(file.parts, is_folder=not file.depth)
            labels[row] = UNLABELLED if class_name is None else classes.number(class_name)
        except ValueError as error:
            problem = str(error).removeprefix(f"{file.name}: ").removesuffix(" Replace or remove it.")
            problems[row] = file.name, problem
        found = find_usage(file.parts)
        usage[row] = -1 if found is None else found
        progress.add(1)
    if read < len(names):
        raise UserError(f"{name}: expected files that stay while they are read. Received: others. Read it again.")
    for row, (file_name, problem) in sorted(problems.items()):
        bad_rows.add(file_name, int(row), problem, fix="Mend or remove the picture")
    rows = np.setdiff1d(np.arange(len(names)), list(problems))
    if problems:
        for position, row in enumerate(rows):  # in place
            images[position] = images[row]
        images = images[: len(rows)]
    labels, class_names = classes.finish(labels[rows])
    usage = None if (usage < 0).all() else np.maximum(usage[rows], TRAINING).astype(np.uint8)
    return Faces(name, images, labels, usage, rows, len(names), class_names)
