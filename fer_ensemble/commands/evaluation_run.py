"""Asking one network about all faces that are wanted, and writing what was found."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

import numpy as np

from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.json_files import read_json
from fer_ensemble.base.network_protocol import Network
from fer_ensemble.base.progress_bar import ProgressBar
from fer_ensemble.commands.evaluation_options import EvaluationOptions
from fer_ensemble.commands.named_networks import NamedNetwork
from fer_ensemble.data.dataset import SPLITS, UNLABELLED
from fer_ensemble.data.store import load_dataset
from fer_ensemble.ensemble import ensemble_file
from fer_ensemble.evaluation.answers import ask, check_classes
from fer_ensemble.evaluation.faceless import cut_patches, describe_faceless, draw_faceless
from fer_ensemble.evaluation.network_scores import describe_network
from fer_ensemble.evaluation.robustness import (
    CONDITIONS,
    FORMAT_VERSION,
    answer_corrupted,
    check_baseline,
    compare_with_baseline,
    describe_robustness,
    fingerprint_faces,
    read_known,
    table_of,
)
from fer_ensemble.evaluation.voters import describe_agreement
from fer_ensemble.report.csv_tables import write_csv
from fer_ensemble.report.galleries import Gallery

FACELESS_CROPS = 200  # of each kind
SHIPPED_BASELINE = pathlib.Path(__file__).parents[1] / "evaluation" / "baseline.json"
RESULTS = "evaluation"


@dataclasses.dataclass(frozen=True)
class Faces:
    """The labelled faces that are asked about.

    Attributes:
        images: uint8, shape `(images, 48, 48)`.
        labels: int64, shape `(images,)`.
        class_names: Tuple of names in label order.
        origin: What they are, in words.
        votes: The FER+ votes for the images, uint8, shape `(images, 10)`, or None.
        fingerprint: SHA-256 of images, labels and seed.
        faceless: Dict from a kind of crops without a face to uint8, shape `(crops, 48, 48)`.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    origin: str
    votes: np.ndarray | None
    fingerprint: str
    faceless: dict


def load_faces(options: EvaluationOptions, class_names: Sequence[str]) -> Faces:
    """Loads the labelled faces of a split, in the order of the class names, and draws the crops without a face.

    Raises:
        FileNotFoundError: If an input is missing.
        UserError: If it is not what it should be, or has no such labelled faces.
    """
    dataset = load_dataset(options.data, list(class_names))
    chosen = np.flatnonzero((dataset.usage == SPLITS.index(options.split)) & (dataset.labels != UNLABELLED))
    if not len(chosen):
        raise UserError(
            f"{options.data} must have labelled faces in {options.split}. Received: none. Choose another --split."
        )
    origin = options.split
    if options.images and options.images < len(chosen):
        origin = f"{options.images:,} of the {len(chosen):,} of {options.split}"
        chosen = np.sort(np.random.default_rng(options.seed).choice(chosen, options.images, replace=False))
    images, labels = dataset.images[chosen], dataset.labels[chosen].astype(np.int64)
    crops = draw_faceless(images, FACELESS_CROPS, options.seed)
    if options.faceless:
        crops["patches of pictures"] = cut_patches(
            _read_pictures(pathlib.Path(options.faceless)), FACELESS_CROPS, options.seed
        )
    fingerprint = fingerprint_faces(images, labels, options.seed)
    votes = None if dataset.votes is None else dataset.votes[chosen]
    return Faces(images, labels, dataset.class_names, origin, votes, fingerprint, crops)


def evaluate_network(named: NamedNetwork, faces: Faces, options: EvaluationOptions, folder: pathlib.Path) -> dict:
    """Asks a network, writes `evaluation.json`, and `robustness.json` and `.csv` where that is wanted.

    A `robustness.json` that is there already, of the same network on the same faces, is taken as it is.

    Args:
        named: `NamedNetwork`.
        faces: `Faces`.
        options: `EvaluationOptions`.
        folder: `pathlib.Path`, made where it is missing.

    Returns:
        Dict: `scores` as in `evaluation.json`, `robustness` as in `robustness.json` or None, `probabilities`,
        float32 of shape `(images, classes)`.
    """
    network = named.network
    check_classes(network, faces.class_names, named.name)
    baseline = _find_baseline(options, faces) if options.robustness else None  # what is wrong with it comes first
    folder.mkdir(parents=True, exist_ok=True)
    probabilities = ask(network, faces.images, faces.class_names).probabilities
    unsure_below = float(network.unsure_below)
    without = {
        kind: ask(network, crops, faces.class_names).probabilities for kind, crops in faces.faceless.items()
    }
    scores = {
        "network": {"name": named.name, "sha256": named.sha256, "bytes": named.bytes, "about": network.about},
        "faces": faces.origin,
        "faces_sha256": faces.fingerprint,
        "class_names": list(faces.class_names),
        **describe_network(probabilities, faces.labels, faces.class_names, unsure_below),
        "label_agreement": describe_agreement(faces.labels, faces.votes, faces.class_names),
        "faceless": describe_faceless(without, faces.class_names, unsure_below, probabilities, faces.labels),
    }
    write_text(folder / "evaluation.json", json.dumps(scores, indent=2) + "\n")
    robustness = _measure_robustness(named, faces, options.seed, folder, baseline) if options.robustness else None
    return {"scores": scores, "robustness": robustness, "probabilities": probabilities}


def choose_folder(named: NamedNetwork, options: EvaluationOptions) -> pathlib.Path:
    """Returns the folder for a network's results."""
    if options.output:
        return pathlib.Path(options.output) / named.name
    if named.path is not None and named.path.is_dir() and (named.path / ensemble_file.NAME).is_file():
        return named.path
    return pathlib.Path(RESULTS) / named.name


def explain_faces(network: Network, faces: Faces, probabilities: np.ndarray) -> Gallery:
    """Returns a `Gallery` of faces with what spoke for the network's answer."""
    from fer_ensemble.report.explained_faces import show_explained

    # A network may have its classes in an order of its own.
    order = [faces.class_names.index(name) for name in network.class_names]
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    return show_explained(
        network, faces.images, position[faces.labels], probabilities[:, order], tuple(network.class_names)
    )


def _measure_robustness(named, faces, seed, folder, baseline):
    path = folder / "robustness.json"
    known = read_known(path, named.sha256)
    if known is None or known["faces_sha256"] != faces.fingerprint:
        robustness = compare_with_baseline(_ask_corrupted(named, faces, seed), baseline)
    else:
        robustness = compare_with_baseline(known, baseline)
    if robustness != known:
        write_text(path, json.dumps(robustness, indent=1) + "\n")
        header, *rows = table_of(robustness)
        write_csv(folder / "robustness.csv", header, rows)
    return robustness


def _ask_corrupted(named, faces, seed):
    with ProgressBar(f"{named.name}: FER2013-C", "conditions", len(CONDITIONS)) as progress:
        answers = answer_corrupted(
            named.network, faces.images, faces.class_names, seed, lambda name, strength: progress.add(1)
        )
    unsure_below = float(named.network.unsure_below)
    return {
        "format_version": FORMAT_VERSION,
        "network": {"name": named.name, "sha256": named.sha256},
        "faces": faces.origin,
        "faces_sha256": faces.fingerprint,
        "images": len(faces.images),
        "seed": seed,
        "class_names": list(faces.class_names),
        "unsure_below": unsure_below,
        **describe_robustness(answers, faces.labels, unsure_below),
    }


def _find_baseline(options, faces):
    """The baseline that was asked for, or the one that ships if it was asked about the same faces; else None."""
    path = pathlib.Path(options.baseline) if options.baseline else SHIPPED_BASELINE
    if not options.baseline and not path.is_file():
        return None
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    fix = "Make one: fer-ensemble evaluate MODEL --data=... --robustness"
    baseline = check_baseline(read_json(path, "a robustness.json", fix), path)
    faultless = [name for name, one in baseline["corruptions"].items() if not one["error"]]
    if faultless:
        raise UserError(
            f"{path} must have errors under each corruption, which others are divided by. Received: none under "
            f"{', '.join(faultless)}. Ask both about more --images."
        )
    if baseline["faces_sha256"] == faces.fingerprint:
        return baseline
    if options.baseline:
        raise UserError(
            f"{path} must be of the same faces and seed as --data, --split, --images and --seed give. "
            f"Received: {baseline['faces']}, seed {baseline['seed']}."
        )
    return None


def _read_pictures(folder):
    from fer_ensemble.data.readers.pictures import read_picture

    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    suffixes = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
    if not paths:
        raise UserError(f"--faceless must be a folder of pictures. Received: {folder}, in which there are none.")
    weights = np.array([0.299, 0.587, 0.114])  # grey as FER2013's, ITU-R 601
    # One crop is cut from each, so that no more are needed, however many there are.
    return [np.rint(read_picture(path) @ weights).astype(np.uint8) for path in paths[:FACELESS_CROPS]]
