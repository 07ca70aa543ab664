import pytest

from fer_ensemble.base.words import format_seconds, percent, percent_interval
from fer_ensemble.report.text_tables import format_table


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
