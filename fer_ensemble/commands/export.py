"""Takes a network along: ONNX, LiteRT, SavedModel or Keras.

fer-ensemble export MODEL --format=onnx [--quantize=float16] [--output=FILE] [--data=fer2013.csv]

MODEL is `shipped`, the network that comes with this package; the folder of a finished member, as
experiments/exp_0/cnn_0; or the folder of an ensemble, as experiments, whose networks, weights and calibration
become one graph. What is written takes faces, uint8 of shape (n, 48, 48), and returns calibrated probabilities.

Each file is run in its own runtime and compared with its source before it is put in place: on the images of
PublicTest, where --data is given, else on 500 drawn faces.

  fer-ensemble export shipped --format=litert --quantize=int8 --data=fer2013.csv
  fer-ensemble export experiments --format=onnx --quantize=float16 --output=ensemble.onnx

The network that ships, int8, was made of a finished member with

  fer-ensemble export experiments/student_photos/exp_none/resnet9_0 --asset --data=fer2013.csv
"""

import pathlib

from absl import flags

from fer_ensemble.base.errors import UserError
from fer_ensemble.export.comparison import describe
from fer_ensemble.export.exporting import FORMATS, check_request, choose_test_faces, export
from fer_ensemble.export.needs import check_packages
from fer_ensemble.export.source_loading import ASSETS, find_source, load_source
from fer_ensemble.members import directory
from fer_ensemble.members.views import VIEWS


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_enum("format", "onnx", list(FORMATS), "What is written: a file, or for savedmodel a folder.")
    flags.DEFINE_enum(
        "quantize",
        "none",
        sorted({name for one in FORMATS.values() for name in one.quantizations}),
        "How the weights are stored. none: float32; float16 (onnx, litert): half as large, computed in float32; "
        "int8_weights (litert): a quarter, computed in float32; int8 (onnx, litert): the convolutions compute in "
        "integers, too; takes --data.",
    )
    flags.DEFINE_string("output", "", "File or folder to write; empty: named after MODEL, here.")
    flags.DEFINE_string("data", "", "FER2013, or data of one's own, as for training: to compare on, and for int8.")
    flags.DEFINE_boolean(
        "asset",
        False,
        "Make MODEL, a member, the network that ships: network.onnx (int8), network.keras, card.json and card.md "
        "in --output, by default this package's assets. Takes --data, and heeds --most_loss.",
    )
    flags.DEFINE_string(
        "calibrated_like",
        "",
        "For --asset: folder of a member of the same settings that held images out, to take the calibration of a "
        "network that held none out from; empty: it is chosen on PublicTest, and the card says so.",
    )
    flags.DEFINE_enum(
        "tta",
        "auto",
        ["auto", *VIEWS],
        "For a member: the views of a face whose probabilities it averages, as of model_train.py; flip takes "
        "twice and shifts ten times as long as none; auto: as its training did. Others than that take --data.",
    )
    flags.DEFINE_float("most_loss", 0.5, "Most points of accuracy on PublicTest that an int8 export may lose.")


def main(arguments: list[str]) -> None:
    """Exports what the arguments name."""
    given = flags.FLAGS
    if len(arguments) != 1:
        raise UserError(
            "expected one MODEL: shipped, the folder of a member, or that of an ensemble. "
            f"Received: {' '.join(arguments) or 'none'}."
        )
    check_packages(given.format, given.quantize)
    if given.asset:
        return _ship(arguments[0], given)
    # First what is told at once: to read data takes a minute, to import Keras seconds.
    networks = find_source(arguments[0], _views(given))
    output = pathlib.Path(given.output or _name(arguments[0], given.format, given.quantize))
    check_request(output, given.format, given.quantize, networks, bool(given.data))
    dataset = None
    if given.data:
        from fer_ensemble.data.store import load_dataset

        dataset = load_dataset(given.data)
    source = load_source(arguments[0], _views(given), dataset)
    test = choose_test_faces(source, dataset) if dataset else None
    comparison = export(source, output, given.format, given.quantize, test, given.most_loss)
    size = sum(file.stat().st_size for file in ([output] if output.is_file() else output.rglob("*")))
    print(describe(comparison))
    print(f"written: {output}, {size / 1e6:.2f} MB")


def _ship(folder, given):
    if not given.data:
        raise UserError("`asset` needs --data, FER2013, to say on the card how good the network is.")
    if given.format != "onnx" or given.quantize not in ("none", "int8"):
        raise UserError(
            "`asset` writes ONNX, int8, whatever else is asked for. "
            f"Received: --format={given.format} --quantize={given.quantize}."
        )
    output = pathlib.Path(given.output or ASSETS)
    like = given.calibrated_like or None
    for member in filter(None, (folder, like)):
        directory.read_record(pathlib.Path(member), whole=True)
    from fer_ensemble.classifier.shipped_card import format_card
    from fer_ensemble.data.store import load_dataset
    from fer_ensemble.export.shipping import ship

    card = ship(folder, load_dataset(given.data), output, like, _views(given), given.most_loss)
    print(format_card(card))
    print(f"written to {output}")


def _views(given):
    return None if given.tta == "auto" else given.tta


def _name(model, format, quantize):
    stem = pathlib.Path(model).resolve().name if model != "shipped" else "fer_ensemble"
    kind = "" if quantize == "none" else f"_{quantize}"
    return f"{stem}{kind}{FORMATS[format].suffix or '_savedmodel'}"


if __name__ == "__main__":
    from fer_ensemble.commands import edge

    define_flags()
    edge.run(main)
