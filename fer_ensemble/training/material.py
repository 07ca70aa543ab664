"""What a network learns from: images, and what it is to say of each."""

import pathlib

import numpy as np

from fer_ensemble.data.dataset import Dataset
from fer_ensemble.training.extra_data import read_extra_data
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.targets import choose_targets
from fer_ensemble.training.teacher import ask_teacher


def gather_material(
    settings: TrainingSettings, dataset: Dataset, path: pathlib.Path, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, dict]]:
    """Gathers the images to train on with their targets: labels or votes, a teacher's word, further data.

    Args:
        settings: `TrainingSettings`.
        dataset: `Dataset`.
        path: The data set's `.h5` file, as for `load_folds`.
        own: int64, shape `(images,)`, positions in the data set of the images to train on, all labelled.

    Returns:
        `(images, targets, sources)`: uint8 of shape `(n, 48, 48)`, the own images and then the further ones;
        float64 of shape `(n, classes)`, each row with the sum 1; and what the member's record says of the teacher
        and of the further data, by the names of their settings.

    Raises:
        FileNotFoundError, UserError: As `ask_teacher` and `read_extra_data`; or if votes are asked for and there
            are none.
    """
    votes = None if dataset.votes is None else dataset.votes[own]
    images = dataset.images[own]
    targets = choose_targets(dataset.labels[own], votes, dataset.class_names, settings.labels)
    sources = {}
    if settings.teacher:
        taught, sources["teacher"] = ask_teacher(settings, dataset, path, own)
        targets = (1 - settings.teacher_share) * targets + settings.teacher_share * taught
    if settings.extra_data:
        more, labels, sources["extra_data"] = read_extra_data(settings.extra_data, dataset, own)
        images = np.concatenate([images, more])
        targets = np.concatenate([targets, choose_targets(labels, None, dataset.class_names, "fer2013")])
    return images, targets, sources
