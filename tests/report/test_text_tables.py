import csv

import numpy as np
import pytest

from fer_ensemble.base.words import format_seconds, percent, percent_interval
from fer_ensemble.report.text_tables import format_table, predictions_table


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (61, "1 min"), (3599, "1 h 00 min"), (7500, "2 h 05 min")]
)
def test_times_are_written_for_people(seconds, text):
    assert format_seconds(seconds) == text


def test_percent_has_two_decimals():
    assert [percent(value) for value in (0, 0.72341, 1)] == ["0.00 %", "72.34 %", "100.00 %"]


def test_percent_intervals_have_one_decimal():
    assert percent_interval((0.7091, 0.737)) == "[70.9, 73.7]"


def test_numbers_are_aligned_right_and_text_left():
    table = format_table(
        ["split", "n", "accuracy", "interval", "gain"],
        [["PublicTest", 3589, "72.34 %", "[70.9, 73.7]", -1.5], ["OOF", 28709, "9.10 %", "[8.8, 9.4]", 10.25]],
    )
    assert table.splitlines() == [
        "split           n  accuracy      interval   gain",
        "----------  -----  --------  ------------  -----",
        "PublicTest   3589   72.34 %  [70.9, 73.7]   -1.5",
        "OOF         28709    9.10 %    [8.8, 9.4]  10.25",
    ]


def test_empty_cells_and_dashes_do_not_make_a_column_text():
    table = format_table(["accuracy"], [["9.10 %"], [None], ["-"]])
    assert table.splitlines() == ["accuracy", "--------", "  9.10 %", "", "       -"]


def test_a_table_without_rows_is_its_header():
    assert format_table(["a", "bc"], []) == "a  bc\n-  --"


def test_a_row_with_a_cell_too_few_is_an_error():
    with pytest.raises(ValueError, match=r"one cell per column \(2\). Received: 1 cells"):
        format_table(["a", "b"], [["c"]])


def test_predictions_are_written_by_name_of_split_and_number_of_class():
    lines = list(
        predictions_table(
            np.array([3, 28709, 32298]),
            np.array([0, 1, 2], np.uint8),
            np.array([1, -1, 0], np.int8),
            np.array([1, 0, 0]),
            np.array([[0.25, 0.75], [1, 0], [2 / 3, 1 / 3]], np.float32),
            ("angry", "happy"),
        )
    )
    assert lines == [
        "row,usage,emotion,predicted,angry,happy\n",
        "3,Training,1,1,0.250000,0.750000\n",
        "28709,PublicTest,,0,1.000000,0.000000\n",
        "32298,PrivateTest,0,0,0.666667,0.333333\n",
    ]


def test_csv_readers_get_back_class_names_with_commas_and_quotes():
    names = ["happy, or so", 'the "other"']
    lines = predictions_table([0], [0], [0], [0], [[1, 0]], names)
    header, row = csv.reader(lines)
    assert header[4:] == names
    assert len(row) == len(header)


def test_no_images_give_the_header_alone():
    lines = predictions_table([], [], [], [], np.empty((0, 2)), ["a", "b"])
    assert list(lines) == ["row,usage,emotion,predicted,a,b\n"]


def test_columns_of_different_length_are_an_error_before_the_first_line():
    with pytest.raises(ValueError, match=r"Received: shapes \(1,\), \(1,\), \(2,\), \(1,\), \(1, 2\)"):
        predictions_table([0], [0], [0, 1], [0], [[1, 0]], ["a", "b"])


def test_a_class_name_too_few_is_an_error():
    with pytest.raises(ValueError, match=r"shape \(images, 1\)"):
        predictions_table([0], [0], [0], [0], [[1, 0]], ["a"])
