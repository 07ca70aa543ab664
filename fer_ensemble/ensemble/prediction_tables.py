"""The tables that an ensemble's results leave, `oof.csv` and `predictions.csv`, read again."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.json_files import read_json
from fer_ensemble.data.dataset import SPLITS, UNLABELLED
from fer_ensemble.members.record_shape import NUMBER, check_class_names, check_shape
from fer_ensemble.scoring.calibration import Calibration
from fer_ensemble.scoring.metrics import log_loss

OOF_TABLE, TEST_TABLE, SCORES = "oof.csv", "predictions.csv", "scores.json"
ROW_SUM_TOLERANCE = 1e-4  # six decimals each
MOST_BYTES = 1 << 28  # FER2013's 28,709 images take 2.3 MB
LOSS_TOLERANCE = 1e-4  # nats per image
_WEIGHTS = ("weights", "member_weights")
_OPTIONAL_FIELDS = {
    "weights_from": str,
    "weights": dict,
    "member_weights": dict,
    "tta": str,
    "oof_tta": str,
    "unsure_below": NUMBER,
}
_SCORE_FIELDS = {"class_names": list, "data": dict, "splits": dict}


@dataclasses.dataclass(frozen=True)
class PredictionTable:
    """The ensemble's predictions of some images, as a table has them: to six decimals.

    Attributes:
        rows: int64, shape `(images,)`, the images' rows in their source.
        usage: uint8, shape `(images,)`, positions in `SPLITS`.
        labels: int8, shape `(images,)`, -1 where there is none.
        probabilities: float64, shape `(images, classes)`, each row summing to 1.
    """

    rows: np.ndarray
    usage: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray

    def select(self, chosen: np.ndarray) -> "PredictionTable":
        """Returns the table of some of its images, as NumPy chooses."""
        return PredictionTable(*(values[chosen] for values in vars(self).values()))


def read_table(path: str | os.PathLike, class_names: Sequence[str]) -> PredictionTable:
    """Reads `oof.csv` or `predictions.csv`.

    Args:
        path: Path of the file.
        class_names: Names of the classes, in the order of the labels.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is not as `predict.py` wrote it, or has other classes.
    """
    import pandas

    columns = ["row", "usage", "emotion", "predicted", *class_names]
    try:
        if pathlib.Path(path).stat().st_size > MOST_BYTES:
            raise ValueError(f"it has {pathlib.Path(path).stat().st_size:,} bytes")
        frame = pandas.read_csv(path)
        if list(frame.columns) != columns:
            raise ValueError(
                f"its columns are {', '.join(map(str, frame.columns))[:80]}, not {', '.join(columns)}"
            )
        usage = frame["usage"].map({name: number for number, name in enumerate(SPLITS)})
        if usage.isna().any():
            raise ValueError(f"usage must be among {', '.join(SPLITS)}")
        labels = frame["emotion"].fillna(UNLABELLED).to_numpy(np.float64)
        rows = frame["row"].to_numpy(np.int64)
        probabilities = frame[list(class_names)].to_numpy(np.float64)
    except (ValueError, TypeError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise _damaged(path, " ".join(str(error).split())[:200]) from error
    classes = len(class_names)
    if not np.isin(labels, np.arange(UNLABELLED, classes)).all():
        raise _damaged(path, f"emotion must be empty or 0 to {classes - 1}")
    if len(np.unique(rows)) != len(rows) or (rows < 0).any():
        raise _damaged(path, "a row stands twice, or lies below 0")
    if not (np.isfinite(probabilities).all() and (probabilities >= 0).all()):
        raise _damaged(path, "probabilities must be numbers, none negative")
    sums = probabilities.sum(axis=1, keepdims=True)
    if len(sums) and np.abs(sums - 1).max() > ROW_SUM_TOLERANCE:
        raise _damaged(path, "each row of probabilities must sum to 1")
    return PredictionTable(rows, usage.to_numpy(np.uint8), labels.astype(np.int8), probabilities / sums)


def read_scores(folder: str | os.PathLike) -> dict:
    """Reads `scores.json`, as far as its tables need it: classes, data, splits, and calibration if there is one.

    Raises:
        FileNotFoundError: If there is none.
        UserError: If it is damaged.
    """
    path = pathlib.Path(folder) / SCORES
    what, fix = "the scores of an ensemble", f"Make it anew: python predict.py --ensemble {folder}"
    scores = read_json(path, what, fix)
    try:
        check_shape(scores, _SCORE_FIELDS)
        check_class_names(scores["class_names"])
        check_shape(scores["data"], {"fingerprint": str})
        for name, types in _OPTIONAL_FIELDS.items():
            check_shape(scores, {name: types}, optional=True)
        if not all(isinstance(weight, NUMBER) for name in _WEIGHTS for weight in scores.get(name, {}).values()):
            raise ValueError("weights must be numbers")
        for part in (scores.get("calibration") or {}).values():
            check_shape(part, {"smoothing": NUMBER, "temperature": NUMBER})
            if not (0 <= part["smoothing"] < 1 and part["temperature"] > 0):
                raise ValueError("calibration is out of range")
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path} must be {what}, but is damaged ({error}). {fix}") from error
    return scores


def find_calibration(scores: dict, name: str, table: PredictionTable) -> Calibration | None:
    """Returns the calibration that a table's probabilities still need; None if they have it, or there is none.

    Args:
        scores: What `read_scores` returned.
        name: Of the table's images: `oof`, `PublicTest`, `PrivateTest`.
        table: Those images.

    Raises:
        UserError: If the table is not the one that was scored.
    """
    found = (scores.get("calibration") or {}).get("oof" if name == "oof" else "test")
    calibration = Calibration(found["smoothing"], found["temperature"]) if found else None
    described = scores["splits"].get(name)
    told = described.get("ensemble") if isinstance(described, dict) else None
    labelled = table.labels != UNLABELLED
    if isinstance(told, dict) and isinstance(told.get("log_loss"), float) and labelled.any():
        probabilities, labels = table.probabilities[labelled], table.labels[labelled]
        if abs(log_loss(probabilities, labels) - told["log_loss"]) <= LOSS_TOLERANCE:
            return calibration
        after = (described.get("calibration") or {}).get("after") or {}
        if abs(log_loss(probabilities, labels) - after.get("log_loss", np.inf)) <= LOSS_TOLERANCE:
            return None
        raise UserError(f"The table of {name} must be the one that {SCORES} beside it was made with, but is not.")
    return None if scores.get("calibrated") else calibration


def _damaged(path, reason):
    folder = pathlib.Path(path).parent
    return UserError(
        f"{path} must be a table as predict.py writes it, but is damaged ({reason}). Make it anew: "
        f"python predict.py --ensemble {folder}"
    )
