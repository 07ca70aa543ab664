"""Predicting people's own photos with a saved ensemble: as `fer-ensemble label` does it, with its outputs."""

import functools
import os
import pathlib
from collections.abc import Sequence

from fer_ensemble.base import streams
from fer_ensemble.base.errors import UserError
from fer_ensemble.classifier.classifier import Classifier
from fer_ensemble.commands.label import LabelOptions
from fer_ensemble.commands.label_inputs import list_inputs
from fer_ensemble.commands.label_run import label
from fer_ensemble.ensemble.saved import Ensemble

NAME = "photos.csv"


def check_photos(paths: Sequence[str | os.PathLike]) -> None:
    """Checks that all photos and folders are there, before an ensemble is loaded for them.

    Raises:
        FileNotFoundError: If one is not.
        UserError: If there is no photo in them.
    """
    for path in map(pathlib.Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"There is no photo or folder {path}.")
    if not list_inputs([str(path) for path in paths]):
        raise UserError("`images` must name at least one readable photo (jpg, png, ...). Received: none.")


def report_photos(
    network: Ensemble,
    paths: Sequence[str | os.PathLike],
    output: pathlib.Path,
    views: str | None = None,
    faces: str = "detect",
) -> int:
    """Finds the faces in photos, prints a table, and writes `photos.csv`, as `fer-ensemble label --csv` has it.

    Args:
        network: `fer_ensemble.ensemble.saved.Ensemble`.
        paths: Paths of photos and of folders of photos.
        output: Folder for `photos.csv`. One that cannot be written costs the file, not the answers.
        views: Views of each face, as for `--tta`; None: the ensemble's own.
        faces: "detect" searches for faces; "whole" takes each photo for one face that fills it, as FER2013's do.

    Returns:
        The exit code: 1 if not one photo could be read.
    """
    path = output / NAME
    try:
        output.mkdir(parents=True, exist_ok=True)
        with path.open("a"):
            pass
    except OSError as error:
        streams.tell(f"not written to {path} ({error.strerror or error}): give a folder with --output")
        path = ""
    options = LabelOptions(csv=str(path), overwrite=True, faces=faces)
    return label([str(one) for one in paths], options, Classifier(_WithViews(network, views)))


class _WithViews:
    """The ensemble, asked for these views of each face."""

    def __init__(self, ensemble, views):
        self.class_names, self.about, self.unsure_below = (
            ensemble.class_names,
            ensemble.about,
            ensemble.unsure_below,
        )
        self.predict = functools.partial(ensemble.predict, views=views)
