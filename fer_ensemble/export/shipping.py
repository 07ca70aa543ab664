"""How a trained member becomes the network that ships: its ONNX file, its Keras file and its card."""

import json
import os
import pathlib
import platform
import time

import numpy as np

from fer_ensemble.base.atomic_files import hash_file, replacing, write_text
from fer_ensemble.base.errors import UserError
from fer_ensemble.classifier.shipped_card import CARD_JSON, CARD_TEXT, format_card
from fer_ensemble.data.dataset import PUBLIC_TEST, Dataset
from fer_ensemble.evaluation.latency import measure_latency
from fer_ensemble.export import runtimes
from fer_ensemble.export.card import make_card
from fer_ensemble.export.exporting import choose_test_faces, export
from fer_ensemble.export.source_loading import SHIPPED_NETWORK, SHIPPED_ONNX, load_member
from fer_ensemble.members import directory
from fer_ensemble.models.device import describe_device

MOST_PARAMETERS = 1_000_000
MOST_BYTES = 2_000_000
QUANTIZE = "int8"
ROUNDS = 31


def ship(
    folder: str | os.PathLike,
    dataset: Dataset,
    assets: str | os.PathLike,
    calibrated_like: str | os.PathLike | None = None,
    views: str | None = None,
    most_loss: float = 0.5,
) -> dict:
    """Writes what ships: `network.onnx` (int8), `network.keras`, `card.json` and `card.md`.

    Args:
        folder: A finished member's folder.
        dataset: `Dataset`, FER2013.
        assets: Folder to write to.
        calibrated_like: Folder of a member of the same settings that held images out, whose calibration the
            network gets; None for its own, chosen on the images that it held out, or, where there are none, on
            PublicTest.
        views: As for `fer_ensemble.export.source_loading.load_member`.
        most_loss: Most points of accuracy that int8 may lose.

    Returns:
        The card, a dictionary.

    Raises:
        UserError: If the network has more than a million parameters, its file more than 2 MB, or int8 loses more.
    """
    folder, assets = pathlib.Path(folder), pathlib.Path(assets)
    source = load_member(folder, calibrated_like, views, dataset)
    parameters = source.models[0].count_params()
    if parameters > MOST_PARAMETERS:
        raise UserError(f"expected a network of at most 1,000,000 parameters to ship. Received: {parameters:,}.")
    assets.mkdir(parents=True, exist_ok=True)
    output = assets / SHIPPED_ONNX
    test = choose_test_faces(source, dataset)
    export(source, output, "onnx", QUANTIZE, test, most_loss)
    if output.stat().st_size > MOST_BYTES:
        raise UserError(f"expected a file of at most 2 MB to ship. Received: {output.stat().st_size:,} bytes.")
    with replacing(assets / SHIPPED_NETWORK) as temporary:
        temporary.write_bytes((folder / directory.MODEL).read_bytes())
    card = make_card(
        source,
        dataset,
        runtimes.predict(runtimes.open_onnx(output), test.faces),
        {
            "name": output.name,
            "quantize": QUANTIZE,
            "bytes": output.stat().st_size,
            "sha256": hash_file(output),
        },
        measure_speed(output, dataset.images[dataset.split(PUBLIC_TEST)]),
    )
    write_text(assets / CARD_JSON, json.dumps(card, indent=2) + "\n")
    write_text(assets / CARD_TEXT, format_card(card))
    return card


def measure_speed(path: pathlib.Path, faces: np.ndarray, rounds: int = ROUNDS) -> dict:
    """Measures an ONNX file on one thread, for the card: see `make_card`.

    What is measured is time of the processor, which is what it takes on a machine that does nothing else.

    Args:
        path: Path of the file.
        faces: uint8, shape `(faces, 48, 48)`, at least one.
        rounds: How often each is measured; the medians count.
    """
    import onnxruntime

    networks = {"onnx": runtimes.open_onnx(path, threads=1)}
    found = measure_latency(networks, faces, rounds, time.process_time)["onnx"]
    return {
        **{name: round(milliseconds, 3) for name, milliseconds in found.items()},
        "runtime": f"ONNX Runtime {onnxruntime.__version__}",
        "threads": 1,
        "processor": describe_device().rpartition(",")[0],
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
