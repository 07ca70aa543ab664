import io

import numpy as np
import pytest

from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.readers.csv_files import read_faces

pytestmark = pytest.mark.filterwarnings("ignore:string or file could not be read")  # NumPy's, of bad pixels


def pixels(value):
    return " ".join([str(value)] * 2304)


def read(text, skip=False):
    bad_rows = BadRows(skip)
    return read_faces(io.BytesIO(text.encode()), "faces.csv", bad_rows), bad_rows.found


def test_fer2013_csv_gives_images_labels_usage_and_rows():
    faces, _ = read(
        f"emotion,pixels,Usage\n3,{pixels(10)},Training\n0,{pixels(20)},PublicTest\n,{pixels(30)},PrivateTest\n"
    )
    np.testing.assert_array_equal(faces.images, np.full((3, 48, 48), [[[10]], [[20]], [[30]]]))
    np.testing.assert_array_equal(faces.labels, [3, 0, -1])
    np.testing.assert_array_equal(faces.usage, [0, 1, 2])
    np.testing.assert_array_equal(faces.rows, [0, 1, 2])


def test_columns_may_stand_in_any_order_with_blanks_and_among_others():
    faces, _ = read(f"id, emotion, Usage, pixels\n7, 6, PublicTest, {pixels(1)}\n")
    assert (faces.labels, faces.usage, faces.images.max()) == ([6], [1], 1)


def test_quotes_windows_line_ends_and_a_byte_order_mark_change_nothing():
    faces, _ = read(f'\ufeffemotion,pixels\r\n5,"{pixels(9)}"\r\n\r\n"4","{pixels(8)}"')
    np.testing.assert_array_equal(faces.labels, [5, 4])
    np.testing.assert_array_equal(faces.images[:, 0, 0], [9, 8])
    assert faces.usage is None


def test_rows_over_many_blocks_keep_their_order():
    faces, _ = read("pixels\n" + "\n".join(pixels(value % 256) for value in range(300)))  # 2 MB, blocks of 0.3 MB
    np.testing.assert_array_equal(faces.images[:, 47, 47], np.arange(300) % 256)
    np.testing.assert_array_equal(faces.rows, np.arange(300))


GOOD = f"2,{pixels(5)},Training\n"
BAD = {
    "label": (f"7,{pixels(5)},Training\n", r"expected an emotion 0\.\.6, or nothing\. Received: '7'\."),
    "word as label": (f"happy,{pixels(5)},Training\n", r"an emotion 0\.\.6, or nothing\. Received: 'happy'"),
    "usage": (
        f"2,{pixels(5)},Testing\n", r"Usage among Training, PublicTest, PrivateTest\. Received: 'Testing'\.",
    ),
    "usage cut": (f"2,{pixels(5)},Trai", r"Received: 'Trai'\."),
    "pixels missing": (f"2,{pixels(5)[:-2]},Training\n", r"expected 2,304 pixels \(48x48\)\. Received: 2,303\."),
    "pixel 256": (f"2,{pixels(256)},Training\n", r"numbers 0\.\.255\. Received: '256' as pixel 0\."),
    "pixel no integer": (f"2,{pixels('a')},Training\n", r"numbers 0\.\.255\. Received: 'a' as pixel 0\."),
    "row cut": ("2,5 5 5", r"expected 3 fields, one per column\. Received: 2\."),
    "quote cut": (f'2,"{pixels(5)}', r"expected a closing quote"),
    "too many fields": (f"2,{pixels(5)},Training,1\n", r"expected 3 fields, one per column\. Received: 4\."),
}  # fmt: skip


@pytest.mark.parametrize(("line", "message"), BAD.values(), ids=BAD)
def test_a_bad_row_is_an_error_with_file_row_and_line(line, message):
    with pytest.raises(ValueError, match=r"^faces\.csv, row 1 \(line 3\): .*" + message):
        read("emotion,pixels,Usage\n" + GOOD + line)


@pytest.mark.parametrize(("line", "message"), BAD.values(), ids=BAD)
def test_a_bad_row_can_be_left_out_and_is_listed(line, message):
    faces, [(file, row, problem)] = read("emotion,pixels,Usage\n" + GOOD + line, skip=True)
    np.testing.assert_array_equal(faces.rows, [0])
    assert (file, row, faces.row_count, len(faces.images)) == ("faces.csv", 1, 2, 1)
    assert problem.startswith("expected")


def test_rows_after_one_left_out_keep_their_numbers():
    faces, found = read("emotion,pixels,Usage\n" + GOOD + f"2,{pixels(999)},Training\n" + GOOD, skip=True)
    np.testing.assert_array_equal(faces.rows, [0, 2])
    assert [row for _, row, _ in found] == [1]


def test_a_row_left_out_decides_nothing_about_labels():
    head = "emotion,pixels,Usage\n"
    faces, found = read(head + head + GOOD, skip=True)  # two files put together, each with its header
    assert (faces.labels.tolist(), len(found)) == ([2], 1)
    named = f"calm,{pixels(5)},Training\n"
    faces, found = read(head + named + f"clam,{pixels(999)},Training\n" + named, skip=True)
    assert (list(faces.class_names), len(found)) == (["calm"], 1)
