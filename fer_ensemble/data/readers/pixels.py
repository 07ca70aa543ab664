"""From the text of FER2013's `pixels` column to grey values."""

import warnings

import numpy as np

from fer_ensemble.data.dataset import IMAGE_SIZE

PIXELS = IMAGE_SIZE * IMAGE_SIZE  # of one image

# What cannot be read makes the array shorter, and is looked at again here.
warnings.filterwarnings("ignore", "string or file could not be read", DeprecationWarning)


def parse_pixels(text: str) -> np.ndarray:
    """Parses the `pixels` field of one row.

    FER2013's 83 million numbers take 1.4 s so; `np.array(text.split(" "))` took 5.6 s, arithmetic of our own on
    the bytes of many rows together 0.8 s.

    Args:
        text: 2,304 whole numbers 0..255 in decimal, separated by blanks, row by row of the image from the top
            left.

    Returns:
        Int64 array of shape `(2304,)`.

    Raises:
        ValueError: If the text is not as described.
    """
    try:
        values = np.fromstring(text, np.int64, sep=" ")
    except ValueError:  # as NumPy may do in time, and for letters that are not ASCII now
        values = np.zeros(0, np.int64)
    if len(values) != PIXELS or values.min() < 0 or values.max() > 255 or "+" in text:
        raise ValueError(_find_problem(text))
    return values


def _find_problem(text):
    words = text.split()
    if len(words) != PIXELS:
        return f"expected {PIXELS:,} pixels (48x48). Received: {len(words):,}."
    for position, word in enumerate(words):
        if not (word.isascii() and word.isdigit() and len(word) < 10 and int(word) <= 255):
            return f"expected pixels that are whole numbers 0..255. Received: {word[:20]!r} as pixel {position}."
    return "expected pixels that are whole numbers 0..255, separated by blanks."
