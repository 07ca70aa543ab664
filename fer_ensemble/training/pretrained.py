"""The weights that a training starts from: finding, reading and taking them over."""

import os
import pathlib
from collections.abc import Callable, Sequence

import h5py
import keras
import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import CLASS_NAMES
from fer_ensemble.members import directory
from fer_ensemble.members.saved_network import load_network
from fer_ensemble.models import build_model
from fer_ensemble.models.published import APPLICATIONS, TORCHVISION, read_application, read_torchvision
from fer_ensemble.models.transfer import read_model, transfer_weights, weighted_layers
from fer_ensemble.training.settings import TrainingSettings

IMAGENET, SHIPPED = "imagenet", "shipped"
SHIPPED_NETWORK = pathlib.Path(__file__).parents[1] / "assets" / "network.keras"
_SUFFIXES = (".keras", ".weights.h5", ".safetensors")
_ORIGIN = "https://storage.googleapis.com/tensorflow/keras-applications"
# MD5, which Keras checks; as in keras/src/applications.
_APPLICATION_HASHES = {"vgg16": "6d6bbae143d832006294945121d1f1fc", "vgg19": "253f8cb515780f3b799900260a226db6"}


def find_pretrained(settings: TrainingSettings) -> pathlib.Path:
    """Returns the path of the file that the settings' `pretrained` names, downloading it if need be.

    Raises:
        UserError: If it is no kind of file that can be read, or a member that is damaged.
        OSError: If it is not there, or cannot be downloaded.
    """
    if settings.pretrained == IMAGENET:
        return _download(settings.model)
    if settings.pretrained == SHIPPED:
        return SHIPPED_NETWORK
    path = settings.pretrained_path
    if path.is_dir():
        if not directory.is_complete(path):
            raise FileNotFoundError(f"{path} must hold a finished member to start from (--pretrained).")
        directory.check_file(path, directory.read_record(path), directory.MODEL)
        return path / directory.MODEL
    if not path.name.endswith(_SUFFIXES):
        raise UserError(
            f"`pretrained` must be {SHIPPED}, {IMAGENET}, a member's folder, or a file ending in "
            f"{', '.join(_SUFFIXES)}. Received: {path}. "
            "PyTorch's .pt and .pth files are pickles, which can run any program: write the weights with "
            "safetensors.torch.save_file(network.state_dict(), 'FILE.safetensors')."
        )
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} to start from (--pretrained).")
    return path


def may_know_held_out(path: pathlib.Path, identity: dict) -> bool:
    """Whether the member that a file belongs to, if any, may have seen images that this one holds out.

    It may if it was trained on other data (other classes are), on another fold, or started from one that may.

    Args:
        path: What `find_pretrained` returned.
        identity: Dictionary with the `settings`, `data` and `folds` of the member that starts from it.
    """
    if path == SHIPPED_NETWORK:
        return True  # it was trained on all of FER2013's Training, and so were the networks that taught it
    if path.name != directory.MODEL or not directory.is_complete(path.parent):
        return False
    other = directory.read_record(path.parent)
    return other.get("pretrained", {}).get("may_know_held_out", False) or any(
        value(other) != value(identity)
        for value in (
            lambda record: record["data"]["fingerprint"],
            lambda record: record["folds"],
            lambda record: np.atleast_1d(record["settings"]["fold"]).tolist(),  # two are a list in JSON
        )
    )


def load_pretrained(
    model: keras.Model, path: pathlib.Path, settings: TrainingSettings, class_names: Sequence[str]
) -> None:
    """Gives a fresh network the weights of a file.

    The logits are taken over if there are as many of them, unless they are known to be of other classes.

    Args:
        model: Plain float32 `keras.Model`, as `fer_ensemble.models.build_model` builds it.
        path: What `find_pretrained` returned.
        settings: `TrainingSettings`.
        class_names: Sequence of names.

    Raises:
        UserError: If the file cannot be read, or does not fit the network.
    """
    try:
        source = _read(model, path, settings)
        if not _same_logits(path, source, class_names):
            source.weights.pop("logits", None)
        transfer_weights(source, model)
    except UserError:  # it names the file already
        raise
    except ValueError as error:
        raise UserError(
            f"{path} does not fit --model={settings.model} --width={settings.width}: {error}."
        ) from error


def keep_share(model: keras.Model, load: Callable[[keras.Model], None], share: float) -> None:
    """Moves a finished network back, by a share of the way, towards the weights that it started from.

    Layers that were not taken over from there stay as they are.

    Args:
        model: Plain float32 `keras.Model`.
        load: What gives such a model the weights that it started from, by `load_pretrained`.
        share: Between 0, nothing changes, and 1.

    Source:
        Wortsman et al. (2022), https://arxiv.org/abs/2109.01903: on the line between both lie networks that are
        about as good as either at what it is good at. Batch-norm statistics are averaged like weights.
    """
    finished = model.get_weights()
    load(model)
    pairs = zip(finished, model.get_weights(), strict=True)
    model.set_weights([(1 - share) * weight + share * before for weight, before in pairs])


def _read(model, path, settings):
    if settings.pretrained == IMAGENET:
        return read_application(APPLICATIONS[settings.model](weights=path, include_top=False), model)
    if path.suffix == ".safetensors":
        if settings.model not in TORCHVISION:
            raise ValueError(f"of .safetensors files, only torchvision's {', '.join(TORCHVISION)} are understood")
        from safetensors.numpy import load_file

        return read_torchvision(_readable(load_file, path), model)
    if path.suffix == ".keras":
        found = load_network(path)
    else:
        logits = weighted_layers(model)[-1]
        found = build_model(settings, _readable(lambda path: _count_classes(path, logits.kernel.shape[0]), path))
        _readable(found.load_weights, path)
    return read_model(found, model)


def _readable(read, path):
    try:
        return read(path)
    except Exception as error:  # whatever h5py, zipfile, safetensors and Keras find wrong with it
        reason = " ".join(str(error).split())
        raise ValueError(f"it cannot be read ({reason[:200]})") from error


def _count_classes(path, features):
    """Returns of how many classes the logits of a weights file are, whose arrays are all really there.

    A few bytes can declare arrays, or so many classes, that no memory holds.
    """
    with h5py.File(path) as file:
        arrays = []
        file.visititems(lambda name, found: arrays.append(found) if isinstance(found, h5py.Dataset) else None)
        declared = sum(array.nbytes for array in arrays)
        if declared > path.stat().st_size:
            raise ValueError(f"its arrays take {declared:,} bytes, of {path.stat().st_size:,} that it has")
        # Keras calls the layers of a weights file by their kind, numbered.
        dense = [name for name in file["layers"] if name.startswith("dense")]
        if not dense:
            raise ValueError("it has no dense layer")
        last = max(dense, key=lambda name: (len(name), name))
        shape = file["layers"][last]["vars"]["0"].shape
        if len(shape) != 2 or shape[0] != features or not shape[1]:
            raise ValueError(f"its last layer has weights of shape {shape}, where ({features}, classes) is needed")
        return shape[1]


def _same_logits(path, source, class_names):
    if path == SHIPPED_NETWORK:
        return list(class_names) == list(CLASS_NAMES)
    if path.name == directory.MODEL and directory.is_complete(path.parent):
        return directory.read_record(path.parent)["class_names"] == list(class_names)
    return "logits" in source.weights and source.weights["logits"][1].shape == (len(class_names),)


def _download(model):
    if model not in APPLICATIONS:
        advice = (
            f"For {model}, save torchvision's as a file, safetensors.torch.save_file(torchvision.models.{model}"
            f"(weights='IMAGENET1K_V1').state_dict(), '{model}.safetensors'), and give that: "
            f"--pretrained={model}.safetensors."
        )
        raise UserError(
            f"--pretrained=imagenet takes Keras's weights, which there are of {', '.join(APPLICATIONS)} only. "
            + (advice if model in TORCHVISION else f"There are none of {model}.")
        )
    name = f"{model}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    origin = f"{_ORIGIN}/{model}/{name}"
    try:
        path = keras.utils.get_file(name, origin, file_hash=_APPLICATION_HASHES[model], cache_subdir="models")
    except Exception as error:
        reason = str(error).replace(f" on {origin}", "")
        folder = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")) / "models"
        raise OSError(
            f"{origin} could not be downloaded ({reason}). Put that file into {folder}, or give torchvision's "
            f"weights as one: --pretrained={model}.safetensors."
        ) from error
    return pathlib.Path(path)
