"""Finding and loading what is exported: the network that ships, a member, or a whole ensemble."""

import os
import pathlib

from fer_ensemble.base.atomic_files import hash_file
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import PUBLIC_TEST, SPLITS, UNLABELLED, Dataset
from fer_ensemble.ensemble import ensemble_file
from fer_ensemble.export.onnx_file import read_facts
from fer_ensemble.export.source import Source, make_facts
from fer_ensemble.members import directory
from fer_ensemble.members.collection import Member, member_predictions, own_views
from fer_ensemble.members.predictions import read_predictions
from fer_ensemble.members.predictor import Predictor
from fer_ensemble.scoring.calibration import Calibration, fit_calibration
from fer_ensemble.scoring.selective import choose_unsure_below

SHIPPED = "shipped"
SHIPPED_NETWORK = "network.keras"
SHIPPED_ONNX = "network.onnx"
ASSETS = pathlib.Path(__file__).parents[1] / "assets"
PUBLIC = SPLITS[PUBLIC_TEST]
OOF = "oof"
_PROVENANCE = (
    "settings", "data", "teacher", "pretrained", "extra_data", "metrics", "training_seconds", "device", "versions",
    "finished",
)  # fmt: skip


def find_source(model: str | os.PathLike, views: str | None = None) -> int:
    """Looks what is to be exported, before anything heavy is imported.

    Args:
        model: As for `load_source`, like `views`.

    Returns:
        How many networks it is.

    Raises:
        OSError: If there is no such folder.
        UserError: If it holds neither a member nor an ensemble, or one whose record is damaged.
    """
    folder = pathlib.Path(model)
    if str(model) != SHIPPED and not folder.exists():
        raise FileNotFoundError(f"There is no folder {folder} to export.")
    if _is_member(model):
        directory.read_record(folder, whole=True)
        return 1
    if views:
        raise UserError(f"`tta` is for a member. Received: {model}, which has its own.")
    if str(model) == SHIPPED:
        for name in (SHIPPED_NETWORK, SHIPPED_ONNX):
            if not (ASSETS / name).is_file():
                raise FileNotFoundError(f"There is no {ASSETS / name}: this installation ships no network.")
        return 1
    if (folder / ensemble_file.NAME).is_file():
        return sum(weight > 0 for weight in ensemble_file.read_record(folder).weights.values())
    raise UserError(
        f"{folder}: expected {SHIPPED}, the folder of a finished member, with {directory.RECORD}, or that of an "
        f"ensemble, with {ensemble_file.NAME}. Received neither. `python predict.py` writes {ensemble_file.NAME} "
        "when the members are finished."
    )


def load_source(model: str | os.PathLike, views: str | None = None, dataset: Dataset | None = None) -> Source:
    """Loads what is to be exported.

    Args:
        model: `shipped`, a member's folder, or the folder of an ensemble, with its `ensemble.json`.
        views: For a member, as for `load_member`. The others have theirs.
        dataset: As for `load_member`.

    Returns:
        `Source`.

    Raises:
        OSError: If there is no such folder.
        UserError: If it holds neither, or something damaged.
    """
    find_source(model, views)
    if _is_member(model):
        return load_member(model, views=views, dataset=dataset)
    return _load_shipped() if str(model) == SHIPPED else _load_ensemble(pathlib.Path(model))


def _is_member(model):
    return str(model) != SHIPPED and directory.is_complete(pathlib.Path(model))


def load_member(
    folder: str | os.PathLike,
    calibrated_like: str | os.PathLike | None = None,
    views: str | None = None,
    dataset: Dataset | None = None,
) -> Source:
    """Loads a member.

    Args:
        folder: Its folder.
        calibrated_like: Folder of another member, trained likewise, that held images out; None: the member is
            calibrated on the images that it held out itself, or, if there are none, on PublicTest.
        views: What it is asked about each face, as `fer_ensemble.members.views` names them; None: what its
            training left predictions of.
        dataset: `Dataset` that it was trained on, which other views take: it is calibrated with them.

    Returns:
        `Source`.

    Raises:
        UserError: If a file is not what the training wrote, or `calibrated_like` held no images out.
    """
    folder = pathlib.Path(folder)
    record, own, views = _read_finished(folder, views, dataset)
    directory.check_file(folder, record, directory.MODEL)
    parts, where = own, "the images that it held out"
    if calibrated_like is not None:
        other, parts, _ = _read_finished(pathlib.Path(calibrated_like), views, dataset)
        where = f"the images that its twin {_name(other)}, trained likewise, held out"
        if not _count_labelled(parts.get(OOF)):
            raise UserError(
                f"{calibrated_like} must be a member that held images out. Received: one that did not."
            )
    chosen_on = OOF if _count_labelled(parts.get(OOF)) else PUBLIC
    calibration, unsure_below = _calibrate(parts.get(chosen_on))
    facts = make_facts(
        record["class_names"],
        calibration,
        unsure_below,
        record["files"][directory.MODEL],
        {
            "kind": "member",
            "member": _name(record),
            "calibrated_on": where if chosen_on == OOF else PUBLIC,
            "calibration_images": _count_labelled(parts.get(chosen_on)),
            "views": views,
            **{key: record[key] for key in _PROVENANCE if key in record},
        },
    )
    rows = own[OOF].rows if _count_labelled(own.get(OOF)) else None
    return Source(str(folder), [_read_model(folder / directory.MODEL)], (1.0,), views, facts, rows)


def _read_finished(folder, views, dataset):
    """Returns a finished member's record, its predictions, checked, and the views that they are made with."""
    record = directory.read_record(folder, whole=True)
    directory.check_file(folder, record, directory.PREDICTIONS)
    member = Member(_run(record), record["settings"]["fold"], folder, record)
    views = views or own_views(member)
    if views == own_views(member):
        return record, read_predictions(folder / directory.PREDICTIONS)[0], views
    if dataset is None or dataset.fingerprint != record["data"]["fingerprint"]:
        raise UserError(
            f"expected the data that {folder} was trained on, to calibrate it with views {views}. "
            f"Received {'none' if dataset is None else 'other data'}. Give them with --data=..."
        )
    return record, member_predictions(member, dataset, Predictor(views)), views


def _name(record):
    return directory.member_name(record["settings"]["fold"], _run(record))


def _run(record):
    return directory.run_name(record["settings"]["model"], record["settings"]["replica"])


def _load_shipped():
    facts = read_facts(ASSETS / SHIPPED_ONNX)
    views = facts["provenance"].get("views", "none")
    return Source(SHIPPED, [_read_model(ASSETS / SHIPPED_NETWORK)], (1.0,), views, facts)


def _load_ensemble(folder):
    record = ensemble_file.read_record(folder)
    models, weights = [], []
    for name, weight in record.weights.items():
        path = folder / name / directory.MODEL
        if weight == 0:
            continue
        if not path.is_file():
            raise FileNotFoundError(f"There is no {path}, which {folder / ensemble_file.NAME} names.")
        if hash_file(path) != record.models[name]:
            raise UserError(
                f"{path} is not the network that {folder / ensemble_file.NAME} names (SHA-256). Choose weights "
                f"anew: python predict.py --ensemble {folder}"
            )
        models.append(_read_model(path))
        weights.append(weight)
    calibration = record.calibrations.all if record.calibrations else Calibration(0.0, 1.0)
    facts = make_facts(
        record.class_names,
        calibration,
        record.unsure_below,
        hash_file(folder / ensemble_file.NAME),
        {
            "kind": "ensemble",
            "members": [{"name": name, "weight": weight} for name, weight in record.weights.items()],
            "weights_from": record.weights_from,
            "chosen_on": record.chosen_on,
            "views": record.views,
            "data": record.data,
            "versions": record.versions,
        },
    )
    return Source(str(folder), models, tuple(weights), record.views, facts)


def _read_model(path):
    from fer_ensemble.members.saved_network import load_network

    return load_network(path)


def _count_labelled(part):
    return 0 if part is None else int((part.labels != UNLABELLED).sum())


def _calibrate(part):
    """Returns a `Calibration` and the threshold of the unsure, chosen on the labelled images of `Predictions`."""
    if not _count_labelled(part):
        return Calibration(0.0, 1.0), 0.5
    known = part.labels != UNLABELLED
    probabilities, labels = part.probabilities[known], part.labels[known]
    calibration = fit_calibration(probabilities, labels)
    return calibration, choose_unsure_below(calibration.apply(probabilities), labels)
