"""From the files that people have to arrays: which file is what, and how they belong together."""

import collections
import contextlib
import dataclasses
import pathlib

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.memory import check_memory
from fer_ensemble.base.progress_bar import ProgressBar
from fer_ensemble.data.classes import order_classes
from fer_ensemble.data.dataset import (
    CLASS_NAMES,
    PRIVATE_TEST,
    PUBLIC_TEST,
    SPLITS,
    TRAINING,
    UNLABELLED,
    VOTE_NAMES,
)
from fer_ensemble.data.readers.archives import list_files, walk_files
from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.readers.csv_files import label_column, read_faces
from fer_ensemble.data.readers.csv_rows import split_header
from fer_ensemble.data.readers.faces import BYTES, Faces
from fer_ensemble.data.readers.image_folders import is_image, read_images
from fer_ensemble.data.readers.votes import read_votes

# The contest's test.csv tells neither labels nor split; these are its places in fer2013.csv.
CONTEST_TRAINING, CONTEST_PUBLIC, CONTEST_PRIVATE = 28_709, 3_589, 3_589

WHOLE, TRAIN, TEST, VOTES, IMAGES = "whole CSV", "train CSV", "test CSV", "FER+ votes", "images"
_WANTED = (
    "a CSV with the columns emotion,pixels,Usage (fer2013.csv, icml_face_data.csv), emotion,pixels (train.csv) or "
    "pixels (test.csv), FER+ votes beside it, images in folders named for their classes, or any of these in a "
    ".zip, .gz or .tar.gz"
)


@dataclasses.dataclass(frozen=True, slots=True)
class _Find:
    """A file that we can read: its position in the walk through the input, name, kind, depth in archives, path."""

    index: int
    name: str
    kind: str
    depth: int
    inner_path: str


# What is packed in a way that we do not read: how it begins, and what unpacks it.
_PACKED = {
    b"\xfd7zXZ\0": ("xz", "xz -d"),
    b"BZh": ("bzip2", "bzip2 -d"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -d"),
    b"\x04\x22\x4d\x18": ("lz4", "lz4 -d"),
    b"7z\xbc\xaf\x27\x1c": ("7-Zip", "7z x"),
    b"Rar!\x1a\x07": ("RAR", "unrar x"),
}


def read_inputs(paths: list[pathlib.Path], bad_rows: BadRows) -> tuple[Faces, np.ndarray | None]:
    """Reads one data set from the given files, folders and archives.

    Within one archive or folder, what lies in fewer archives is taken, and a CSV that holds all splits before the
    contest's two: the contest's own archive holds the faces three times.

    Args:
        paths: Paths: a CSV that holds all, or the contest's `train.csv` and `test.csv` or one of them, and perhaps
            FER+ votes; or folders of images. Each may be in an archive.
        bad_rows: `BadRows`, told of what is wrong in single rows and images.

    Returns:
        faces: `Faces`; `usage` is None if nothing tells which image is of which split, other than for the
            contest's `train.csv`. `train.csv` and `test.csv` are numbered on as in `fer2013.csv`.
        votes: uint8, shape `(images, 10)`, or None.

    Raises:
        FileNotFoundError: If there is no such path.
        UserError: If an input is nothing we know, or the inputs do not belong together.
    """
    parts = collections.defaultdict(list)
    with _unchanged(paths):
        choice = {path: _choose_files(path) for path in paths}
        _check_together([find for finds in choice.values() for find in finds])
        for path, finds in choice.items():
            for kind, part in _read_chosen(path, finds, bad_rows):
                parts[kind].append(part)
    faces = _put_together(parts)
    if not faces.row_count:
        raise UserError(f"{faces.name}: expected at least one row below the header. Received: none.")
    if not len(faces.images):
        raise UserError(f"{faces.name}: expected at least one good row. Received: {faces.row_count:,} bad ones.")
    if len(faces.class_names) < 2:
        raise UserError(
            f"{faces.name}: expected faces of at least two classes. Received: {faces.class_names[0]} only. "
            "Add the folders or rows of the others."
        )
    return faces, _match_votes(parts[VOTES][0], faces) if parts[VOTES] else None


@contextlib.contextmanager
def _unchanged(paths):
    """Raises UserError if one of the paths was written to within the block, whatever else that led to."""
    before = {path: _describe_state(path) for path in paths}
    failure = None
    try:
        yield
    except Exception as error:
        failure = error
    for path, state in before.items():
        if _describe_state(path) != state:
            raise UserError(
                f"{path}: expected what stays as it is while it is read. Received: what was changed meanwhile. "
                "Give it again when whatever writes it has ended."
            ) from failure
    if failure:
        raise failure


def _describe_state(path):
    """Returns what tells whether a file was written to, or what is in a folder."""
    if path.is_dir():
        return [_describe_state(path / inner) for inner in list_files(path)]
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _choose_files(path):
    """Returns the `_Find`s to be read from one input."""
    finds = collections.defaultdict(list)
    others = []
    for index, file in enumerate(walk_files(path)):
        kind = _recognise(file)
        if kind:
            finds[kind].append(_Find(index, file.name, kind, file.depth, "/".join(file.parts)))
        elif len(others) < 3:
            others.append(f"{file.name} ({_describe(file.head())})")
    if not finds:
        raise UserError(f"{path}: expected {_WANTED}. Received: {'; '.join(others) or 'no files'}.")
    for kind, several in finds.items():
        shallowest = min(find.depth for find in several)
        finds[kind] = [find for find in several if find.depth == shallowest]
        if kind != IMAGES and len(finds[kind]) > 1:
            names = " and ".join(find.name for find in finds[kind][:2])
            raise UserError(f"{path}: expected one {kind}. Received: {names}. Give the one you mean.")
    if WHOLE in finds:
        finds.pop(TRAIN, None)
        finds.pop(TEST, None)
    return sorted((find for several in finds.values() for find in several), key=lambda find: find.index)


def _recognise(file):
    """Returns the kind of a file, or None."""
    head = file.head()
    if is_image(file.name, head):
        return IMAGES
    columns = split_header(head.split(b"\n", 1)[0])
    if "pixels" in columns:
        return WHOLE if "usage" in columns else TRAIN if label_column(columns) in columns else TEST
    if {"usage", *(name.lower() for name in VOTE_NAMES)} <= set(columns):
        return VOTES
    return None


def _describe(head):
    if not head:
        return "empty"
    for magic, (name, command) in _PACKED.items():
        if head.startswith(magic):
            return f"packed by {name}: unpack it first, as by `{command}`"
    if b"\0" in head:
        return "binary"
    line = head.split(b"\n", 1)[0].strip()
    return f"first line: {line[:50].decode('utf-8', 'backslashreplace')!r}"


def _check_together(finds):
    names = {find.kind: find.name for find in finds}
    counts = collections.Counter(find.kind for find in finds if find.kind != IMAGES)
    for kind, count in counts.items():
        if count > 1:
            raise UserError(f"Expected one {kind} among the inputs. Received: {count}. Give the one you mean.")
    if VOTES in names and (IMAGES in names or len(names) == 1):
        raise UserError(
            f"{names[VOTES]}: expected the CSV whose rows these FER+ votes follow. Received: none. Give it, too."
        )
    for one, other in ((IMAGES, WHOLE), (IMAGES, TRAIN), (IMAGES, TEST), (WHOLE, TRAIN), (WHOLE, TEST)):
        if one in names and other in names:
            raise UserError(
                f"Expected inputs that together make one data set. Received: {names[one]} ({one}) and "
                f"{names[other]} ({other}). Give one of them."
            )


def _read_chosen(path, finds, bad_rows):
    """Yields `(kind, what was read)` for the chosen files of one input."""
    kinds = {find.index: find.kind for find in finds}
    chosen = ((kinds[index], file) for index, file in enumerate(walk_files(path)) if index in kinds)
    if IMAGES in kinds.values():
        with ProgressBar(f"Reading {path}", "images", len(kinds)) as progress:
            names = [find.inner_path for find in finds]
            yield IMAGES, read_images((file for _, file in chosen), names, str(path), bad_rows, progress)
        return
    for kind, file in chosen:
        if kind == VOTES:
            yield kind, (file.name, *read_votes(file.stream, file.name, bad_rows))
        else:
            yield kind, read_faces(file.stream, file.name, bad_rows)


def _put_together(parts):
    """Returns one `Faces` of what was read; its usage is None where nothing tells it."""
    for test in parts[TEST]:
        if test.row_count != CONTEST_PUBLIC + CONTEST_PRIVATE:
            raise UserError(
                f"{test.name}: expected the contest's {CONTEST_PUBLIC + CONTEST_PRIVATE:,} rows, as a CSV with "
                f"neither Usage nor emotion is split by position. Received: {test.row_count:,} rows. "
                "Add a column Usage."
            )
        test.usage = np.where(test.rows < CONTEST_PUBLIC, PUBLIC_TEST, PRIVATE_TEST).astype(np.uint8)
        if not parts[TRAIN]:
            test.rows = test.rows + CONTEST_TRAINING
            test.row_count += CONTEST_TRAINING
    sources = [source for kind in (WHOLE, TRAIN, TEST, IMAGES) for source in parts[kind]]
    is_contest = any(train.class_names == CLASS_NAMES for train in parts[TRAIN])
    if is_contest or any(source.usage is not None for source in sources):
        for source in sources:
            if source.usage is None:
                source.usage = np.full(len(source.rows), TRAINING, np.uint8)
    if len(sources) == 1:
        return sources[0]
    count = sum(len(source.images) for source in sources)
    check_memory(count * BYTES, f"{count:,} faces of {len(sources)} sources")  # beside what each of them has
    class_names = order_classes([name for source in sources for name in _occurring(source)])
    starts = np.cumsum([0] + [source.row_count for source in sources])
    return Faces(
        name=" + ".join(source.name for source in sources),
        images=np.concatenate([source.images for source in sources]),
        labels=np.concatenate([_renumber(source, class_names) for source in sources]),
        usage=None if sources[0].usage is None else np.concatenate([source.usage for source in sources]),
        rows=np.concatenate([source.rows + start for source, start in zip(sources, starts[:-1], strict=True)]),
        row_count=int(starts[-1]),
        class_names=class_names,
    )


def _occurring(source):
    return [source.class_names[label] for label in np.unique(source.labels) if label != UNLABELLED]


def _renumber(source, class_names):
    """Returns the labels by the position of their names in `class_names`."""
    positions = [class_names.index(name) if name in class_names else UNLABELLED for name in source.class_names]
    return np.array([*positions, UNLABELLED], np.int8)[source.labels]


def _match_votes(part, faces):
    """Returns the votes for each image, by row number."""
    name, votes, usages = part
    if len(votes) != faces.row_count:
        raise UserError(
            f"{name}: expected {faces.row_count:,} rows of votes, one per row of {faces.name}. "
            f"Received: {len(votes):,}. Take the votes and the CSV of the same set."
        )
    for row, usage in zip(faces.rows, faces.usage, strict=True):
        if usages[row] not in (usage, None):
            raise UserError(
                f"{name}, row {row}: expected Usage {SPLITS[usage]}, as in {faces.name}. Received: "
                f"{SPLITS[usages[row]]}. Votes go by row order; take the CSV in its original order."
            )
    return votes[faces.rows]
