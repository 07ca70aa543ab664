"""The ensemble's results: from a folder of members to tables, files and pictures."""

import csv
import dataclasses
import itertools
import json
import pathlib

import numpy as np

from fer_ensemble import __version__
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, SPLITS, TRAINING, UNLABELLED
from fer_ensemble.data.store import load_dataset
from fer_ensemble.ensemble.evaluation import OOF, combine_part, join_parts, score_all
from fer_ensemble.ensemble.metrics import confusion_matrix, predicted_labels
from fer_ensemble.ensemble.weights import choose_weights, read_weights
from fer_ensemble.files import replacing, write_text
from fer_ensemble.members import files
from fer_ensemble.members.collection import collect_members, member_predictions
from fer_ensemble.members.predictor import Predictor
from fer_ensemble.report.plots import draw_confusion_matrix, draw_training_curves
from fer_ensemble.report.tables import format_table, percent, percent_interval, predictions_table
from fer_ensemble.training.settings import FOLDS, RUNS, TrainingSettings

USAGES = {OOF: TRAINING, SPLITS[PUBLIC_TEST]: PUBLIC_TEST, SPLITS[PRIVATE_TEST]: PRIVATE_TEST}
TITLES = {OOF: "OOF", SPLITS[PUBLIC_TEST]: "PublicUse", SPLITS[PRIVATE_TEST]: "PrivateUse"}


def report_ensemble(options):
    """Combines an ensemble, prints its scores and writes its results.

    Writes `predictions.csv` (test splits), `oof.csv`, `scores.json`, `confusion_<split>.csv` and `.png`, and
    `training_curves.png`.

    Args:
        options: `PredictOptions`.

    Raises:
        FileNotFoundError: If there is no such ensemble, weights file or data set.
        ValueError: If members are missing, damaged, or do not belong together.
    """
    names = parse_splits(options.splits)
    if options.tta != "none" and not options.data:
        raise ValueError(
            f"`tta` must be none without `data`: the members left no predictions of other views. Received: "
            f"{options.tta}. Give the data set with --data, that of the training for the same splits as before."
        )
    members, missing = gather_members(options)
    run_names = sorted({member.run for member in members})
    dataset = _load_other_data(options.data, members[0].record["class_names"])
    predictor = Predictor(options.tta)
    test = [member_predictions(member, dataset, predictor) for member in members]
    # Another data set has none of the images that were held out.
    own = test if OOF in test[0] else [member_predictions(member) for member in members]
    oof = join_parts(OOF, members, [parts[OOF] for parts in own])
    weights = choose_run_weights(options.weights, run_names, oof)

    parts = {}
    for name in names:
        part = oof if name == OOF else join_parts(name, members, [predictions[name] for predictions in test])
        if len(part.rows):
            parts[name] = combine_part(part, weights)
    report = _describe(options, members, missing, run_names, weights, parts, dataset)
    print(format_report(report))
    output = pathlib.Path(options.output or options.ensemble)
    output.mkdir(parents=True, exist_ok=True)
    _write_results(output, report, parts, members)
    print(f"written to {output}: predictions, scores.json, confusion matrices, training curves")


def gather_members(options):
    """Returns the members of the ensemble, a list of `Member`, and the names of the missing ones.

    Raises:
        ValueError: If members are missing and `options.allow_missing` is not set, or none is there.
    """
    runs = [name.strip() for name in options.runs.split(",") if name.strip()]
    if not runs:
        runs = {*RUNS, *(run for run, _ in files.find_folders(options.ensemble))}
    members, missing = collect_members(options.ensemble, runs, FOLDS)
    if not members:
        raise ValueError(
            f"{options.ensemble} must hold finished members, exp_<fold>/<run>/{files.RECORD}. Received: none. "
            "`bash splitscript.sh` trains an ensemble."
        )
    if missing and not options.allow_missing:
        raise ValueError(
            f"{len(missing)} of {len(members) + len(missing)} members are missing or unfinished: "
            f"{', '.join(missing)}. Train each, as {missing[0]} with: "
            f"{_training_command(missing[0], members, options.ensemble)}, "
            "or go on without them with --allow_missing."
        )
    return members, missing


def parse_splits(text):
    """Returns the names of the splits as the files have them: `oof`, `PublicTest`, `PrivateTest`."""
    known = {title.lower(): name for name, title in TITLES.items()} | {name.lower(): name for name in TITLES}
    names = [known.get(word.strip().lower()) for word in text.split(",")]
    if None in names:
        raise ValueError(f"`splits` must be among OOF, PublicUse and PrivateUse. Received: {text!r}.")
    return [name for name in TITLES if name in names]


def choose_run_weights(weights, run_names, oof):
    """Returns the weights of the runs, float64, shape `(runs,)`, summing to 1.

    Args:
        weights: `equal`, `oof`, or the path of a JSON file.
        run_names: Names of the runs.
        oof: The out-of-fold `Part`.
    """
    if weights == "equal":
        return np.full(len(run_names), 1 / len(run_names))
    if weights != "oof":
        return read_weights(weights, run_names)
    held_out_by_all = ~np.isnan(oof.runs).any(axis=(0, 2))
    return choose_weights(oof.runs, np.where(held_out_by_all, oof.labels, UNLABELLED))


def format_report(report):
    """Writes a report, as in `scores.json`, as the tables that people read."""
    parts = report["splits"]
    names = [name for name in TITLES if name in parts]
    lines = []
    for name in [*report["members"], *report["runs"]]:
        cells = [parts[split]["scores"].get(name) for split in names]
        lines.append([name, *(percent(cell["accuracy"]) if cell else "-" for cell in cells)])
        if name == report["members"][-1]:
            lines.append(["members' mean", *(_describe_spread(parts[split]["members"]) for split in names)])
    scored = [parts[split]["ensemble"] for split in names]
    lines.append(["ensemble", *(percent(cell["accuracy"]) if cell else "-" for cell in scored)])
    text = [format_table(["accuracy", *(TITLES[split] for split in names)], lines), ""]
    rows = []
    for split in names:
        for label, scores in (("", "ensemble"), (" without copies", "ensemble_without_copies")):
            values = parts[split][scores]
            if values:
                rows.append(_score_row(TITLES[split] + label, values))
        if not parts[split]["ensemble"]:
            rows.append([TITLES[split], f"{parts[split]['images']:,}", "no labels", None, None, None])
    text.append(format_table(["ensemble", "images", "accuracy", "95 % interval", "macro-F1", "log-loss"], rows))
    weights = ", ".join(f"{run} {weight:.3f}" for run, weight in report["weights"].items())
    text += ["", f"{len(report['members'])} members; weights of the runs ({report['weights_from']}): {weights}"]
    if report["tta"] != "none":
        text.append(f"views: {report['tta']} (out of fold: {report['oof_tta']})")
    if report["missing"]:
        text.append(f"MISSING, and not in these results: {', '.join(report['missing'])}")
    return "\n".join(text)


def _describe(options, members, missing, run_names, weights, parts, dataset):
    record = members[0].record
    own_data = dataset is None or dataset.fingerprint == record["data"]["fingerprint"]
    return {
        "version": __version__,
        "class_names": record["class_names"],
        "data": record["data"] if dataset is None else {"name": options.data, "fingerprint": dataset.fingerprint},
        "folds": record["folds"],
        "weights_from": options.weights,
        "weights": dict(zip(run_names, weights.tolist(), strict=True)),
        "tta": options.tta,
        "oof_tta": options.tta if own_data else "none",
        "missing": missing,
        "runs": run_names,
        "members": [member.name for member in members],
        "splits": {name: _describe_part(part, run_names) for name, part in parts.items()},
        "training_seconds": {member.name: member.record["training_seconds"] for member in members},
        "model_hashes": {member.name: member.record["files"][files.MODEL] for member in members},
    }


def _describe_part(part, run_names):
    scores = score_all(part, run_names)
    accuracies = [values["accuracy"] for name, values in scores.items() if name in part.members]
    spread = {"mean": float(np.mean(accuracies)), "sd": float(np.std(accuracies))} if accuracies else None
    return {
        "images": len(part.rows),
        "ensemble": part.scores(),
        "ensemble_without_copies": part.scores(without_copies=True) if part.copies.any() else None,
        "members": spread,
        "scores": scores,
    }


def _score_row(name, values):
    return [
        name,
        f"{values['images']:,}",
        percent(values["accuracy"]),
        percent_interval(values["interval"]),
        f"{values['macro_f1']:.4f}",
        f"{values['log_loss']:.4f}",
    ]


def _describe_spread(spread):
    return f"{percent(spread['mean'])} ± {100 * spread['sd']:.2f}" if spread else "-"


def _write_results(output, report, parts, members):
    class_names = report["class_names"]
    tests = [(name, part) for name, part in parts.items() if name != OOF]
    _write_predictions(output / "predictions.csv", tests, class_names)
    if OOF in parts:
        _write_predictions(output / "oof.csv", [(OOF, parts[OOF])], class_names)
    _write_bytes(output / "training_curves.png", draw_training_curves(_read_histories(members)))
    for name, part in parts.items():
        labelled = (part.labels != UNLABELLED) & ~np.isnan(part.ensemble[:, 0])
        if labelled.any():
            predicted = predicted_labels(part.ensemble[labelled])
            matrix = confusion_matrix(part.labels[labelled], predicted, len(class_names))
            rows = [["true \\ predicted", *class_names]] + [
                [name, *counts] for name, counts in zip(class_names, matrix.tolist(), strict=True)
            ]
            _write_csv(output / f"confusion_{name}.csv", rows)
            picture = draw_confusion_matrix(matrix, class_names, f"{TITLES[name]}, {len(members)} members")
            _write_bytes(output / f"confusion_{name}.png", picture)
    write_text(output / "scores.json", json.dumps(report, indent=2) + "\n")


def _write_predictions(path, parts, class_names):
    tables = []
    for name, part in parts:
        shown = ~np.isnan(part.ensemble[:, 0])
        table = predictions_table(
            part.rows[shown],
            np.full(shown.sum(), USAGES[name]),
            part.labels[shown],
            predicted_labels(part.ensemble[shown]),
            part.ensemble[shown],
            class_names,
        )
        tables.append(table if not tables else itertools.islice(table, 1, None))
    write_text(path, "".join(itertools.chain(*tables)))


def _write_csv(path, rows):
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _write_bytes(path, content):
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _load_other_data(inputs, class_names):
    return load_dataset(inputs, ",".join(class_names)) if inputs else None


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


def _read_histories(members):
    """Returns the columns of each member's `history.csv`, floats or None where nothing was measured."""
    histories = {}
    for member in members:
        with (member.folder / files.HISTORY).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        histories[member.name] = {
            name: [float(row[name]) if row[name] else None for row in rows] for name in (rows[0] if rows else ())
        }
    return histories
