"""What the corruptions look like: faces at every strength."""

import io
from collections.abc import Sequence

import numpy as np

from fer_ensemble.data.dataset import IMAGE_SIZE
from fer_ensemble.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from fer_ensemble.report.galleries import encode_face

GAP = 2  # pixels between two faces
SHEET_SCALE = 2


def draw_strips(face: np.ndarray, seed: int = 0) -> dict[str, str]:
    """Draws a face under each corruption, at the strengths 0 to 5 side by side.

    Args:
        face: uint8, shape `(48, 48)`.
        seed: As for `corrupt`.

    Returns:
        Dict from the corruption to a PNG as data: URI, 298 pixels wide and 48 high.
    """
    return {name: encode_face(_join(_strengths(face, name, seed), axis=1)) for name in CORRUPTIONS}


def draw_sheet(face: np.ndarray, seed: int = 0) -> bytes:
    """Draws a face under all corruptions as one picture, with the names: the bytes of a PNG."""
    from PIL import Image, ImageDraw, ImageFont

    strips = [_join(_strengths(face, name, seed), axis=1) for name in CORRUPTIONS]
    faces = np.kron(_join(strips, axis=0), np.ones((SHEET_SCALE, SHEET_SCALE), np.uint8))
    left, top = 330, 30
    height, width = faces.shape
    sheet = Image.new("L", (left + width, top + height), 255)
    sheet.paste(Image.fromarray(faces), (left, top))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=18)
    step = SHEET_SCALE * (IMAGE_SIZE + GAP)
    for strength in (0, *STRENGTHS):
        middle = left + strength * step + step // 2
        draw.text((middle, top // 2), str(strength), font=font, fill=0, anchor="mm")
    small = ImageFont.load_default(size=14)
    for row, one in enumerate(CORRUPTIONS.values()):
        middle = top + row * step + step // 2
        draw.text((10, middle - 11), one.title, font=font, fill=0, anchor="lm")
        draw.text(
            (10, middle + 12), f"{one.unit}: {format_amounts(one.amounts)}", font=small, fill=90, anchor="lm"
        )
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def format_amounts(amounts: Sequence[float]) -> str:
    """Writes the amounts of the strengths 1 to 5: `8, 16, 25, 35, 50`."""
    return ", ".join(f"{amount:g}" for amount in amounts)


def _strengths(face, name, seed):
    return [corrupt(face[None], name, strength, seed)[0] for strength in (0, *STRENGTHS)]


def _join(pictures, axis):
    shape = list(pictures[0].shape)
    shape[axis] = GAP
    parts = [part for picture in pictures for part in (picture, np.full(shape, 255, np.uint8))]
    return np.concatenate(parts[:-1], axis=axis)
