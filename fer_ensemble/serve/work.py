"""What is done with an upload: faces found in a picture, or read whole. Runs in threads, knows nothing of HTTP."""

import base64
import contextlib
import threading
from collections.abc import Sequence

import numpy as np
from PIL import Image

from fer_ensemble.base.errors import UserError
from fer_ensemble.classifier.classifier import Classifier
from fer_ensemble.classifier.face import Face, make_face
from fer_ensemble.data.dataset import IMAGE_SIZE
from fer_ensemble.data.readers.pictures import FORMATS, identify, read_face
from fer_ensemble.faces.found import FoundFace
from fer_ensemble.faces.picture_arrays import as_picture
from fer_ensemble.serve.refusals import Refused
from fer_ensemble.serve.uploads import Upload

_FACE_BYTES = IMAGE_SIZE * IMAGE_SIZE
# Pictures that take hundreds of megabytes while they are unpacked do so one after the other.
_LARGE = 16_000_000  # pixels
_large = threading.Lock()


def check_picture(content: bytes, most_pixels: int, name: str = "") -> contextlib.AbstractContextManager:
    """Looks at the head of a picture, before anything is unpacked; one that makes no sense is left to the reader.

    Args:
        content: Bytes of the file.
        most_pixels: Largest picture.
        name: What the sender calls it.

    Returns:
        A context in which it may be unpacked.

    Raises:
        Refused: If it is too large.
    """
    try:
        with identify(content, name) as image:
            pixels, size = image.width * image.height, f"{image.width:,} x {image.height:,} pixels"
    except Image.DecompressionBombError:
        pixels, size = float("inf"), "many more"
    except Exception:  # a damaged file makes Pillow raise nearly anything
        return contextlib.nullcontext()
    if pixels > most_pixels:
        raise Refused(
            413, f"{_called(name)}Expected a picture of at most {most_pixels / 1e6:g} megapixels. Received: "
                 f"{size}. Send a smaller one."
        )  # fmt: skip
    return _large if pixels > _LARGE else contextlib.nullcontext()


def is_raw(uploads: list[Upload]) -> bool:
    """Returns whether an upload is the grey values of faces, rather than picture files."""
    # Of a form's part the type says little: curl calls every file so whose kind it does not know.
    return uploads[0].is_body and uploads[0].content_type == "application/octet-stream"


def read_raw_faces(upload: Upload, most_faces: int) -> np.ndarray:
    """Returns faces that were sent as grey values, uint8 `(faces, 48, 48)`.

    Args:
        upload: `Upload` of 2304 bytes for each face, row by row, one face after the other.
        most_faces: That may come at a time.

    Raises:
        Refused: If they are too many, or the length is no multiple of 2304.
    """
    size = len(upload.content)
    if size % _FACE_BYTES or not size:
        raise Refused(400, f"Expected {_FACE_BYTES:,} bytes for each face: grey values of 48 rows of 48 pixels. "
                           f"Received: {size:,} bytes.")  # fmt: skip
    _check_count(size // _FACE_BYTES, most_faces)
    return np.frombuffer(upload.content, np.uint8).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)


def read_faces(uploads: list[Upload], most_faces: int, most_pixels: int) -> np.ndarray:
    """Returns faces that were cropped before, uint8 `(faces, 48, 48)`.

    Args:
        uploads: List of `Upload`: each a picture file of one face.
        most_faces: That may come at a time.
        most_pixels: Largest picture.

    Raises:
        Refused: If they are too many, too large or no pictures.
    """
    _check_count(len(uploads), most_faces)
    faces = []
    for upload in uploads:
        room = check_picture(upload.content, most_pixels, upload.name)
        try:
            with room:
                faces.append(read_face(upload.content, upload.name or "picture"))
        except UserError as error:
            raise unreadable(upload) from error
    return np.stack(faces)


def describe_faces(probabilities: np.ndarray, classifier: Classifier) -> list[dict]:
    """Returns what faces show, as dicts for JSON, from their probabilities `(faces, classes)`."""
    names = classifier.class_names
    return [
        {
            "expression": names[int(row.argmax())],
            "probability": float(row.max()),
            "probabilities": dict(zip(names, row.tolist(), strict=True)),
            "unsure": bool(row.max() < classifier.unsure_below),
        }
        for row in probabilities
    ]


def find_faces(
    classifier: Classifier, upload: Upload, most_faces: int, most_pixels: int
) -> tuple[list[FoundFace], int]:
    """Finds the faces of a picture, without telling their expressions.

    Args:
        classifier: A `Classifier`.
        upload: `Upload` of a picture file.
        most_faces: That are kept.
        most_pixels: Largest picture.

    Returns:
        `(found, left_out)`: list of `FoundFace`, the largest first, and how many more there were.

    Raises:
        Refused: If it is no picture, or too large.
    """
    room = check_picture(upload.content, most_pixels, upload.name)
    try:
        with room:
            found = classifier.find(as_picture(upload.content))
    except UserError as error:
        raise unreadable(upload) from error
    return found[:most_faces], max(0, len(found) - most_faces)


def make_faces(found: Sequence[FoundFace], probabilities: np.ndarray, classifier: Classifier) -> list[Face]:
    """Joins a list of `FoundFace` and their probabilities, float `(faces, classes)`; returns a list of `Face`."""
    return [
        make_face(one, row, classifier.class_names, classifier.unsure_below)
        for one, row in zip(found, probabilities, strict=True)
    ]


def explain_faces(classifier: Classifier, faces: list[Face]) -> list[Face]:
    """Explains faces where the network has class maps. Others would take seconds each: they stay as they are."""
    network = classifier.network
    if not faces or not hasattr(network, "class_maps") or network.class_maps(faces[0].crop[None]) is None:
        return faces
    return classifier.explain(faces)


def describe_found(faces: list[Face], file: str | None, with_crops: bool) -> list[dict]:
    """Returns the records of the faces of one picture, as `fer-ensemble label` has them.

    Args:
        faces: List of `Face`.
        file: What the picture is called, or None.
        with_crops: Whether each record also gets `crop`: the 48x48 grey values that the network saw, in base64.
            A face with an explanation has that as `explanation`, little-endian float32 in base64.
    """
    records = []
    for number, face in enumerate(faces):
        record = face.to_record(file=file, id=number)
        if with_crops:
            record["crop"] = _encode(face.crop)
        if face.explanation is not None:
            record["explanation"] = _encode(face.explanation.astype("<f4"))
        records.append(record)
    return records


def _encode(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _check_count(count, most_faces):
    if count > most_faces:
        raise Refused(413, f"Expected at most {most_faces:,} faces at a time. Received: {count:,}.")


def unreadable(upload: Upload) -> Refused:
    """Returns the refusal of something that is no readable picture."""
    return Refused(
        415, f"{_called(upload.name)}Expected a picture that is whole ({', '.join(FORMATS)}). Received: "
             f"{len(upload.content):,} bytes that are none, or are damaged."
    )  # fmt: skip


def _called(name):
    return f"{name[:100]}: " if name else ""
