import io

import numpy as np
import pytest

from fer_ensemble.data.readers.bad_rows import BadRows
from fer_ensemble.data.readers.votes import read_votes

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\r\n"


def read(text, skip=False):
    return read_votes(io.BytesIO((HEADER + text).encode()), "fer2013new.csv", BadRows(skip))


def test_votes_come_in_the_order_of_the_file_and_empty_ones_are_0():
    votes, usage = read(
        "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0\r\nPublicTest,,0,0,0,0,0,0,0,0,0,10\r\nPrivateTest,x,,,,,,,,,,\r\n"
    )
    np.testing.assert_array_equal(votes, [[4, 0, 0, 1, 3, 2, 0, 0, 0, 0], [0] * 9 + [10], [0] * 10])
    assert usage == [0, 1, 2]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "Training,x,11,0,0,0,0,0,0,0,0,0",
            r"expected numbers of votes 0\.\.10, or nothing\. Received: '11'",
        ),
        ("Training,x,1", r"expected 12 fields, one per column\. Received: 3"),
        ("Test,x,1,0,0,0,0,0,0,0,0,0", r"expected a Usage among"),
    ],
)
def test_a_bad_row_is_an_error_or_has_no_votes(line, message):
    with pytest.raises(ValueError, match=r"^fer2013new\.csv, row 0 \(line 2\): " + message):
        read(line)
    votes, usage = read(line, skip=True)
    np.testing.assert_array_equal(votes, [[0] * 10])
    assert usage == [None]
