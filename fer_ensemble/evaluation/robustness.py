"""How much worse a network gets where faces do: errors on FER2013-C, and what they are compared with."""

import hashlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fer_ensemble.base import stop_signals
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.json_files import read_json
from fer_ensemble.base.network_protocol import Network
from fer_ensemble.evaluation.answers import Answers, ask
from fer_ensemble.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from fer_ensemble.evaluation.risk import describe_risk
from fer_ensemble.scoring.calibration import calibration_bins, calibration_error

FORMAT_VERSION = 1
CLEAN = ("clean", 0)
_KEYS = {"network", "faces", "faces_sha256", "images", "seed", "unsure_below", "by_strength", "mean_error"}
CONDITIONS = (CLEAN, *((name, strength) for name in CORRUPTIONS for strength in STRENGTHS))


def answer_corrupted(
    network: Network,
    images: np.ndarray,
    class_names: Sequence[str],
    seed: int = 0,
    on_condition: Callable | None = None,
) -> dict:
    """Asks a network about the faces as they are and under each corruption and strength.

    Args:
        network, images, class_names: As for `ask`.
        seed: Seed of the corruptions.
        on_condition: Called with name and strength after each of the 66.

    Returns:
        Dict from (name, strength), `CLEAN` first, to `Answers`.

    Raises:
        fer_ensemble.base.stop_signals.Stopped: After a stop signal, between two conditions.
    """
    answers = {}
    for name, strength in CONDITIONS:
        stop_signals.check()
        faces = images if (name, strength) == CLEAN else corrupt(images, name, strength, seed)
        answers[name, strength] = ask(network, faces, class_names)
        if on_condition:
            on_condition(name, strength)
    return answers


def describe_robustness(answers: dict, labels: np.ndarray, unsure_below: float) -> dict:
    """Counts the errors.

    Args:
        answers: Dict as from `answer_corrupted`.
        labels: Int array of shape `(images,)`, 0 to `classes` - 1.
        unsure_below: As for `describe_risk`.

    Returns:
        Dict of plain numbers, `robustness.json`:
        `clean`, and `corruptions`, a dict from the name to `title`, `unit`, `amounts` and `strengths`, a list of
        five; each of these has `error`, `ece`, `aurc`, `unsure`, `sure_error` (None where nothing is sure) and, of
        an ensemble, `members_error`, the mean over its members.
        A corruption also has `error`, the mean over the strengths.
        `by_strength`: the same over all corruptions together, for the strengths 0 (clean) to 5, and the `curve` of
        risk over coverage.
        `mean_error`, over corruptions and strengths; `relative_drop`, the share of the clean accuracy that is lost
        on average, None where there is none to lose.
    """
    labels = np.asarray(labels)
    corruptions = {}
    for name, one in CORRUPTIONS.items():
        strengths = [_describe(answers[name, strength], labels, unsure_below) for strength in STRENGTHS]
        error = float(np.mean([values["error"] for values in strengths]))
        corruptions[name] = {
            "title": one.title,
            "unit": one.unit,
            "amounts": list(one.amounts),
            "error": error,
            "strengths": strengths,
        }
    clean = _describe(answers[CLEAN], labels, unsure_below)
    mean_error = float(np.mean([values["error"] for values in corruptions.values()]))
    accuracy = 1 - clean["error"]
    return {
        "clean": clean,
        "corruptions": corruptions,
        "by_strength": _describe_strengths(answers, labels, unsure_below),
        "mean_error": mean_error,
        "relative_drop": (mean_error - clean["error"]) / accuracy if accuracy else None,
    }


def compare_with_baseline(robustness: dict, baseline: dict | None) -> dict:
    """Divides the errors by those of another network on the same faces.

    Args:
        robustness: Dict as from `describe_robustness`.
        baseline: The `robustness.json` of the other, or None.

    Returns:
        The same with `baseline`, its `name` and `accuracies` (as from `accuracies_of`); `corruption_error` of each
        corruption, its error over the baseline's; `mean_corruption_error`, the mean of these. All None without a
        baseline.

    Source:
        Hendrycks & Dietterich (2019), https://arxiv.org/abs/1903.12261: the error summed over the strengths, over
        that of the baseline, averaged over the corruptions. Their baseline is AlexNet.
    """
    corruptions = {
        name: {**values, "corruption_error": baseline and values["error"] / baseline["corruptions"][name]["error"]}
        for name, values in robustness["corruptions"].items()
    }
    ratios = [values["corruption_error"] for values in corruptions.values()]
    return {
        **robustness,
        "corruptions": corruptions,
        "mean_corruption_error": baseline and float(np.mean(ratios)),
        "baseline": baseline and {"name": baseline["network"]["name"], "accuracies": accuracies_of(baseline)},
    }


def accuracies_of(robustness: dict, error: str = "error") -> dict[str, list[float]]:
    """Returns a dict from each corruption to its six accuracies, the first that of clean faces."""
    return {
        name: [1 - values[error] for values in (robustness["clean"], *one["strengths"])]
        for name, one in robustness["corruptions"].items()
    }


def fingerprint_faces(images: np.ndarray, labels: np.ndarray, seed: int) -> str:
    """Returns the SHA-256 (64 hex digits) of what is asked: only errors on the same faces can be compared."""
    digest = hashlib.sha256(f"FER2013-C {FORMAT_VERSION} {seed} {images.shape}".encode())
    digest.update(np.ascontiguousarray(images))
    digest.update(np.ascontiguousarray(labels, np.int64))
    return digest.hexdigest()


def read_known(path: pathlib.Path, sha256: str | None) -> dict | None:
    """Returns what a `robustness.json` says, if there is one and it is of this network; else None.

    Args:
        path: Path of the file.
        sha256: Of the file that tells the network from others; None: it cannot be told.
    """
    try:
        known = check_baseline(read_json(path, "a robustness.json", ""), path)
        curves = [one["curve"] for one in known["by_strength"]]  # which the page shows, but no baseline needs
    except (OSError, ValueError, KeyError, TypeError):  # of the JSON, or as it is something else
        return None
    if len(curves) != len(STRENGTHS) + 1:
        return None
    return known if sha256 is not None and known["network"]["sha256"] == sha256 else None


def check_baseline(robustness: Any, path: pathlib.Path) -> dict:
    """Returns what was read from a `robustness.json`; raises UserError if it is none."""
    try:
        ours = robustness["format_version"] == FORMAT_VERSION and set(robustness) >= _KEYS
        names = set(robustness["network"]), set(robustness["corruptions"])
        accuracies_of(robustness), table_of(robustness)
        if ours and names == ({"name", "sha256"}, set(CORRUPTIONS)):
            return robustness
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # of JSON that is something else
        pass
    raise UserError(
        f"{path} must be a robustness.json of format {FORMAT_VERSION}. Received something else. Make one: "
        "fer-ensemble evaluate MODEL --data=... --robustness"
    )


def table_of(robustness: dict) -> list[list]:
    """Lays out the errors as rows for a CSV file, a header first."""
    columns = ["error", "ece", "aurc", "unsure", "sure_error", "members_error"]
    rows = [["corruption", "strength", "amount", "unit", *columns]]
    for name, strength, values in each_condition(robustness):
        one = robustness["corruptions"].get(name)
        amount = [one["amounts"][strength - 1], one["unit"]] if one else ["", ""]
        numbers = (values.get(column) for column in columns)
        rows.append([name, strength, *amount, *("" if value is None else f"{value:.6f}" for value in numbers)])
    return rows


def each_condition(robustness: dict) -> Iterator[tuple[str, int, dict]]:
    """Yields (name, strength, values) of each of the 66 conditions, the clean one first."""
    yield *CLEAN, robustness["clean"]
    for name, one in robustness["corruptions"].items():
        for strength, values in zip(STRENGTHS, one["strengths"], strict=True):
            yield name, strength, values


def _describe(answers, labels, unsure_below):
    risk = describe_risk(answers.probabilities, labels, unsure_below)
    values = {
        "error": float((answers.probabilities.argmax(axis=1) != labels).mean()),
        "ece": calibration_error(calibration_bins(answers.probabilities, labels)),
        "aurc": risk["aurc"],
        "unsure": risk["unsure"],
        "sure_error": None if risk["sure_accuracy"] is None else 1 - risk["sure_accuracy"],
    }
    if answers.members is not None:
        values["members_error"] = float((answers.members != labels).mean())
    return values


def _describe_strengths(answers, labels, unsure_below):
    found = []
    for strength in (0, *STRENGTHS):
        chosen = [one for (_, other), one in answers.items() if other == strength]
        members = None
        if chosen[0].members is not None:
            members = np.concatenate([one.members for one in chosen], axis=1)
        together = Answers(np.concatenate([one.probabilities for one in chosen]), members)
        every_label = np.tile(labels, len(chosen))
        curve = describe_risk(together.probabilities, every_label, unsure_below)["curve"]
        found.append({"strength": strength, **_describe(together, every_label, unsure_below), "curve": curve})
    return found
