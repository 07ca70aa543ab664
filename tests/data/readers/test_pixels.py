import numpy as np
import pytest

from fer_ensemble.data.readers.pixels import parse_pixels

RAMP = " ".join([str(value) for value in range(256)] * 9)  # 0..255 nine times: 2,304 pixels

pytestmark = pytest.mark.filterwarnings("ignore:string or file could not be read")  # NumPy's, as the module has it


def test_every_grey_value_is_parsed_into_its_place():
    np.testing.assert_array_equal(parse_pixels(RAMP), np.arange(2304) % 256)


def test_leading_zeros_and_more_blanks_change_nothing():
    text = "  " + RAMP.replace(" 7 ", "  0007 ") + " "
    np.testing.assert_array_equal(parse_pixels(text), np.arange(2304) % 256)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (RAMP[:-4], r"expected 2,304 pixels \(48x48\)\. Received: 2,303\."),
        (RAMP + " 1", r"expected 2,304 pixels \(48x48\)\. Received: 2,305\."),
        ("", r"expected 2,304 pixels \(48x48\)\. Received: 0\."),
        (RAMP.replace(" 255", " 256", 1), r"numbers 0\.\.255\. Received: '256' as pixel 255\."),
        (RAMP.replace(" 255", " 65791", 1), r"numbers 0\.\.255\. Received: '65791' as pixel 255\."),
        (RAMP.replace(" 255", " 18446744073709551871", 1), r"Received: '18446744073709551871' as pixel 255\."),
        (RAMP.replace(" 255", " " + "9" * 5000, 1), r"Received: '9{20}' as pixel 255\."),
        (RAMP.replace(" 9 ", " 1009 ", 1), r"numbers 0\.\.255\. Received: '1009' as pixel 9\."),
        (RAMP.replace(" 9 ", " -9 ", 1), r"numbers 0\.\.255\. Received: '-9' as pixel 9\."),
        (RAMP.replace(" 9 ", " +9 ", 1), r"numbers 0\.\.255\. Received: '\+9' as pixel 9\."),
        (RAMP.replace(" 9 10 ", " 9+0 10 ", 1), r"Received: '9\+0' as pixel 9\."),
        (RAMP.replace(" 9 ", " 9.0 ", 1), r"numbers 0\.\.255\. Received: '9\.0' as pixel 9\."),
        (RAMP.replace(" 9 ", " x ", 1), r"numbers 0\.\.255\. Received: 'x' as pixel 9\."),
        (RAMP.replace(" 9 ", " \u0669 ", 1), r"Received: '\u0669' as pixel 9\."),
    ],
)
def test_a_bad_field_is_told(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse_pixels(text)
