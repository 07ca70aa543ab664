"""The folder of results that `predict` leaves: tables, pictures, and one page."""

import pathlib

from fer_ensemble.base.atomic_files import check_no_folder, hash_file, write_text
from fer_ensemble.ensemble import ensemble_file
from fer_ensemble.ensemble.held_out_calibration import TEST
from fer_ensemble.ensemble.parts import OOF
from fer_ensemble.evaluation.label_noise import find_likely_wrong
from fer_ensemble.evaluation.part_scores import correctness
from fer_ensemble.evaluation.predicted_images import votes_of
from fer_ensemble.evaluation.robustness import read_known
from fer_ensemble.evaluation.voters import majority_labels
from fer_ensemble.report.corruption_pictures import draw_strips
from fer_ensemble.report.galleries import show_conflicts, show_likely_wrong, show_mistakes
from fer_ensemble.report.result_files import write_likely_wrong, write_results
from fer_ensemble.report.result_page import format_html
from fer_ensemble.report.robustness_section import format_robustness
from fer_ensemble.report.score_tables import TITLES
from fer_ensemble.scoring.comparisons import compare_pairs

_FILES = ("report.html", "predictions.csv", "oof.csv", "likely_wrong_labels.csv", "comparisons.csv", "scores.json")


def write_result_folder(
    output: pathlib.Path,
    report: dict,
    parts: dict,
    known: dict,
    calibrations: dict | None,
    calibrate: bool,
    records: list[dict],
    histories: dict,
) -> None:
    """Writes all results.

    `report.html`; `predictions.csv` (test splits), `oof.csv`, `likely_wrong_labels.csv` and `comparisons.csv`;
    `scores.json`; `confusion_<split>.csv` and `.png`.

    Args:
        output: Path of the folder, which is made.
        report: Dict as in `scores.json`.
        parts: Dict from the names of the splits to `Part` with the ensemble's predictions.
        known: Dict from those of them whose images are at hand to their `Dataset`.
        calibrations: Dict of `Calibration`, for `oof` and for all others, `test`; or None.
        calibrate: Whether the probabilities in the tables are calibrated.
        records: The members' records, in the order of `report["members"]`.
        histories: Dict from the members' names to their histories.
    """
    by_part = calibrations and {name: calibrations[OOF if name == OOF else TEST] for name in parts}
    output.mkdir(parents=True, exist_ok=True)
    for name in (*_FILES, *(f"confusion_{part}.{suffix}" for part in parts for suffix in ("csv", "png"))):
        check_no_folder(output / name)  # before any of them is written
    pairs = {name: compare_pairs(correctness(part, report["runs"])) for name, part in parts.items()}
    write_results(output, report, parts, pairs, by_part if calibrate else None)
    galleries = []
    for name, part in parts.items():
        calibration = by_part[name] if by_part else None
        probabilities = calibration.apply(part.ensemble) if calibration else part.ensemble
        if name == OOF:
            galleries.append(_write_likely_wrong(output, report, part, probabilities, known.get(name)))
        elif name in known:
            galleries.append(show_mistakes(known[name], part, probabilities, report["class_names"], TITLES[name]))
    if known:
        galleries.append(show_conflicts(next(iter(known.values())), report["copies"]["conflicts"]))
    page = format_html(
        report,
        [gallery for gallery in galleries if gallery],
        records,
        histories,
        _describe_robustness(output, report, known),
    )
    write_text(output / "report.html", page)


def _describe_robustness(output, report, known):
    """The section on worse pictures, if `fer-ensemble evaluate` asked this very ensemble about them; else None."""
    saved = output / ensemble_file.NAME
    if not saved.is_file():
        return None
    record = ensemble_file.read_record(output)
    if record.weights != report["member_weights"] or record.views != report["tta"]:
        return None  # asked were the saved weights and views
    found = read_known(output / "robustness.json", hash_file(saved))
    dataset = next(iter(known.values()), None)
    return found and format_robustness(found, None if dataset is None else draw_strips(dataset.images[0]))


def _write_likely_wrong(output, report, part, probabilities, dataset):
    """Writes the likely wrong labels, and returns their faces for the page, where these are at hand."""
    class_names = report["class_names"]
    positions, suggested = find_likely_wrong(probabilities, part.labels)
    votes = votes_of(part, dataset)
    majority = None if votes is None else majority_labels(votes[positions], class_names)
    path = output / "likely_wrong_labels.csv"
    write_likely_wrong(path, part, positions, suggested, probabilities, class_names, majority)
    if dataset is None:
        return None
    return show_likely_wrong(dataset, part, positions, suggested, probabilities, class_names)
