"""A network from an ONNX file that `fer-ensemble export` wrote, run by ONNX Runtime."""

import functools
import hashlib
import itertools
import os
import pathlib
import re

import numpy as np

from fer_ensemble.base.cores import count_cores
from fer_ensemble.base.errors import MissingPackageError, UserError
from fer_ensemble.base.json_files import parse_json
from fer_ensemble.base.memory import bounded_growth
from fer_ensemble.classifier.given_faces import check_faces
from fer_ensemble.members.record_shape import NUMBER, check_class_names, check_shape

METADATA = "fer_ensemble"  # the key of the file's metadata that holds our JSON
FORMAT_VERSION = 1
MOST_THREADS = 1024
MOST_BYTES = 2_000_000_000  # that ONNX, a Protocol Buffer, can have in one file
_OPTIONAL_FIELDS = {"calibration": dict, "provenance": dict, "unsure_below": NUMBER, "version": str}
_BATCH = 128  # faces at once: more would gain no time, and take memory
# Bytes that computing may take, of all networks of the process together, beside their weights: a file of 500 bytes
# can ask for any number. So it can when it is loaded, as ONNX Runtime computes then what only constants make.
_MOST_COMPUTING = 1_000_000_000
_MOST_LOADING, _OF_THREAD = 1_000_000_000, 16_000_000
# What takes any time, or memory that ONNX Runtime does not count, as it stands in a file; none of ours has it.
_UNBOUNDED = re.compile(rb'"(?:\x04(?:Loop|Scan)|\x07NonZero|\x0bSequenceMap)')
_FUNCTIONS = 25  # the field of the file for functions: 30 that call each other twice are a thousand million nodes
_LARGEST_ERROR = 0.01  # of a sum of probabilities
_MOST_FIELDS = 1000  # of the file; those of ours have fewer than 20


class OnnxNetwork:
    """A `Network` from an ONNX file: input `faces`, output `probabilities`, all else in its metadata.

    Args:
        path: The file.
        threads: How many threads work on one call; all cores that the process may use by default.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        UserError: If it is no such network.
        MissingPackageError: If ONNX Runtime is not installed.
    """

    def __init__(self, path: str | os.PathLike, threads: int | None = None):
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingPackageError(
                "Networks in ONNX files take ONNX Runtime. Install it: pip install onnxruntime"
            ) from error
        path = pathlib.Path(path)
        content = _read_file(path)
        if threads is not None and not 1 <= threads <= MOST_THREADS:
            raise UserError(f"`threads` must be 1 to {MOST_THREADS:,}. Received: {threads}.")
        _check_operations(content, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads = threads or count_cores()
        # Threads that wait would take the cores from those that read pictures and search them for faces.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # none: errors are raised, too
        _bound_computing()
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
        try:
            with bounded_growth(_MOST_LOADING + 4 * len(content) + threads * _OF_THREAD):
                self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no base of their own
            raise UserError(
                f"{path}: expected an ONNX file. Received: {len(content):,} bytes "
                f"({_reason(error)}). Export it again: fer-ensemble export."
            ) from error
        self._path, self._batch = path, _BATCH
        self.about = {**_read_about(self._session, path), "sha256": hashlib.sha256(content).hexdigest()}
        self.class_names = tuple(self.about["class_names"])
        self._map_shapes = [one.shape[1:] for one in self._session.get_outputs() if one.name == "class_maps"]
        self.unsure_below = float(self.about.get("unsure_below", 0.0))

    def predict(self, faces: np.ndarray) -> np.ndarray:
        """Predicts faces.

        Args:
            faces: Uint8 array of shape `(n, 48, 48)`, grey values 0..255; `n` may be 0.

        Returns:
            Float32 array of shape `(n, classes)`: calibrated probabilities, each row summing to 1.
        """
        probabilities = self._run("probabilities", faces, (len(self.class_names),))
        if np.any(probabilities < 0) or np.any(abs(probabilities.sum(axis=1) - 1) > _LARGEST_ERROR):
            raise UserError(
                f"{self._path}: expected probabilities, each row of them with the sum 1. Received: others. "
                "Export it again: fer-ensemble export."
            )
        return probabilities

    def class_maps(self, faces: np.ndarray) -> np.ndarray | None:
        """Tells which cells of the last feature map speak for which class.

        Args: as `predict`.

        Returns:
            Float32 array of shape `(n, classes, height, width)`, whose sum over the cells is the logit. None where
            the file has none: of networks whose logits are computed of more than one global pooling.
        """
        return self._run("class_maps", faces, self._map_shapes[0]) if self._map_shapes else None

    def _run(self, output, faces, shape):
        faces = check_faces(faces)
        parts, done = [np.empty((0, *shape), np.float32)], 0
        while done < len(faces):
            batch = faces[done : done + self._batch]
            try:
                part = self._session.run([output], {"faces": batch})[0]
            except Exception as error:  # its exceptions have no base of their own
                if len(batch) > 1:  # what makes large pictures of the faces may have no room for so many
                    self._batch = max(1, len(batch) // 8)
                    continue
                raise UserError(
                    f"{self._path}: expected a network that computes {output} of a face in "
                    f"{_MOST_COMPUTING / 1e6:,.0f} MB. Received: {_reason(error)}. Export it again: "
                    "fer-ensemble export."
                ) from error
            if part.shape != (len(batch), *shape) or not np.isfinite(part).all():
                raise UserError(
                    f"{self._path}: expected {output} of shape {(len(batch), *shape)}, finite. Received: shape "
                    f"{part.shape}{'' if np.isfinite(part).all() else ', not finite'}. Export it again: "
                    "fer-ensemble export."
                )
            parts.append(part)
            done += len(batch)
        return np.concatenate(parts)


@functools.cache
def _bound_computing():
    import onnxruntime

    onnxruntime.create_and_register_allocator(
        onnxruntime.OrtMemoryInfo(
            "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
        ),
        onnxruntime.OrtArenaCfg({"max_mem": _MOST_COMPUTING}),
    )


def _reason(error):
    # ONNX Runtime says first where in its source it happened.
    return " ".join(str(error).split()).rpartition("*) ")[2][-200:]


def _read_file(path):
    if path.exists() and not path.is_file():  # to open a pipe might never return, nor to read a device end
        raise UserError(f"{path}: expected an ONNX file. Received: a folder, pipe or device.")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise UserError(f"{path}: expected an ONNX file of at most {MOST_BYTES:,} bytes. Received: {size:,}.")
    return path.read_bytes()


def _check_operations(content, path):
    found = _UNBOUNDED.search(content)
    fields = list(itertools.islice(_list_fields(content), _MOST_FIELDS))
    if found or _FUNCTIONS in fields or len(fields) == _MOST_FIELDS:
        what = f"the operation {found[0][2:].decode()}" if found else "functions"
        raise UserError(
            f"{path}: expected a network as fer-ensemble export writes it. Received: one with {what}, for which "
            "there is no bound of time and memory. Export it again."
        )


def _list_fields(content):
    """Yields the numbers of a Protocol Buffer's outermost fields, as far as it is one."""
    at = 0

    def take_number():
        nonlocal at
        number = shift = 0
        while at < len(content) and shift < 70:
            byte, at = content[at], at + 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        return number

    while at < len(content):
        field, kind = divmod(take_number(), 8)
        if not field:
            return
        yield field
        if kind == 0:
            take_number()
        elif kind in (1, 5):  # 8 or 4 bytes
            at += 8 if kind == 1 else 4
        elif kind == 2:
            length = take_number()
            at += length
        else:
            return


def _read_about(session, path):
    try:
        about = parse_json(session.get_modelmeta().custom_metadata_map[METADATA].encode())
        check_shape(about, {"format_version": int})
    except (KeyError, ValueError):
        raise UserError(
            f"{path}: expected an ONNX file with the labels of its classes in its metadata, as fer-ensemble "
            "export writes it. Received: an ONNX file without. Export the network again."
        ) from None
    if about["format_version"] != FORMAT_VERSION:
        raise UserError(
            f"{path}: expected a network in format {FORMAT_VERSION}. Received: format {about['format_version']}. "
            "Update fer_ensemble: pip install -U fer-ensemble."
        )
    try:
        check_shape(about, {"class_names": list})
        check_shape(about, _OPTIONAL_FIELDS, optional=True)
        check_class_names(about["class_names"])
        if not 0 <= about.get("unsure_below", 0) <= 1:
            raise ValueError(f"unsure_below cannot be {about['unsure_below']}")
    except ValueError as error:
        raise UserError(
            f"{path}: expected what fer-ensemble export says of a network in its metadata, but that is damaged "
            f"({error}). Export the network again."
        ) from error
    classes = len(about["class_names"])
    inputs = {one.name: (one.type, one.shape[1:]) for one in session.get_inputs()}
    outputs = {one.name: (one.type, one.shape[1:]) for one in session.get_outputs()}
    fits = inputs == {"faces": ("tensor(uint8)", [48, 48])}
    fits = fits and outputs.get("probabilities") == ("tensor(float)", [classes])
    kind, (count, *cells) = outputs.get("class_maps", ("tensor(float)", [classes, 1, 1]))
    fits = fits and (kind, count, [type(one) for one in cells]) == ("tensor(float)", classes, [int, int])
    if not fits or classes < 2:
        raise UserError(
            f"{path}: expected a network from uint8 faces of shape (n, 48, 48) to probabilities of its {classes} "
            f"classes. Received: inputs {inputs}, outputs {outputs}. Export the network again."
        )
    return about
