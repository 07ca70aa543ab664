"""Predicts with the whole ensemble: combines its members, scores them, and writes the results.

The members' predictions are files that their trainings left, so that this takes seconds and can be repeated
with other weights. With --images it runs the networks on the faces in photos.

Examples:

  python predict.py --ensemble experiments/                    tables, report.html, predictions.csv, scores.json
  python predict.py --ensemble experiments/ --weights=equal    every run counts the same
  python predict.py --ensemble experiments/ --data=fer2013.csv    with faces in the report
  python predict.py --ensemble experiments/ --data=other.csv   the test splits of another data set
  python predict.py --ensemble experiments/ --images me.jpg holidays/
  python predict.py --network=face.onnx --data=fer2013.csv     one network, with the same tables
"""

import dataclasses
import pathlib

from absl import flags

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.setting_fields import setting
from fer_ensemble.commands import edge
from fer_ensemble.members.views import VIEWS
from fer_ensemble.training.settings import PRECISIONS


@dataclasses.dataclass(frozen=True)
class PredictOptions:
    """What is predicted, by which members, and how they are combined."""

    ensemble: str = setting("experiments", "Folder of the members, exp_<fold>/<run>/ in it.")
    runs: str = setting(
        "",
        "Comma-separated runs to combine, each with its 4 folds; empty: cnn_0, cnn_1, resnet_0, resnet_1 and "
        "whatever other runs the folder holds.",
    )
    folds: str = setting(
        "auto",
        "Which members. all: those of the 4 folds; none: those of --fold=none, one of each run; auto: those that "
        "the folder holds. They never vote together.",
        choices=("auto", "all", "none"),
    )
    weights: str = setting(
        "auto",
        "auto: those of the saved ensemble, ensemble.json, if it is of these members; else oof if images were "
        "held out, else equal. equal: every run counts the same; oof: the weights of the runs, each calibrated, "
        "with the smallest log-loss on out-of-fold predictions; greedy: 25 runs, each the one that helps the "
        "out-of-fold accuracy most; public: a weight for each member, chosen on PublicTest, which then tests "
        "nothing; or a JSON file "
        'like {"cnn_0": 1, "cnn_1": 1, "resnet_0": 2, "resnet_1": 2}.',
    )
    calibrate: bool = setting(
        False,
        "Write probabilities that mean what they say, by a calibration that is chosen out of fold; not: the "
        "members' plain average. The predicted classes are the same. Photos' are always calibrated.",
    )
    splits: str = setting(
        "OOF,PublicUse,PrivateUse",
        "Comma-separated: OOF (every training image, by the members that never saw it), PublicUse (also called "
        "PublicTest), PrivateUse (also called PrivateTest).",
    )
    data: str = setting(
        "",
        "The data set to predict, as for model_train.py; empty: the one that the members were trained on, whose "
        "predictions are there already. Of another data set, the test splits are predicted.",
    )
    tta: str = setting(
        "auto",
        "Views of each face to average over. auto: those that the members were trained with (for photos: that the "
        "ensemble was saved with); none: the face alone; flip: and its mirror image; shifts: both also moved by "
        "two pixels in each direction; tencrop: its corners and centre, 44 pixels wide, and their mirror images. "
        "Others than auto need --data or --images.",
        choices=("auto", *VIEWS),
    )
    precision: str = setting(
        "auto",
        "Arithmetic of what is not predicted yet: other data, views, photos. auto: the fastest on this device, as "
        "in training; float32: the same to 5 digits on every device.",
        choices=PRECISIONS,
    )
    network: str = setting(
        "",
        "One network to score instead: an .onnx or .keras file, or shipped; needs --data. With --ensemble, both: "
        "the network stands beside the ensemble.",
    )
    images: str = setting(
        "", "A photo, or a folder of them, to predict instead; more may follow: --images a.jpg b.png c/"
    )
    faces: str = setting(
        "detect",
        "detect: search photos for faces; whole: each photo is one face that fills it.",
        choices=("detect", "whole"),
    )
    allow_missing: bool = setting(False, "Go on without the members that are missing or unfinished, and say so.")
    save: bool = setting(
        False,
        "Save what is chosen now as the ensemble, in place of ensemble.json. Where there is none of these members "
        "yet, what is chosen without --weights, --runs, --tta, --allow_missing and --output is saved anyhow.",
    )
    output: str = setting("", "Folder for the results; empty: the ensemble's folder.")

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            if isinstance(value, str) and "\0" in value:  # no shell gives that, but a --flagfile may
                raise UserError(f"`{name}` must be text without zero bytes. Received: {value[:60]!r}.")
        if not self.ensemble or not self.weights:
            raise UserError("`ensemble` and `weights` must not be empty. Leave the flag out for its default.")


def define_flags() -> None:
    """Defines the flags of this command."""
    edge.define_flags(PredictOptions)


def main(arguments: list[str]) -> int | None:
    """Scores the ensemble, or predicts photos."""
    options = edge.settings_from_flags(PredictOptions)
    if arguments and not options.images:
        raise UserError(f"{edge.program()} takes photos only after --images. Received: {edge.brief(arguments)}")
    if options.images:
        return predict_photos(options, [options.images, *arguments])
    if options.network and not flags.FLAGS["ensemble"].present:
        from fer_ensemble.commands.network_results import load_single, report_network
        from fer_ensemble.commands.predict import parse_splits

        _check_alone(options)
        splits = parse_splits(options.splits)
        return report_network(load_single(options.network), splits, options.data, options.output)
    from fer_ensemble.commands.predict import report_ensemble

    return report_ensemble(options)


def _check_alone(options):
    """Raises UserError if an option is given that has a meaning for an ensemble alone."""
    kept = ("ensemble", "splits", "data", "network", "output", "precision", "faces")
    given = [
        field.name
        for field in dataclasses.fields(options)
        if field.name not in kept and getattr(options, field.name) != field.default
    ]
    if given:
        raise UserError(
            f"`network` alone takes --splits, --data and --output. Received: --{', --'.join(given)}, which are of "
            "ensembles. Leave them out, or name one with --ensemble."
        )


def predict_photos(options: PredictOptions, paths: list[str]) -> int:
    """Predicts photos with the ensemble that the options name."""
    from fer_ensemble.commands.photos import check_photos, report_photos
    from fer_ensemble.commands.predict import NO_CALIBRATION, load_ensemble, parse_splits

    parse_splits(options.splits)
    if options.data or options.save or options.network:
        raise UserError(
            "`images` are predicted instead of `data`, by the ensemble, and nothing is saved. Give one of the two."
        )
    check_photos(paths)
    network = load_ensemble(options)
    if options.calibrate and not network.calibrated:
        raise UserError(NO_CALIBRATION)
    output = pathlib.Path(options.output or options.ensemble)
    return report_photos(network, paths, output, None if options.tta == "auto" else options.tta, options.faces)
