"""Exports: written aside, run in their own runtime, compared with their source, and only then put in place."""

import dataclasses
import errno
import json
import os
import pathlib
import tempfile

import numpy as np

from fer_ensemble.base.atomic_files import replace_folder, write_text
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import PUBLIC_TEST, TRAINING, UNLABELLED, Dataset
from fer_ensemble.export import runtimes
from fer_ensemble.export.comparison import Comparison, check, compare
from fer_ensemble.export.onnx_file import write_onnx
from fer_ensemble.export.source import Source

FACES = 500  # that each export is run on, where no data set is given
CALIBRATION_FACES = 100  # more gained nothing
FACTS_NAME = "fer_ensemble.json"
_SAVED_MODEL = {"saved_model.pb", "fingerprint.pb", "variables", "assets", FACTS_NAME}


@dataclasses.dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        suffix: Of the file's name; empty for a folder.
        quantizations: What `--quantize` may be.
        open: Function of `fer_ensemble.export.runtimes` that opens it.
        several: Whether a whole ensemble can be put into it.
    """

    suffix: str
    quantizations: tuple
    open: object
    several: bool


FORMATS = {
    "onnx": Format(".onnx", ("none", "float16", "int8"), runtimes.open_onnx, True),
    "litert": Format(".tflite", ("none", "float16", "int8_weights", "int8"), runtimes.open_litert, False),
    "savedmodel": Format("", ("none",), runtimes.open_saved_model, True),
    "keras": Format(".keras", ("none",), runtimes.open_keras, False),
}


@dataclasses.dataclass(frozen=True)
class TestFaces:
    """What exports are calibrated and compared on.

    Attributes:
        faces: uint8, shape `(faces, 48, 48)`: the exported file is compared with its source on these.
        labels: Int array of shape `(faces,)`, -1 where there is no label that says anything.
        calibration: uint8, shape `(faces, 48, 48)`: what ranges of integers are measured on. None without data.
    """

    faces: np.ndarray
    labels: np.ndarray
    calibration: np.ndarray | None

    __test__ = False  # pytest takes it for a test


def choose_test_faces(source: Source, dataset: Dataset | None = None) -> TestFaces:
    """Chooses the faces that an export is compared on: PublicTest's, or, without data, drawn ones.

    Args:
        source: `Source`.
        dataset: `fer_ensemble.data.dataset.Dataset`, or None.

    Returns:
        `TestFaces`. Those for calibration are training faces, of a member those that it held out.

    Raises:
        UserError: If the data set has other classes, or no PublicTest.
    """
    if dataset is None:
        from fer_ensemble.data.drawn_faces import draw_sample

        faces = draw_sample(FACES)[0]
        # Their labels say nothing of a network that learnt from photos.
        return TestFaces(faces, np.full(len(faces), UNLABELLED), None)
    if list(dataset.class_names) != source.facts["class_names"]:
        raise UserError(
            f"`data` must have the classes of {source.name}, {', '.join(source.facts['class_names'])}. Received: "
            f"{', '.join(dataset.class_names)}."
        )
    tested, training = dataset.split(PUBLIC_TEST), dataset.split(TRAINING)
    if len(tested) == 0:
        raise UserError("`data` must have images in PublicTest, to compare exports on. Received: none.")
    if source.held_out is not None:
        held_out = training[np.isin(dataset.rows[training], source.held_out)]
        training = held_out if len(held_out) else training
    chosen = np.random.default_rng(0).permutation(training)[:CALIBRATION_FACES]
    return TestFaces(dataset.images[tested], dataset.labels[tested], dataset.images[chosen])


def export(
    source: Source,
    output: str | os.PathLike,
    format: str,
    quantize: str = "none",
    test: TestFaces | None = None,
    most_loss: float = 0.5,
) -> Comparison:
    """Exports a network or an ensemble.

    Args:
        source: `Source`.
        output: Path of the file, or, for a SavedModel, the folder. What is there is replaced.
        format: One of `FORMATS`.
        quantize: One of the format's `quantizations`.
        test: `TestFaces`; None for drawn ones.
        most_loss: Most points of accuracy that an int8 export may lose.

    Returns:
        `Comparison` of the written file with its source.

    Raises:
        UserError: If format and `quantize` do not go together, or the file differs by more than it may
            (`fer_ensemble.export.comparison.check`); then nothing is written.
    """
    output = pathlib.Path(output)
    labelled = test is not None and bool((test.labels != UNLABELLED).any())
    check_request(output, format, quantize, len(source.models), labelled)
    # Keras and what it computes on, which take seconds to import.
    from fer_ensemble.export.graph import build_graph
    from fer_ensemble.export.litert_file import write_litert

    test = test or choose_test_faces(source)
    graph = build_graph(source.models, source.weights, source.calibration, source.views)
    kind = FORMATS[format]
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.stem}.") as folder:
        written = pathlib.Path(folder) / f"export{kind.suffix}"
        if format == "onnx":
            write_onnx(graph, written, source.facts, quantize, test.calibration)
        elif format == "litert":
            write_litert(graph, written, quantize, test.calibration)
        elif format == "savedmodel":
            _write_saved_model(graph, written)
        else:
            graph.save(written)
        probabilities = runtimes.predict(kind.open(written), test.faces)
        comparison = compare(source.predict(test.faces), probabilities, test.labels)
        check(comparison, quantize, most_loss)
        facts = json.dumps({**source.facts, "quantize": quantize}, indent=2) + "\n"
        if format == "savedmodel":
            write_text(written / FACTS_NAME, facts)
            replace_folder(written, output)
        elif format == "onnx":  # which has them inside
            written.replace(output)
        else:  # at no moment may old facts stand beside a new network
            beside = output.with_name(f"{output.name}.json")
            beside.unlink(missing_ok=True)
            written.replace(output)
            write_text(beside, facts)
    return comparison


def _write_saved_model(graph, folder):
    """Writes it; TensorFlow, which does so itself, has errors of its own for what the disk refuses."""
    try:
        graph.export(folder, format="tf_saved_model", verbose=False)
    except Exception as error:
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            if os.strerror(number) in str(error):
                raise OSError(number, os.strerror(number), str(folder)) from error
        raise


def check_request(
    output: str | os.PathLike, format: str, quantize: str, networks: int = 1, labelled: bool = True
) -> None:
    """Checks what can be checked before anything heavy is read or imported.

    Args:
        output: As for `export`, like `format` and `quantize`.
        networks: How many networks are exported as one.
        labelled: Whether there are labelled faces to compare on.

    Raises:
        UserError: If these do not go together, or `output` holds what is not to be replaced.
    """
    output = pathlib.Path(output)
    if format not in FORMATS:
        raise UserError(f"`format` must be among {', '.join(FORMATS)}. Received: {format}.")
    kind = FORMATS[format]
    if quantize not in kind.quantizations:
        raise UserError(
            f"`quantize` must be among {', '.join(kind.quantizations)} for {format}. Received: {quantize}."
        )
    if networks > 1 and not kind.several:
        able = ", ".join(name for name, one in FORMATS.items() if one.several)
        raise UserError(f"A whole ensemble is exported as {able}. Received: {format}. Export one member, or so.")
    if quantize.startswith("int8") and not labelled:
        raise UserError(
            f"{quantize} is held to an accuracy, and so needs labelled faces. Give the data set with --data."
        )
    if kind.suffix and output.suffix != kind.suffix:
        raise UserError(f"`output` must end in {kind.suffix} for {format}. Received: {output}.")
    if kind.suffix and output.exists() and not output.is_file():
        raise UserError(f"`output` must be a file for {format}. Received: {output}, a folder or device.")
    if not kind.suffix and output.exists():
        others = set(os.listdir(output)) - _SAVED_MODEL if output.is_dir() else {output.name}  # noqa: PTH208
        if others or not (output / "saved_model.pb").is_file():
            raise UserError(
                f"`output` must be a new folder, or a SavedModel alone to replace. Received: {output}"
                f"{', with ' + ', '.join(sorted(others)[:3]) if others else ''}."
            )
