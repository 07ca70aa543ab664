"""One network scored with the tables and the page of an ensemble: alone, or beside one."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.network_protocol import Network
from fer_ensemble.commands.named_networks import SHIPPED, load_networks
from fer_ensemble.commands.result_folder import write_result_folder
from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.dataset import SPLITS, TRAINING, Dataset
from fer_ensemble.data.store import load_dataset
from fer_ensemble.ensemble.parts import OOF, Part
from fer_ensemble.evaluation.answers import ask, check_classes
from fer_ensemble.evaluation.part_scores import describe_part
from fer_ensemble.evaluation.predicted_images import describe_copies, positions_of, votes_of
from fer_ensemble.evaluation.report_numbers import make_report
from fer_ensemble.members.directory import MODEL
from fer_ensemble.report.score_tables import format_report


@dataclasses.dataclass(frozen=True)
class SingleNetwork:
    """A network that is scored.

    Attributes:
        name: What it is called in the tables: the name of its file.
        network: What answers (see `fer_ensemble.base.network_protocol.Network`).
        facts: `file`, `sha256`, and `trained_on`, in words, where that is known.
    """

    name: str
    network: Network
    facts: dict


def load_single(path: str) -> SingleNetwork:
    """Loads the network that `--network` names: a `.keras` or `.onnx` file, `shipped`, or a `.py` adapter.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is no such network.
    """
    if path != SHIPPED and pathlib.Path(path).exists() and not pathlib.Path(path).is_file():
        raise UserError(f"`network` must be the file of one network. Received: {path}, a folder, pipe or device.")
    named = load_networks([path])[0]
    network = named.network
    data = network.about.get("data") or (network.about.get("provenance") or {}).get("data") or {}
    trained_on = data.get("name") if isinstance(data, dict) else None
    parts = pathlib.Path(path).absolute().parts
    name = path if path == SHIPPED else "/".join(parts[-3:] if parts[-1] == MODEL else parts[-1:])
    return SingleNetwork(name, network, {"file": path, "sha256": named.sha256, "trained_on": trained_on})


def stand_beside(parts: dict, single: SingleNetwork, dataset: Dataset | None, class_names: Sequence[str]) -> dict:
    """Returns the parts of an ensemble with what a network says of the test images; it may know the others."""
    if dataset is None:
        raise UserError("`network` takes the images: give them with --data.")
    check_classes(single.network, class_names, single.name)
    joined = {}
    for name, part in parts.items():
        probabilities = np.full((len(part.rows), len(class_names)), np.nan)
        if name != OOF:
            images = dataset.images[positions_of(dataset, part.rows)]
            probabilities = ask(single.network, images, class_names).probabilities.astype(np.float64)
        joined[name] = dataclasses.replace(part, others={single.name: probabilities})
    return joined


def report_network(single: SingleNetwork, splits: list[str], data: str, output: str) -> None:
    """Scores a network on the test splits of a data set, prints tables and writes results.

    Args:
        single: `SingleNetwork`.
        splits: Names of the splits; `oof` is left out, as it may have been trained on these images.
        data: What `load_dataset` takes.
        output: Folder for the results; without one nothing is written.

    Raises:
        UserError: If there are no data, no images in the splits, or other classes.
    """
    if not data:
        raise UserError("`network` takes the images: give them with --data.")
    dataset = load_dataset(data, ",".join(single.network.class_names))
    class_names = list(dataset.class_names)
    check_classes(single.network, class_names, single.name)
    groups = find_copies(dataset.images)
    in_training = np.isin(groups, groups[dataset.usage == TRAINING])
    parts = {}
    for name in splits:
        positions = np.flatnonzero(dataset.usage == SPLITS.index(name)) if name != OOF else []
        if len(positions):
            answers = ask(single.network, dataset.images[positions], class_names).probabilities
            parts[name] = Part(
                rows=dataset.rows[positions],
                labels=dataset.labels[positions],
                copies=in_training[positions],
                members={},
                runs=np.empty((0, len(positions), len(class_names))),
                ensemble=answers.astype(np.float64),
            )
    if not parts:
        raise UserError(
            f"{data} must have images of PublicTest or PrivateTest, as far as --splits names them. Received: none."
        )
    report = make_report(
        class_names,
        {"name": data, "images": len(dataset.images), "fingerprint": dataset.fingerprint},
        [],
        networks={single.name: single.facts},
        unsure_below=single.network.unsure_below,
        calibrated=bool(single.network.about.get("calibration")),
        copies=describe_copies(dataset),
        splits={
            name: describe_part(part, [], np.zeros(0), None, class_names, votes_of(part, dataset))
            for name, part in parts.items()
        },
    )
    if output:
        known = dict.fromkeys(parts, dataset)
        write_result_folder(pathlib.Path(output), report, parts, known, None, False, [], {})
    print(format_report(report))
    print(f"written to {output}" if output else "nothing is written: --output names a folder for the results")
