import numpy as np
import pytest

from fer_ensemble.data.readers.pixels import parse_pixels

RAMP = " ".join([str(value) for value in range(256)] * 9).encode()  # 0..255 nine times: 2,304 pixels


def parse(*texts):
    problems = []
    images = parse_pixels(list(texts), lambda *problem: problems.append(problem))
    return images, problems


def test_every_grey_value_is_parsed_into_its_place():
    images, problems = parse(RAMP, b" ".join([b"7"] * 2304))
    assert images.shape == (2, 48, 48)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0].ravel(), np.arange(2304) % 256)
    np.testing.assert_array_equal(images[1], 7)
    assert problems == []


def test_leading_zeros_and_more_blanks_change_nothing():
    images, problems = parse(b"  " + RAMP.replace(b" 7 ", b"  0007 ") + b" ")
    np.testing.assert_array_equal(images[0].ravel(), np.arange(2304) % 256)
    assert problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (RAMP[:-4], "expected 2,304 pixels (48x48). Received: 2,303."),
        (RAMP + b" 1", "expected 2,304 pixels (48x48). Received: 2,305."),
        (b"", "expected 2,304 pixels (48x48). Received: 0."),
        (RAMP.replace(b" 255", b" 256", 1), "numbers 0..255. Received: '256' as pixel 255."),
        (RAMP.replace(b" 255", b" 300", 1), "numbers 0..255. Received: '300' as pixel 255."),
        (RAMP.replace(b" 9 ", b" 1009 ", 1), "numbers 0..255. Received: '1009' as pixel 9."),
        (RAMP.replace(b" 9 ", b" -9 ", 1), "numbers 0..255. Received: '-9' as pixel 9."),
        (RAMP.replace(b" 9 ", b" 9.0 ", 1), "numbers 0..255. Received: '9.0' as pixel 9."),
        (RAMP.replace(b" 9 ", b" x ", 1), "numbers 0..255. Received: 'x' as pixel 9."),
    ],
)
def test_a_bad_field_is_told_and_its_neighbours_are_parsed(text, problem):
    images, [(position, told)] = parse(RAMP, text, RAMP)
    assert position == 1
    assert problem in told
    np.testing.assert_array_equal(images[2], images[0])
    np.testing.assert_array_equal(images[0].ravel(), np.arange(2304) % 256)


def test_a_pixel_too_few_is_not_made_up_for_by_the_next_row():
    _, problems = parse(RAMP[:-4], RAMP + b" 1")
    assert [position for position, _ in problems] == [0, 1]


def test_no_rows_make_no_images():
    assert parse()[0].shape == (0, 48, 48)
