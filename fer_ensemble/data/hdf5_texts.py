"""A check that HDF5 lacks: on a damaged list of texts its library runs in circles for ever."""

import mmap
import pathlib
import struct

_OBJECT = struct.Struct("<HHIQ")  # number, references, reserved, size in bytes
_HEAD = 16  # bytes of a heap before its objects


def check_texts(path: pathlib.Path) -> None:
    """Raises ValueError if one of the global heaps of an HDF5 file, which hold its texts, is damaged.

    A heap begins with `GCOL`, version 1, three zeros and its size; its objects fill it, each with a head, and
    padded to 8 bytes.

    Args:
        path: Path of the file, not empty.

    Source:
        HDF5 File Format Specification 3.0, III.E, "Disk Format: Level 1E - Global Heap".
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(b"GCOL\x01\0\0\0")
        while start >= 0:
            _check_heap(content, start)
            start = content.find(b"GCOL\x01\0\0\0", start + 8)


def _check_heap(content, start):
    head = content[start : start + _HEAD]
    end = start + int.from_bytes(head[8:], "little") if len(head) == _HEAD else start
    if not start + _HEAD < end <= len(content):
        raise ValueError("a list of texts that ends beyond the file")
    position = start + _HEAD
    while position + _OBJECT.size <= end:
        number, _, _, size = _OBJECT.unpack_from(content, position)
        # Number 0 is what is free; its size counts its head, too.
        position += size if number == 0 else _OBJECT.size + (size + 7) // 8 * 8
        if size > end - start or position > end or (number == 0 and position < end):
            raise ValueError("a list of texts that does not fit in its place")
