"""Soft targets: what networks say of training images that they did not see."""

import pathlib

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import TRAINING, Dataset
from fer_ensemble.data.fold_names import fold_name
from fer_ensemble.data.folds import load_folds
from fer_ensemble.members import directory
from fer_ensemble.members.predictions import read_predictions
from fer_ensemble.scoring.calibration import fit_calibration
from fer_ensemble.training.settings import FOLDS, TrainingSettings


def ask_teacher(
    settings: TrainingSettings, dataset: Dataset, path: pathlib.Path, own: np.ndarray
) -> tuple[np.ndarray, dict]:
    """Returns what the teacher that the settings name says of the images to train on.

    What the student holds out stays unknown to it. With fold 2 held out, an image of fold 0 is
    predicted by the networks that held out folds 0 and 2: they saw neither it nor what the student is tested on.

    Args:
        settings: `TrainingSettings` with a teacher.
        dataset: `Dataset`.
        path: The data set's `.h5` file, as for `load_folds`.
        own: int64, shape `(images,)`, positions in the data set of the images to train on, all labelled.

    Returns:
        `(probabilities, facts)`: float64, shape `(images, classes)`, the calibrated mean of the teacher's networks
        (calibrated on these very images, whose labels the student knows anyhow); and what the member's record says
        of the teacher, JSON values.

    Raises:
        FileNotFoundError: If the folder holds no such networks.
        UserError: If they are of other data, folds or classes, or damaged.
    """
    if settings.fold is None:
        from fer_ensemble.ensemble.oof import load_oof

        return load_oof(settings.teacher, dataset.rows[own], dataset.class_names, dataset.fingerprint)
    folds, fingerprint = load_folds(dataset, path, FOLDS, settings.fold_seed)
    own_folds = folds[np.searchsorted(dataset.split(TRAINING), own)]
    mean = np.zeros((len(own), len(dataset.class_names)))
    hashes = {}
    for fold in sorted(set(own_folds.tolist())):
        taught = own_folds == fold
        teachers = _find_teachers(settings.teacher, tuple(sorted((fold, settings.fold))))
        for folder in teachers:
            record = directory.read_record(folder)
            _check_teacher(folder, record, dataset, fingerprint)
            hashes[f"{folder.parent.name}/{folder.name}"] = record["files"][directory.MODEL]
            mean[taught] += _predictions_of(folder, record, dataset.rows[own][taught]) / len(teachers)
    calibration = fit_calibration(mean, dataset.labels[own])
    facts = {"models": hashes, "calibration": {name: float(value) for name, value in vars(calibration).items()}}
    return calibration.apply(mean), facts


def _find_teachers(folder, pair):
    teachers = [
        found
        for (_, fold), found in directory.find_folders(folder).items()
        if fold == pair and directory.is_complete(found)
    ]
    if not teachers:
        raise FileNotFoundError(
            f"There is no finished teacher in {pathlib.Path(folder) / f'exp_{fold_name(pair)}'}. Train those of "
            f"all pairs of folds first: bash splitscript.sh --folds=pairs --runs=cnn_0 --experiments={folder} ..."
        )
    return teachers


def _check_teacher(folder, record, dataset, fold_fingerprint):
    for what, own, wanted in (
        ("data", record["data"]["fingerprint"], dataset.fingerprint),
        ("folds", record["folds"]["fingerprint"], fold_fingerprint),
        ("classes", record["class_names"], list(dataset.class_names)),
    ):
        if own != wanted:
            raise UserError(
                f"The teacher {folder} must have the {what} of its student, but has others. Train it with the "
                "same --data, --classes and --fold_seed."
            )


def _predictions_of(folder, record, rows):
    directory.check_file(folder, record, directory.PREDICTIONS)
    part = read_predictions(folder / directory.PREDICTIONS)[0]["oof"]
    position_of = {row: position for position, row in enumerate(part.rows.tolist())}
    try:
        return part.probabilities[[position_of[row] for row in rows.tolist()]]
    except KeyError as error:
        raise UserError(f"The teacher {folder} must have predicted row {error}, which it held out.") from None
