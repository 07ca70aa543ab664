"""An explanation, drawn over its face."""

import numpy as np
from PIL import Image

FOR, AGAINST = (214, 39, 40), (31, 119, 180)  # red and blue, told apart by colour-blind people, too
_STRONGEST = 0.75  # how much of the face a colour hides at most


def draw_explanation(face: np.ndarray, explanation: np.ndarray, size: int = 192) -> np.ndarray:
    """Draws an explanation over its face: red where the face speaks for its expression, blue where against it.

    Args:
        face: uint8, shape `(48, 48)`.
        explanation: Float array of the same shape, as `fer_ensemble.classifier.explanation.explain` returns it of
            one face.
        size: Height and width of the picture in pixels.

    Returns:
        uint8, shape `(size, size, 3)`, RGB. The strongest pixel of each picture has the strongest colour.
    """
    grey = np.asarray(Image.fromarray(face).resize((size, size), Image.Resampling.BICUBIC), np.float32)
    heat = Image.fromarray(np.asarray(explanation, np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    heat = np.asarray(heat)
    strength = np.abs(heat) / max(float(np.abs(heat).max()), 1e-12) * _STRONGEST
    colours = np.where(heat[..., None] > 0, np.float32(FOR), np.float32(AGAINST))
    picture = grey[..., None] * (1 - strength[..., None]) + colours * strength[..., None]
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)
