"""The ensemble's results: from a folder of members to tables, files, one page, and the saved ensemble."""

import pathlib

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands.ensemble_members import gather_members
from fer_ensemble.commands.network_results import load_single, stand_beside
from fer_ensemble.commands.predict_options import PredictOptions
from fer_ensemble.commands.rescore import report_tables
from fer_ensemble.commands.result_folder import write_result_folder
from fer_ensemble.data.dataset import PUBLIC_TEST, SPLITS
from fer_ensemble.ensemble import ensemble_file
from fer_ensemble.ensemble.choice import AUTO, choose, find_saved, is_saved, make_record
from fer_ensemble.ensemble.parts import OOF, combine_part, join_parts
from fer_ensemble.ensemble.saved import Ensemble
from fer_ensemble.evaluation.ensemble_scores import describe_ensemble, known_images
from fer_ensemble.evaluation.predicted_images import check_labels, find_data
from fer_ensemble.members import directory
from fer_ensemble.members.collection import (
    has_model,
    has_own_predictions,
    member_predictions,
    own_views,
    shared_views,
)
from fer_ensemble.members.predictor import Predictor
from fer_ensemble.report.score_tables import TITLES, format_report

NO_CALIBRATION = (
    "`calibrate` needs images that were held out, to choose it on, but no member held any out: they "
    "were trained with --fold=none and without --holdout."
)


def report_ensemble(options: PredictOptions) -> None:
    """Combines an ensemble, prints its scores, writes its results, and saves what was chosen.

    Args:
        options: `PredictOptions`.

    Raises:
        FileNotFoundError: If there is no such ensemble, weights file or data set.
        UserError: If members are missing, damaged, or do not belong together.
    """
    splits = parse_splits(options.splits)
    folder, output = pathlib.Path(options.ensemble), pathlib.Path(options.output or options.ensemble)
    elsewhere = bool(options.output) and output.resolve() != folder.resolve()
    if options.save and elsewhere:
        raise UserError(
            f"`save` writes {ensemble_file.NAME} beside the members, where the results then are, too. "
            "Received: an `output` elsewhere. Give one of them."
        )
    members, missing = gather_members(options.ensemble, options.runs, options.folds, options.allow_missing)
    histories = {member.name: directory.read_checked_history(member.folder, member.record) for member in members}
    if not any(has_own_predictions(member) or has_model(member) for member in members):
        _check_tables_suffice(options)
        return report_tables(folder, members, histories, splits, options.data, options.output if elsewhere else "")

    views = _choose_views(options, members)
    dataset, own_data = find_data(options.data, members[0].record)
    if options.data and not own_data:
        _check_has_tests(options, dataset, splits)
    predictor = Predictor(views, options.precision)
    parts = _predict_parts(members, dataset if options.data else None, predictor)
    if own_data:
        for name, part in parts.items():
            check_labels(part, dataset, name)
    shown = [name for name in splits if name in parts and len(parts[name].rows)]
    if not shown:
        raise UserError(f"`splits` must name images that the members predicted. Received: {options.splits}.")

    choice = _choose(options, folder, members, parts, views)
    parts = {name: combine_part(part, choice.weights) for name, part in parts.items()}
    single = load_single(options.network) if options.network else None
    if single:
        parts = stand_beside(parts, single, dataset, members[0].record["class_names"])
    data = members[0].record["data"]
    if options.data and not own_data:
        data = {"name": options.data, "images": len(dataset.images), "fingerprint": dataset.fingerprint}
    report = describe_ensemble(members, missing, parts, shown, choice, dataset, data, views)
    report["calibrated"] = options.calibrate
    report["networks"] = {single.name: single.facts} if single else {}
    write_result_folder(
        output,
        report,
        {name: parts[name] for name in shown},
        known_images(shown, dataset, own_data),
        choice.by_part,
        options.calibrate,
        [member.record for member in members],
        histories,
    )
    written = ["report.html", "predictions.csv", "scores.json", "and more"]
    default = options.weights == AUTO and options.tta == AUTO and not options.runs and not missing
    if options.save or (default and not elsewhere and not is_saved(folder, members)):
        ensemble_file.write_record(folder, make_record(choice, members, views))
        written.insert(0, ensemble_file.NAME)
    print(format_report(report))
    print(f"written to {output}: {', '.join(written)}")


def load_ensemble(options: PredictOptions) -> Ensemble:
    """Loads the ensemble that the options name: the saved one, unless they choose members or weights of their own.

    Nothing is written, nor is a saved ensemble needed.

    Args and Raises: as `report_ensemble`.

    Returns:
        `fer_ensemble.ensemble.saved.Ensemble`.
    """
    from fer_ensemble.ensemble.saved import Ensemble

    folder = pathlib.Path(options.ensemble)
    named = options.runs or options.folds != AUTO or options.weights != AUTO or options.allow_missing
    if not named and (folder / ensemble_file.NAME).is_file():
        return Ensemble.load(folder, precision=options.precision)
    members, missing = gather_members(options.ensemble, options.runs, options.folds, options.allow_missing)
    if missing:
        print(f"MISSING, and not in these results: {', '.join(missing)}")
    views = shared_views(members)
    parts = _predict_parts(members, None, Predictor(views))
    choice = choose(options.weights, parts[OOF], parts.get(SPLITS[PUBLIC_TEST]))
    return Ensemble.from_record(make_record(choice, members, views), folder, precision=options.precision)


def parse_splits(text: str) -> list[str]:
    """Returns the names of the splits as the files have them: `oof`, `PublicTest`, `PrivateTest`."""
    known = {title.lower(): name for name, title in TITLES.items()} | {name.lower(): name for name in TITLES}
    names = [known.get(word.strip().lower()) for word in text.split(",")]
    if None in names:
        raise UserError(f"`splits` must be among OOF, PublicUse and PrivateUse. Received: {text!r}.")
    return [name for name in TITLES if name in names]


def _choose_views(options, members):
    if options.tta == AUTO:
        return shared_views(members)
    if not options.data and any(own_views(member) != options.tta for member in members):
        raise UserError(
            f"`tta` must be auto without `data`: the members left no predictions of other views. Received: "
            f"{options.tta}. Give the data set with --data, that of the training for the same splits as before."
        )
    return options.tta


def _check_tables_suffice(options):
    """Raises UserError if more is asked for than the tables of an ensemble's results can tell."""
    if options.weights != AUTO or options.runs or options.tta != AUTO or options.save or options.calibrate:
        raise UserError(
            f"{options.ensemble} holds its results, but no predictions of single members, so that they cannot be "
            "chosen, weighed, calibrated or saved anew. Give --ensemble, --splits, --data and --output alone."
        )


def _check_has_tests(options, dataset, splits):
    """Raises UserError if another data set has no images that the ensemble could predict."""
    if not any(len(dataset.split(SPLITS.index(name))) for name in splits if name != OOF):
        raise UserError(
            f"{options.data} must have images of PublicTest or PrivateTest to predict, but has none that --splits="
            f"{options.splits} names. The images that the members held out are predicted without --data."
        )


def _choose(options, folder, members, parts, views):
    """Returns the `Choice` that is saved, unless another is asked for, or there is none."""
    choice = None
    if options.weights == AUTO and not options.save:
        choice = find_saved(folder, members, views)
    choice = choice or choose(options.weights, parts[OOF], parts.get(SPLITS[PUBLIC_TEST]))
    if options.calibrate and choice.calibrations is None:
        raise UserError(NO_CALIBRATION)
    return choice


def _predict_parts(members, dataset, predictor):
    """Returns a dict from the parts that the members predicted to `Part`, without the ensemble's predictions."""
    test = [member_predictions(member, dataset, predictor) for member in members]
    # Another data set has none of the images that were held out.
    own = test if OOF in test[0] else [member_predictions(member) for member in members]
    parts = {OOF: join_parts(OOF, members, [found[OOF] for found in own])}
    for name in test[0]:
        if name != OOF and len(test[0][name].rows):
            parts[name] = join_parts(name, members, [found[name] for found in test])
    return parts
