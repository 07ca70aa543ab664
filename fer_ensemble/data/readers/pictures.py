"""Reading one picture as the networks want it: 48x48 grey values."""

import io
import pathlib

import numpy as np
from PIL import Image, ImageOps

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import IMAGE_SIZE


def read_face(source, name=None):
    """Reads any picture as one 48x48 grey face.

    A 48x48 grey picture comes back exactly. Any other is turned upright as its EXIF data say, converted to grey
    (ITU-R 601 luma; 16-bit grey by its upper 8 bits), cropped to its central square and resampled.

    Args:
        source: Path of a picture file, or its content as bytes.
        name: What error messages call the picture. Defaults to the path.

    Returns:
        Uint8 array of shape `(48, 48)`, grey values 0..255.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If the content is no picture that Pillow can read to its end.
    """
    if isinstance(source, bytes):
        content, name = source, name or "picture"
    else:
        content, name = pathlib.Path(source).read_bytes(), name or str(source)
    try:
        with Image.open(io.BytesIO(content)) as image:
            return _convert(image)
    except Exception as error:  # a damaged file makes Pillow's plugins raise nearly anything, SyntaxError included
        problem = "an empty file" if not content else f"{len(content):,} bytes ({_first_line(error)})"
        raise UserError(
            f"{name}: expected a readable picture (PNG, JPEG, ...). Received: {problem}. Replace or remove it."
        ) from error


def _convert(image):
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # Pillow's own way from 16 bits to 8 has changed over its versions
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image = image.convert("L")
    if image.size != (IMAGE_SIZE, IMAGE_SIZE):
        image = ImageOps.fit(image, (IMAGE_SIZE, IMAGE_SIZE))
    return np.array(image, np.uint8)


def _first_line(error):
    return str(error).split("<")[0].strip() or type(error).__name__
