"""Reading one picture: any photo as RGB, and any face as the networks want it, 48x48 grey values."""

import io
import os
import pathlib
import stat
import warnings

import numpy as np
from PIL import ExifTags, Image, ImageOps

from fer_ensemble.base.errors import MissingPackageError, UserError
from fer_ensemble.data.dataset import IMAGE_SIZE

# Pillow opens 40 more kinds; for one of them (EPS) it starts Ghostscript.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".heic", ".heif",
)  # fmt: skip
MAXIMUM_PIXELS = 80_000_000  # of one picture; turned upright and as an array it takes 0.9 GB
MAXIMUM_BYTES = 300_000_000  # of one picture's file

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow warns of pictures a little larger than `MAXIMUM_PIXELS`, just before they are refused here, and of damaged
# EXIF data, which turn nothing.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.")


def read_picture(source: str | os.PathLike | bytes, name: str | None = None) -> np.ndarray:
    """Reads any picture as RGB.

    It is turned upright as its EXIF data say. What is transparent becomes white, 16-bit grey its upper 8 bits, and
    of an animation the first picture is taken.

    Args:
        source: Path of a picture file, or its content as bytes: PNG, JPEG, GIF, BMP, WebP, TIFF, PPM or PGM, and
            HEIC where pillow-heif is installed.
        name: What error messages call the picture. Defaults to the path.

    Returns:
        Uint8 array of shape `(height, width, 3)`, red, green and blue 0..255.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        UserError: If the content is no such picture, ends too early, or is beyond `MAXIMUM_PIXELS` or
            `MAXIMUM_BYTES`.
        MissingPackageError: If it is HEIC and pillow-heif is not installed.
    """
    return np.array(_convert(_open(source, name), "RGB"))


def to_rgb(image: Image.Image) -> np.ndarray:
    """Converts a picture that Pillow has opened, a `PIL.Image.Image`, as `read_picture` does.

    Returns:
        Uint8 array of shape `(height, width, 3)`, red, green and blue 0..255.
    """
    return np.array(_convert(_decode(image), "RGB"))


def read_face(source: str | os.PathLike | bytes, name: str | None = None) -> np.ndarray:
    """Reads any picture as one 48x48 grey face.

    A 48x48 grey picture comes back exactly. Any other is opened as by `read_picture`, converted to grey (ITU-R 601
    luma), cropped to its central square and resampled.

    Args and Raises: as `read_picture`.

    Returns:
        Uint8 array of shape `(48, 48)`, grey values 0..255.
    """
    image = _convert(_open(source, name), "L")
    if image.size != (IMAGE_SIZE, IMAGE_SIZE):
        image = ImageOps.fit(image, (IMAGE_SIZE, IMAGE_SIZE))
    return np.array(image)


def _open(source, name):
    """Returns the decoded picture, upright, as Pillow's `L` or `RGB`."""
    if isinstance(source, bytes):
        content, name = source, name or "picture"
        _check_size(len(content), name)
    else:
        content, name = _read_file(pathlib.Path(source), name or str(source))
    try:
        with identify(content, name) as image:
            width, height = image.size
            if width * height <= MAXIMUM_PIXELS:
                return _decode(image)
    except (UserError, MemoryError):
        raise
    except Image.DecompressionBombError:
        width, height = None, None
    except Exception as error:  # a damaged file makes Pillow's plugins raise nearly anything, SyntaxError included
        problem = "an empty file" if not content else f"{len(content):,} bytes ({_first_line(error)})"
        raise UserError(
            f"{name}: expected a readable picture ({', '.join(FORMATS)}, HEIC). Received: {problem}. "
            "Replace or remove it."
        ) from error
    size = f"{width:,} x {height:,}" if width else f"more than {2 * Image.MAX_IMAGE_PIXELS:,}"
    raise UserError(
        f"{name}: expected a picture of at most {MAXIMUM_PIXELS:,} pixels. Received: {size}. Make it smaller."
    )


def _read_file(path, name):
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # to open a named pipe might never return
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
        raise UserError(f"{name}: expected a picture file. Received: {kind}. Replace or remove it.")
    _check_size(status.st_size, name)
    with path.open("rb") as file:
        return file.read(MAXIMUM_BYTES), name


def _check_size(size, name):
    if size > MAXIMUM_BYTES:
        raise UserError(
            f"{name}: expected a picture of at most {MAXIMUM_BYTES:,} bytes. Received: {size:,}. Make it smaller."
        )


def identify(content: bytes, name: str) -> Image.Image:
    """Opens the content of a picture file, without decoding it; raises as Pillow, or `MissingPackageError`."""
    stream = io.BytesIO(content)
    if content[4:8] != b"ftyp" or content[8:12] not in _HEIF_BRANDS:
        return Image.open(stream, formats=FORMATS)
    try:
        import pillow_heif
    except ImportError:
        raise MissingPackageError(
            f"{name}: HEIC pictures take the package pillow-heif. Install it: pip install 'fer-ensemble[heic]' - "
            "or save the picture as JPEG."
        ) from None
    pillow_heif.register_heif_opener(thumbnails=False)
    return Image.open(stream, formats=("HEIF",))


def _decode(image):
    image.load()
    orientation = _find_orientation(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _to_eight_bits(image)
    elif image.has_transparency_data:
        image = _put_on_white(image.convert("RGBA"))
    elif image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")  # CMYK, palettes, YCbCr, ...
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _find_orientation(image):
    """Returns the orientation that the EXIF data give; damaged ones turn nothing."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # as of damaged pictures
        return None


def _put_on_white(image):
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image)
    return ground


def _to_eight_bits(image):
    # Pillow's own way from 16 bits to 8 has changed over its versions, and cuts off what is above 255.
    pixels = np.asarray(image)
    if pixels.dtype.kind == "f" or pixels.min() < 0 or pixels.max() > 65_535:
        raise ValueError("grey values of more than 16 bits")
    return Image.fromarray((pixels >> 8).astype(np.uint8))


def _convert(image, mode):
    return image if image.mode == mode else image.convert(mode)


def _first_line(error):
    return str(error).split("<")[0].strip() or type(error).__name__
