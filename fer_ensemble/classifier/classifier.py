"""Loading a network, and asking it about faces and pictures."""

import dataclasses
import functools
import importlib.resources
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from fer_ensemble.base.errors import MissingPackageError, UserError
from fer_ensemble.base.network_protocol import Network
from fer_ensemble.classifier.explanation import explain
from fer_ensemble.classifier.face import Face, make_face
from fer_ensemble.classifier.given_faces import check_faces
from fer_ensemble.classifier.many_pictures import PictureFaces, find_in_many
from fer_ensemble.classifier.onnx_network import OnnxNetwork
from fer_ensemble.faces.detector import DetectorSettings, FaceDetector
from fer_ensemble.faces.found import DETECT, WHOLE, FoundFace, find_in, take_boxes, take_whole
from fer_ensemble.faces.frame import Box
from fer_ensemble.faces.picture_arrays import Picture, as_picture

SHIPPED = "network.onnx"  # in `fer_ensemble/assets`


def load(
    model: str | os.PathLike | None = None,
    *,
    threads: int | None = None,
    unsure_below: float | None = None,
    detector: DetectorSettings | None = None,
) -> "Classifier":
    """Loads a network.

    Args:
        model: Path of an `.onnx` file that `fer-ensemble export` wrote, of a member's `model.keras`, or of the
            folder of an ensemble, with its `ensemble.json`. The network that ships by default.
        threads: How many threads work on one call, for an ONNX file; all cores by default.
        unsure_below: An answer whose probability is below counts as unsure. The network's own choice by default.
        detector: `DetectorSettings`: how faces are looked for.

    Returns:
        A `Classifier`.

    Raises:
        OSError: If there is no such file or folder.
        UserError: If it holds no such network.
        MissingPackageError: If a package that it takes is not installed.
    """
    if model is None:
        model = importlib.resources.files("fer_ensemble") / "assets" / SHIPPED
    path = pathlib.Path(str(model))
    trained = path.is_dir() or path.suffix == ".keras"
    network = _load_trained(path) if trained else OnnxNetwork(path, threads)
    return Classifier(network, unsure_below=unsure_below, detector=detector)


class Classifier:
    """Tells the expressions of faces, with whatever network. May be used from several threads; writes nothing.

    Args:
        network: A `Network`.
        unsure_below: An answer whose probability is below counts as unsure. The network's own choice by default.
        detector: `DetectorSettings`: how faces are looked for.

    Attributes:
        class_names: Tuple of the names of the classes, in the order of the probabilities.
        about: Dict of what is known of the network: where it comes from, its calibration, its version.
        unsure_below: Float, 0 to 1.
    """

    def __init__(
        self, network: Network, unsure_below: float | None = None, detector: DetectorSettings | None = None
    ):
        if unsure_below is not None and not 0 <= unsure_below <= 1:
            raise UserError(f"`unsure_below` must be a probability, 0 to 1. Received: {unsure_below}.")
        self.network = network
        self.class_names = tuple(network.class_names)
        self.about = network.about
        self.unsure_below = network.unsure_below if unsure_below is None else float(unsure_below)
        self._detector_settings = detector or DetectorSettings()

    def predict(self, faces: np.ndarray) -> np.ndarray:
        """Predicts faces that are cut out already.

        Args:
            faces: Uint8 array of shape `(n, 48, 48)`, grey values 0..255, each a face in FER2013's frame, as
                `Face.crop` is; `n` may be 0.

        Returns:
            Float32 array of shape `(n, classes)`: calibrated probabilities, each row summing to 1.
        """
        return self.network.predict(check_faces(faces))

    def find_faces(
        self,
        picture: Picture,
        *,
        bgr: bool = False,
        faces: str = DETECT,
        boxes: Sequence[Box] | None = None,
        explain: bool = False,
    ) -> list[Face]:
        """Finds the faces in a picture and tells their expressions.

        Args:
            picture: Path of a picture file, or its content as bytes; a `PIL.Image.Image`; or a uint8 array of
                shape `(height, width, 3)`, RGB, or `(height, width)`, grey.
            bgr: Whether the array is blue, green, red, as OpenCV reads pictures.
            faces: "detect" searches for faces; "whole" takes the picture for one face that fills it.
            boxes: Sequence of (left, top, width, height) in pixels: where the faces are, in place of a search. If
                the landmarks of a face are found in a box, they decide how it is cut, else the box.
            explain: Whether each face gets its `explanation`.

        Returns:
            List of `Face`, the largest first, or in the order of `boxes`. Empty where there is none.

        Raises:
            OSError: If there is no such file, or it cannot be read.
            UserError: If it is no picture, or not as described.
        """
        found = self.classify(self.find(as_picture(picture, bgr), faces=faces, boxes=boxes))
        return self.explain(found) if explain else found

    def find(
        self, picture: np.ndarray, *, faces: str = DETECT, boxes: Sequence[Box] | None = None
    ) -> list[FoundFace]:
        """Finds and cuts out the faces of a picture without telling their expressions.

        Args: as `find_faces`, but the picture is an array.

        Returns:
            List of `FoundFace`.
        """
        if boxes is not None:
            return take_boxes(picture, boxes, self.detector)
        if faces == WHOLE:
            return take_whole(picture)
        if faces != DETECT:
            raise UserError(f"`faces` must be {DETECT} or {WHOLE}. Received: {faces!r}.")
        return find_in(picture, self.detector)

    def classify(self, found: Sequence[FoundFace]) -> list[Face]:
        """Tells the expressions of a list of `FoundFace`, of any pictures, at once; returns a list of `Face`."""
        if not found:
            return []
        probabilities = self.predict(np.stack([one.crop for one in found]))
        return [
            make_face(one, row, self.class_names, self.unsure_below)
            for one, row in zip(found, probabilities, strict=True)
        ]

    def find_faces_in(
        self, paths: Iterable[str | os.PathLike], *, batch_size: int = 64, workers: int | None = None
    ) -> Iterator[PictureFaces]:
        """Finds the faces of many pictures; reading, searching and classifying overlap, and memory stays bounded.

        Args:
            paths: Iterable of paths of picture files.
            batch_size: How many faces are classified at once.
            workers: How many threads read and search; as many as there are cores by default.

        Returns:
            Generator of `PictureFaces`, one for each path, in their order: `source`, `faces`, and `problem`, which
            says why a file could not be read, and is None for the others.
        """
        return find_in_many(self, paths, batch_size, workers)

    def label_video(
        self, path: str | os.PathLike, *, every: float | int | str = "0.2", smooth: float = 0.0
    ) -> Iterator[dict]:
        """Finds the faces of a video, and tells their expressions over time.

        Args:
            path: Path of a video file.
            every: How often: "0.2" or 0.2, seconds; 5, frames.
            smooth: Over how many seconds the probabilities are smoothed; 0 is not at all.

        Returns:
            Generator of rows, one for each face of each frame that is looked at: dicts as `Face.to_record` gives
            them. A face keeps its number as long as it is followed.

        Raises:
            MissingPackageError: If PyAV is not installed.
            UserError: If it is no video.
        """
        from fer_ensemble.classifier.labelled_video import label_frames

        for frame in label_frames(self, path, every, smooth):
            yield from (face.to_record(str(path)) for face in frame.faces)

    def explain(self, faces: Sequence[Face]) -> list[Face]:
        """Explains the expressions of a list of `Face`: returns a list of the same with their `explanation`.

        Takes about as long as telling the expressions where the network has class maps, and some 300 times as long
        where it has none, as an ensemble.
        """
        if not faces:
            return []
        labels = [self.class_names.index(face.expression) for face in faces]
        explanations = explain(self.network, np.stack([face.crop for face in faces]), labels)
        return [
            dataclasses.replace(face, explanation=explanation)
            for face, explanation in zip(faces, explanations, strict=True)
        ]

    @functools.cached_property
    def detector(self) -> FaceDetector:
        """The `FaceDetector`; its weights are read when they are first needed."""
        return FaceDetector(self._detector_settings)


def _load_trained(path):
    if path.is_dir() and not (path / "ensemble.json").is_file():
        raise UserError(
            f"{path}: expected the folder of an ensemble, with ensemble.json, or an .onnx or .keras file. "
            "Received: a folder without it. `python predict.py` writes it when the members are finished."
        )
    try:
        from fer_ensemble.ensemble.keras_network import KerasNetwork
        from fer_ensemble.ensemble.saved import Ensemble

        return Ensemble.load(path) if path.is_dir() else KerasNetwork(path)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"What was trained is run by Keras and TensorFlow, and {error.name} is not installed. Install them: "
            "pip install 'fer-ensemble[train]' - or export it where they are: fer-ensemble export."
        ) from error
