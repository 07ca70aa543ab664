"""`ensemble.json`: what makes members an ensemble, chosen once."""

import dataclasses
import json
import math
import os
import pathlib
import re

from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.json_files import read_json
from fer_ensemble.members.record_shape import NUMBER, check_class_names, check_shape
from fer_ensemble.members.views import VIEWS
from fer_ensemble.scoring.calibration import Calibration

NAME = "ensemble.json"
FORMAT = 1
_FIELDS = {
    "format_version": int,
    "version": str,
    "class_names": list,
    "data": dict,
    "folds": dict,
    "members": list,
    "weights_from": str,
    "chosen_on": str,
    "calibration": (dict, type(None)),
    "unsure_below": NUMBER,
    "views": str,
    "versions": dict,
}
_KEPT_AS_THEY_ARE = (
    "data", "folds", "weights_from", "chosen_on", "unsure_below", "views", "versions", "version",
)  # fmt: skip
_MEMBER_FIELDS = {"name": str, "model_sha256": str, "weight": NUMBER}


@dataclasses.dataclass(frozen=True)
class Calibrations:
    """What makes probabilities mean what they say, by how many networks they are averaged over.

    Attributes:
        single: Dictionary from a run to the `Calibration` for one network of it.
        held_out: For an image that was held out: one member of each run predicts it.
        all: For all members together: any other image.
    """

    single: dict
    held_out: Calibration
    all: Calibration


@dataclasses.dataclass(frozen=True)
class EnsembleRecord:
    """All that `ensemble.json` says.

    Attributes:
        class_names: Tuple of names, in the order of the probabilities.
        data: The data set of the training: `name`, `images`, `fingerprint`.
        folds: Its split: `folds`, `seed`, `fingerprint`.
        models: Dictionary from each member's name, `exp_2/cnn_0`, to the SHA-256 of its model.
        weights: Dictionary from the same names, in the same order, to weights that sum to 1.
        weights_from: How they were chosen, as `--weights` names it.
        chosen_on: In words, the images that weights, calibration and threshold were chosen on.
        calibrations: `Calibrations`, None where no image was held out.
        unsure_below: Probability of the predicted class below which an answer is called unsure.
        views: The views of each face that all this was chosen with, as `fer_ensemble.members.views` names them.
        versions: Of what trained the members: a dictionary.
        version: Of this package, when it was written.
    """

    class_names: tuple
    data: dict
    folds: dict
    models: dict
    weights: dict
    weights_from: str
    chosen_on: str
    calibrations: Calibrations | None
    unsure_below: float
    views: str
    versions: dict
    version: str


def write_record(folder: str | os.PathLike, record: EnsembleRecord) -> None:
    """Writes `ensemble.json` whole, in place of an old one."""
    calibrations = record.calibrations
    content = {
        "format_version": FORMAT,
        "version": record.version,
        "class_names": list(record.class_names),
        "data": record.data,
        "folds": record.folds,
        "members": [
            {"name": name, "model_sha256": record.models[name], "weight": weight}
            for name, weight in record.weights.items()
        ],
        "weights_from": record.weights_from,
        "chosen_on": record.chosen_on,
        "calibration": calibrations and dataclasses.asdict(calibrations),
        "unsure_below": record.unsure_below,
        "views": record.views,
        "versions": record.versions,
    }
    write_text(pathlib.Path(folder) / NAME, json.dumps(content, indent=2) + "\n")


def read_record(folder: str | os.PathLike) -> EnsembleRecord:
    """Reads `ensemble.json`.

    Args:
        folder: Folder of the ensemble.

    Returns:
        `EnsembleRecord`.

    Raises:
        FileNotFoundError: If there is none.
        UserError: If it is damaged, or of a version that this one does not know.
    """
    path = pathlib.Path(folder) / NAME
    what, fix = "a saved ensemble", f"Make it anew: python predict.py --ensemble {folder}"
    try:
        content = read_json(path, what, fix)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no {path}. Where finished members are, python predict.py --ensemble {folder} makes it; "
            "bash splitscript.sh trains members, and does so at its end."
        ) from None
    try:
        return _parse(content)
    except ValueError as error:
        raise UserError(f"{path} must be {what}, but is damaged ({error}). {fix}") from error


def _parse(content):
    if isinstance(content, dict) and content.get("format_version") not in (None, FORMAT):
        raise ValueError(f"its format_version is {str(content['format_version'])[:20]}, not {FORMAT}")
    check_shape(content, _FIELDS)
    check_class_names(content["class_names"])
    if content["views"] not in VIEWS:
        raise ValueError(f"views must be among {', '.join(VIEWS)}, not {content['views'][:20]!r}")
    _check_share("unsure_below", content["unsure_below"])
    models, weights = _parse_members(content["members"])
    return EnsembleRecord(
        class_names=tuple(content["class_names"]),
        models=models,
        weights=weights,
        calibrations=_parse_calibrations(content["calibration"]),
        **{name: content[name] for name in _KEPT_AS_THEY_ARE},
    )


def _parse_members(members):
    models, weights = {}, {}
    for member in members:
        check_shape(member, _MEMBER_FIELDS)
        name = member["name"]
        # The folder of a member below that of the ensemble, and nowhere else.
        if not re.fullmatch(r"exp_\w[\w+]*/\w+", name, re.ASCII) or name in models:
            raise ValueError(f"{name[:40]!r} is no member, or stands twice")
        if not re.fullmatch("[0-9a-f]{64}", member["model_sha256"]):
            raise ValueError(f"the SHA-256 of {name} must have 64 hex digits")
        _check_share(f"the weight of {name}", member["weight"])
        models[name], weights[name] = member["model_sha256"], float(member["weight"])
    if abs(sum(weights.values()) - 1) > 1e-6:
        raise ValueError(f"the weights of its {len(weights)} members must sum to 1")
    return models, weights


def _parse_calibrations(content):
    if content is None:
        return None
    check_shape(content, {"single": dict, "held_out": dict, "all": dict})
    single = {run: _parse_calibration(one) for run, one in content["single"].items()}
    return Calibrations(single, _parse_calibration(content["held_out"]), _parse_calibration(content["all"]))


def _parse_calibration(content):
    check_shape(content, {"smoothing": NUMBER, "temperature": NUMBER})
    smoothing, temperature = content["smoothing"], content["temperature"]
    if not 0 <= smoothing < 1 or not 0 < temperature < math.inf:
        raise ValueError(f"a calibration cannot have smoothing {smoothing}, temperature {temperature}")
    return Calibration(float(smoothing), float(temperature))


def _check_share(what, value):
    if not 0 <= value <= 1:
        raise ValueError(f"{what} must lie between 0 and 1, not be {str(value)[:20]}")
