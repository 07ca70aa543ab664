"""The ensemble's results: from a folder of members to tables, files and one page."""

import dataclasses
import pathlib

from fer_ensemble import __version__
from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import PUBLIC_TEST, SPLITS
from fer_ensemble.ensemble.held_out_calibration import TEST, calibrate_out_of_fold
from fer_ensemble.ensemble.parts import OOF, combine_part, join_parts, sum_by_run
from fer_ensemble.ensemble.weighting import resolve_way, weigh_members
from fer_ensemble.evaluation.label_noise import find_likely_wrong
from fer_ensemble.evaluation.part_scores import correctness, describe_part
from fer_ensemble.evaluation.predicted_images import describe_copies, find_data, votes_of
from fer_ensemble.evaluation.provenance import differing_settings
from fer_ensemble.evaluation.voters import majority_labels
from fer_ensemble.evaluation.weightings import compare_weightings
from fer_ensemble.members import directory
from fer_ensemble.members.collection import collect_members, member_predictions
from fer_ensemble.members.predictor import Predictor
from fer_ensemble.report.galleries import show_conflicts, show_likely_wrong, show_mistakes
from fer_ensemble.report.result_files import write_likely_wrong, write_results
from fer_ensemble.report.result_page import format_html
from fer_ensemble.report.score_tables import TITLES, format_report
from fer_ensemble.scoring.comparisons import compare_pairs
from fer_ensemble.training.settings import FOLDS, RUNS, TrainingSettings

PUBLIC = SPLITS[PUBLIC_TEST]
NO_CALIBRATION = (
    "`calibrate` needs images that were held out, to choose it on, but no member held any out: they "
    "were trained with --fold=none and without --holdout."
)


def report_ensemble(options):
    """Combines an ensemble, prints its scores and writes its results.

    Writes `report.html`; `predictions.csv` (test splits), `oof.csv`, `likely_wrong_labels.csv` and
    `comparisons.csv`; `scores.json`; `confusion_<split>.csv` and `.png`.

    Args:
        options: `PredictOptions`.

    Raises:
        FileNotFoundError: If there is no such ensemble, weights file or data set.
        UserError: If members are missing, damaged, or do not belong together.
    """
    names = parse_splits(options.splits)
    if options.tta != "none" and not options.data:
        raise UserError(
            f"`tta` must be none without `data`: the members left no predictions of other views. Received: "
            f"{options.tta}. Give the data set with --data, that of the training for the same splits as before."
        )
    members, missing = gather_members(options)
    dataset, own_data = find_data(options.data, members[0].record)
    other = dataset if options.data else None  # None: predictions that the members left
    predictor = Predictor(options.tta, options.precision)
    test = [member_predictions(member, other, predictor) for member in members]
    # Another data set has none of the images that were held out.
    own = test if OOF in test[0] else [member_predictions(member) for member in members]
    joined = {OOF: join_parts(OOF, members, [parts[OOF] for parts in own])}
    for name in test[0]:
        if name != OOF and len(test[0][name].rows):
            joined[name] = join_parts(name, members, [predictions[name] for predictions in test])
    del test, own
    way = resolve_way(options.weights, joined[OOF])
    weights = weigh_members(way, joined[OOF], joined.get(PUBLIC))
    joined = {name: combine_part(part, weights) for name, part in joined.items()}

    chosen = calibrate_out_of_fold(joined[OOF], weights)
    if options.calibrate and chosen is None:
        raise UserError(NO_CALIBRATION)
    parts = {name: joined[name] for name in names if name in joined and len(joined[name].rows)}
    if not parts:
        raise UserError(f"`splits` must name images that the members predicted. Received: {options.splits}.")
    calibrations = chosen and {name: chosen[OOF if name == OOF else TEST] for name in parts}
    known = {name: dataset for name in parts if dataset is not None and (own_data or name != OOF)}
    report = {
        **_describe_origin(options, members, missing, dataset, own_data),
        "differing_settings": differing_settings([member.record for member in members]),
        "weights_from": way,
        "weights": sum_by_run(joined[OOF], weights),
        "member_weights": dict(zip(joined[OOF].members, weights.tolist(), strict=True)),
        "weightings": compare_weightings(joined[OOF], joined.get(PUBLIC), way, weights),
        "calibration": chosen and {name: dataclasses.asdict(one) for name, one in chosen.items()},
        "copies": None if dataset is None else describe_copies(dataset),
    }
    report["splits"] = {
        name: describe_part(
            part,
            report["runs"],
            weights,
            calibrations and calibrations[name],
            report["class_names"],
            votes_of(part, known.get(name)),
        )
        for name, part in parts.items()
    }
    # Read before anything is written: a damaged one is found in time.
    histories = {member.name: directory.read_history(member.folder) for member in members}
    print(format_report(report))
    output = pathlib.Path(options.output or options.ensemble)
    output.mkdir(parents=True, exist_ok=True)
    pairs = {name: compare_pairs(correctness(part, report["runs"])) for name, part in parts.items()}
    write_results(output, report, parts, pairs, calibrations if options.calibrate else None)
    galleries = _collect_galleries(output, report, parts, known, calibrations)
    page = format_html(report, galleries, [member.record for member in members], histories)
    write_text(output / "report.html", page)
    print(f"written to {output}: report.html, predictions.csv, scores.json and more")


def gather_members(options):
    """Returns the members of the ensemble, a list of `Member`, and the names of the missing ones.

    Raises:
        UserError: If members are missing and `options.allow_missing` is not set, or none is there.
    """
    runs = [name.strip() for name in options.runs.split(",") if name.strip()]
    found = directory.find_folders(options.ensemble)
    folds = _choose_folds(options, {fold for run, fold in found if not runs or run in runs})
    if not runs:
        # The standard runs are those of an ensemble over the folds.
        runs = {*(() if folds == [None] else RUNS), *(run for run, fold in found if fold in folds)}
    members, missing = collect_members(options.ensemble, runs, folds)
    if not members:
        raise UserError(
            f"{options.ensemble} must hold finished members, exp_<fold>/<run>/{directory.RECORD}. Received: none. "
            "`bash splitscript.sh` trains an ensemble."
        )
    if missing and not options.allow_missing:
        raise UserError(
            f"{len(missing)} of {len(members) + len(missing)} members are missing or unfinished: "
            f"{', '.join(missing)}. Train each, as {missing[0]} with: "
            f"{_training_command(missing[0], members, options.ensemble)}, "
            "or go on without them with --allow_missing."
        )
    return members, missing


def _choose_folds(options, found):
    """Returns the folds of each run, `[None]` for members of no fold: what was asked for, or what is there."""
    if options.folds == "auto" and None in found and len(found) > 1:
        raise UserError(
            f"{options.ensemble} holds members of folds, exp_0/ and so on, and members of none, exp_none/, which "
            "cannot vote together. Choose with --folds=all or --folds=none."
        )
    of_none = options.folds == "none" or (options.folds == "auto" and found == {None})
    return [None] if of_none else list(range(FOLDS))


def parse_splits(text):
    """Returns the names of the splits as the files have them: `oof`, `PublicTest`, `PrivateTest`."""
    known = {title.lower(): name for name, title in TITLES.items()} | {name.lower(): name for name in TITLES}
    names = [known.get(word.strip().lower()) for word in text.split(",")]
    if None in names:
        raise UserError(f"`splits` must be among OOF, PublicUse and PrivateUse. Received: {text!r}.")
    return [name for name in TITLES if name in names]


def _describe_origin(options, members, missing, dataset, own_data):
    record = members[0].record
    own_data = own_data or not options.data
    return {
        "version": __version__,
        "class_names": record["class_names"],
        "data": record["data"]
        if own_data
        else {"name": options.data, "images": len(dataset.images), "fingerprint": dataset.fingerprint},
        "folds": record["folds"],
        "tta": options.tta,
        "oof_tta": options.tta if own_data else "none",
        "missing": missing,
        "runs": sorted({member.run for member in members}),
        "members": [member.name for member in members],
        "training_seconds": {member.name: member.record["training_seconds"] for member in members},
        "model_hashes": {member.name: member.record["files"][directory.MODEL] for member in members},
    }


def _collect_galleries(output, report, parts, known, calibrations):
    """Writes the likely wrong labels, and returns the faces for the page."""
    class_names = report["class_names"]
    galleries = []
    for name, part in parts.items():
        dataset = known.get(name)
        probabilities = calibrations[name].apply(part.ensemble) if calibrations else part.ensemble
        if name == OOF:
            positions, suggested = find_likely_wrong(probabilities, part.labels)
            votes = votes_of(part, dataset)
            majority = None if votes is None else majority_labels(votes[positions], class_names)
            write_likely_wrong(
                output / "likely_wrong_labels.csv",
                part,
                positions,
                suggested,
                probabilities,
                class_names,
                majority,
            )
            if dataset is not None:
                galleries.append(
                    show_likely_wrong(dataset, part, positions, suggested, probabilities, class_names)
                )
        elif dataset is not None:
            galleries.append(show_mistakes(dataset, part, probabilities, class_names, TITLES[name]))
    if known:
        galleries.append(show_conflicts(next(iter(known.values())), report["copies"]["conflicts"]))
    return [gallery for gallery in galleries if gallery]


def _training_command(name, members, experiments):
    # The settings of a finished member of the same architecture, as far as they are not the defaults.
    fold, run = name.removeprefix("exp_").split("/")
    model, replica = run.rsplit("_", 1)
    relatives = [member for member in members if member.run.startswith(model)] or members
    given = relatives[0].record["settings"]
    defaults = dataclasses.asdict(TrainingSettings())
    fixed = {"model": model, "replica": replica, "fold": fold, "experiments": experiments, "data": "DATA"}
    others = {key: value for key, value in given.items() if value != defaults.get(key) and key not in fixed}
    return "python model_train.py " + " ".join(f"--{key}={value}" for key, value in {**fixed, **others}.items())
