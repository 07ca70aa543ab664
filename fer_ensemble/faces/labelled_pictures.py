"""Drawing boxes and labels into pictures."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Light enough to be read under black text, and told apart by most colour-blind people (Okabe & Ito, 2008).
_COLOURS = ("#e69f00", "#56b4e9", "#2fc99a", "#f0e442", "#e88fc0", "#f4845f", "#c9c9c9", "#9fd356", "#b8a9e8")


def draw_faces(picture: np.ndarray, faces: Sequence, class_names: Sequence[str] = ()) -> np.ndarray:
    """Draws boxes, and the labels of expressions, of a size that can be read in the whole picture.

    Args:
        picture: Uint8 array of shape `(height, width, 3)`, RGB, or `(height, width)`, grey.
        faces: List of `Face`.
        class_names: Names of the classes, so that each always has its colour.

    Returns:
        Uint8 array of shape `(height, width, 3)`, RGB: a copy.
    """
    image = Image.fromarray(picture).convert("RGB")
    draw = ImageDraw.Draw(image)
    line = max(1, round(max(image.size) / 320))
    for face in reversed(faces):  # the largest come last, and on top
        colour = colour_of(face.expression, class_names)
        left, top, width, height = face.box
        corners = [left, top, left + max(1, width), top + max(1, height)]
        draw.rectangle(corners, outline="black", width=line + 2 * max(1, line // 3))
        draw.rectangle(corners, outline=colour, width=line)
    taken = []
    for face in faces:
        _draw_label(draw, image.size, face, colour_of(face.expression, class_names), taken)
    return np.asarray(image)


def colour_of(expression: str, class_names: Sequence[str]) -> str:
    """Returns the colour of a class, `#rrggbb`."""
    names = tuple(class_names)
    return _COLOURS[(names.index(expression) if expression in names else len(names)) % len(_COLOURS)]


def format_label(face: Any) -> str:
    """Returns what is written at a face: `happy 97 %`, and with a question mark where it is unsure."""
    number = "" if face.id is None else f"{face.id}: "
    return f"{number}{face.expression}{'?' if face.unsure else ''} {100 * face.probability:.0f} %"


def _draw_label(draw, size, face, colour, taken):
    # As large as the face allows, but never too small to read in the whole picture, nor wider than it.
    longest = max(size)
    height = min(max(face.box[2] / 7, longest / 45, 9), longest / 14)
    text = format_label(face)
    font = _font(max(6, round(height)))
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    if right - left > size[0] - 4:
        font = _font(max(6, int(height * (size[0] - 4) / (right - left))))
        left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    margin = max(1, round((bottom - top) / 4))
    width, tall = right - left + 2 * margin, bottom - top + 2 * margin
    x = min(max(0, face.box[0]), max(0, size[0] - width))
    # Above the box; where that is outside or taken, below it, else inside.
    tops = [face.box[1] - tall, face.box[1] + face.box[3], face.box[1], face.box[1] + face.box[3] - tall]
    inside = [min(max(0, y), max(0, size[1] - tall)) for y in tops]
    free = [
        y for y, wanted in zip(inside, tops, strict=True) if y == wanted and not _hits(taken, x, y, width, tall)
    ]
    y = free[0] if free else inside[0]
    taken.append((x, y, width, tall))
    draw.rectangle([x, y, x + width, y + tall], fill=colour)
    draw.text((x + margin - left, y + margin - top), text, fill="black", font=font)


def _hits(taken, x, y, width, height):
    return any(x < a + c and a < x + width and y < b + d and b < y + height for a, b, c, d in taken)


@functools.lru_cache(maxsize=64)
def _font(size):
    return ImageFont.load_default(size)
