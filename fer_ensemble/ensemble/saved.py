"""An ensemble to hold in one's hand: loaded once, asked as often as one likes."""

import dataclasses
import os
import pathlib
import threading
from typing import TYPE_CHECKING

import numpy as np

from fer_ensemble.base.atomic_files import hash_file
from fer_ensemble.base.errors import MissingPackageError, UserError
from fer_ensemble.data.dataset import IMAGE_SIZE
from fer_ensemble.ensemble.combine import combine_probabilities
from fer_ensemble.ensemble.ensemble_file import NAME, EnsembleRecord, read_record
from fer_ensemble.members.directory import MODEL
from fer_ensemble.members.views import VIEWS

if TYPE_CHECKING:
    from fer_ensemble.members.networks import Networks, Weights

RESIDENT = ("one", "all")


class Ensemble:
    """The members of a folder, with the weights and the calibration that its `ensemble.json` gives them.

    It stays loaded: a call reads no file, checks no hash and folds nothing. It may be used from several threads,
    and writes nothing. Make it with `load`.

    Attributes:
        class_names: Tuple of the names of the classes, in the order of the probabilities.
        unsure_below: An answer is unsure if its probability is below.
        views: The views of each face that are taken unless others are asked for.
    """

    def __init__(
        self,
        record: EnsembleRecord,
        folder: str | os.PathLike,
        shares: np.ndarray,
        weights: "list[Weights]",
        networks: "list[Networks]",
        precision: str,
    ):
        self._record, self._folder = record, pathlib.Path(folder)
        path = self._folder / NAME
        self._digest = hash_file(path) if path.is_file() else None
        self._shares, self._weights, self._networks = shares, weights, networks
        # A network of which several members take turns is one thread's at a time.
        self._locks = {id(one): threading.Lock() for one in networks}
        self.class_names, self.unsure_below, self.views = record.class_names, record.unsure_below, record.views
        self.precision = precision

    @classmethod
    def load(cls, folder: str | os.PathLike, resident: str = "one", precision: str = "auto") -> "Ensemble":
        """Loads an ensemble that `predict.py` saved, and checks the hashes of its models, once.

        Args:
            folder: Folder with `ensemble.json` and the members, `exp_<fold>/<run>/model.keras`.
            resident: What stays in memory. `one`: the weights of all members, and a network for each architecture,
                which takes turns; `all`: a network for each member, for threads that ask at the same time.
            precision: Keras dtype policy to compute in. `auto`: the fastest that the device computes in.

        Raises:
            FileNotFoundError: If there is no such ensemble, or a model is missing.
            UserError: If something in it is damaged, or not what was saved.
            MissingPackageError: If Keras is not installed.
        """
        return cls.from_record(read_record(folder), folder, resident, precision)

    @classmethod
    def from_record(
        cls, record: EnsembleRecord, folder: str | os.PathLike, resident: str = "one", precision: str = "auto"
    ) -> "Ensemble":
        """Loads an ensemble that is not saved, or not so. Args and Raises: as `load`."""
        if resident not in RESIDENT:
            raise UserError(f"`resident` must be among {', '.join(RESIDENT)}. Received: {resident!r}.")
        paths = {
            name: pathlib.Path(folder) / name / MODEL for name, weight in record.weights.items() if weight > 0
        }
        for name, path in paths.items():
            _check_model(folder, path, record.models[name])
        try:
            from fer_ensemble.members.networks import Networks

            shared = Networks(precision)
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                f"{folder} holds Keras networks, which take a package that is not installed ({error.name}). "
                "Install it: pip install 'fer-ensemble[train]'. Or export the ensemble where it is installed."
            ) from error
        weights, networks = [], []
        for path in paths.values():
            own = shared if resident == "one" else Networks(precision)
            weights.append(own.read(path))
            networks.append(own)
            if weights[-1].classes != len(record.class_names):
                raise UserError(
                    f"{path} must tell {len(record.class_names)} classes apart, as {NAME} says. "
                    f"Received: {weights[-1].classes}. Make it anew: python predict.py --ensemble {folder}"
                )
        for one in networks:
            one.forget_saved()
        shares = np.array([record.weights[name] for name in paths])
        return cls(record, folder, shares, weights, networks, shared.precision)

    def predict(self, images: np.ndarray, views: str | None = None) -> np.ndarray:
        """Tells the probabilities of the classes.

        Args:
            images: uint8, shape `(images, 48, 48)`, grey values 0..255: faces that fill the image as FER2013's do.
            views: The views of each face to average over: `none`, `flip`, `shifts` or `tencrop`. None: those that
                the ensemble was saved with.

        Returns:
            float32, shape `(images, classes)`, each row summing to 1, calibrated where images were held out to
            choose the calibration on.

        Raises:
            UserError: If `images` or `views` is not as described.
        """
        return self.combine(self.predict_members(images, views))

    def predict_members(self, images: np.ndarray, views: str | None = None) -> np.ndarray:
        """Tells what each member says by itself, not calibrated.

        Args and Raises: as `predict`.

        Returns:
            float32, shape `(members, images, classes)`, without members that weigh nothing.
        """
        from fer_ensemble.members.predictions import predict_probabilities

        views = views or self.views
        images = _check_images(images)
        if views not in VIEWS:
            raise UserError(f"`views` must be among {', '.join(VIEWS)}. Received: {views!r}.")
        by_member = np.empty((len(self._weights), len(images), len(self.class_names)), np.float32)
        if len(images) == 0:
            return by_member
        for answer, weights, networks in zip(by_member, self._weights, self._networks, strict=True):
            with self._locks[id(networks)]:
                network = networks.put(weights, views)
                answer[:] = predict_probabilities(network, images, VIEWS[views])
        if not np.isfinite(by_member).all():
            raise UserError(f"The networks of {self._folder} must give numbers, but do not. Train them again.")
        return by_member

    def combine(self, by_member: np.ndarray) -> np.ndarray:
        """Returns what `predict` would, of what `predict_members` returned."""
        averaged = combine_probabilities(by_member, self._shares)
        calibrations = self._record.calibrations
        return (calibrations.all.apply(averaged) if calibrations else averaged).astype(np.float32)

    @property
    def calibrated(self) -> bool:
        """Whether images were held out, to choose a calibration on."""
        return self._record.calibrations is not None

    @property
    def about(self) -> dict:
        """Where it comes from: facts that JSON can hold. A new dictionary, to be changed at will."""
        facts = dataclasses.asdict(self._record)
        return facts | {
            "kind": "ensemble",
            "folder": str(self._folder),
            "precision": self.precision,
            "ensemble_sha256": self._digest,
        }


def _check_model(folder, path, expected):
    advice = f"Where its training is complete, choose weights anew: python predict.py --ensemble {folder}"
    if not path.is_file():
        exported = pathlib.Path(folder) / "ensemble.onnx"
        if exported.is_file():
            advice = f"The same networks are in {exported}: load that."
        raise FileNotFoundError(f"There is no {path}, which {NAME} names. {advice}")
    if hash_file(path) != expected:
        raise UserError(f"{path} is not the network that {NAME} names (SHA-256). {advice}")


def _check_images(images):
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise UserError(
            f"`images` must be uint8 of shape (images, {IMAGE_SIZE}, {IMAGE_SIZE}), grey values 0..255. "
            f"Received: {images.dtype} of shape {images.shape}."
        )
    return images
