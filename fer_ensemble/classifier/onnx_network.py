"""A network from an ONNX file that `fer-ensemble export` wrote, run by ONNX Runtime."""

import os
import pathlib

import numpy as np

from fer_ensemble.base.cores import count_cores
from fer_ensemble.base.errors import MissingPackageError, UserError
from fer_ensemble.base.json_files import parse_json
from fer_ensemble.classifier.given_faces import check_faces
from fer_ensemble.members.record_shape import NUMBER, check_class_names, check_shape

METADATA = "fer_ensemble"  # the key of the file's metadata that holds our JSON
FORMAT_VERSION = 1
MOST_THREADS = 1024
MOST_BYTES = 2_000_000_000  # that ONNX, a Protocol Buffer, can have in one file
_OPTIONAL_FIELDS = {"calibration": dict, "provenance": dict, "unsure_below": NUMBER, "version": str}
_BATCH = 128  # faces at once: more would gain no time, and take memory


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
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or count_cores()
        # Threads that wait would take the cores from those that read pictures and search them for faces.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors alone
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no base of their own
            raise UserError(
                f"{path}: expected an ONNX file. Received: {len(content):,} bytes "
                f"({str(error).splitlines()[0][:200]}). Export it again: fer-ensemble export."
            ) from error
        self.about = _read_about(self._session, path)
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
        return self._run("probabilities", faces, (len(self.class_names),))

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
        parts = [
            self._session.run([output], {"faces": faces[start : start + _BATCH]})[0]
            for start in range(0, len(faces), _BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, *shape), np.float32)


def _read_file(path):
    if path.exists() and not path.is_file():  # to open a pipe might never return, nor to read a device end
        raise UserError(f"{path}: expected an ONNX file. Received: a folder, pipe or device.")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise UserError(f"{path}: expected an ONNX file of at most {MOST_BYTES:,} bytes. Received: {size:,}.")
    return path.read_bytes()


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
    outputs = {one.name: one.shape[1:] for one in session.get_outputs()}
    fits = inputs == {"faces": ("tensor(uint8)", [48, 48])} and outputs.get("probabilities") == [classes]
    if not fits or classes < 2:
        raise UserError(
            f"{path}: expected a network from uint8 faces of shape (n, 48, 48) to probabilities of its {classes} "
            f"classes. Received: inputs {inputs}, outputs {outputs}. Export the network again."
        )
    return about
