"""Puts networks and ensembles side by side on the same labelled faces: one page, comparison.html.

Accuracy with paired tests, classes, calibration, what is gained by leaving out the unsure, size, and time per
face, measured in turns. With --robustness FER2013-C, too; what `fer-ensemble evaluate` left in the same folder is
taken from there.

MODEL: as for `fer-ensemble evaluate`.

Examples:

  fer-ensemble compare shipped mine.onnx --data=data/fer2013.h5
  fer-ensemble compare shipped experiments/sample other.py --data=data/fer2013.h5 --robustness
"""

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands import edge
from fer_ensemble.commands.evaluation_options import EvaluationOptions


def define_flags() -> None:
    """Defines the flags of this command."""
    edge.define_flags(EvaluationOptions)


def main(arguments: list[str]) -> None:
    """Evaluates the networks, and writes what distinguishes them."""
    options = edge.settings_from_flags(EvaluationOptions)
    if len(arguments) < 2:
        raise UserError(f"Expected at least two networks. Received: {edge.brief(arguments) or 'none'}.")
    import json
    import pathlib

    from fer_ensemble.base.atomic_files import write_text
    from fer_ensemble.commands.evaluation_run import RESULTS, choose_folder, evaluate_network, load_faces
    from fer_ensemble.commands.named_networks import load_networks
    from fer_ensemble.evaluation.answers import check_classes
    from fer_ensemble.evaluation.latency import measure_latency
    from fer_ensemble.evaluation.network_scores import compare_networks
    from fer_ensemble.report.comparison_page import format_comparison
    from fer_ensemble.report.evaluation_tables import format_overview, format_pairs

    networks = load_networks(arguments)
    faces = load_faces(options, networks[0].network.class_names)
    for named in networks:
        check_classes(named.network, faces.class_names, named.name)
    found = {
        named.name: evaluate_network(named, faces, options, choose_folder(named, options)) for named in networks
    }
    comparison = {
        "faces": faces.origin,
        "faces_sha256": faces.fingerprint,
        "pairs": compare_networks({name: one["probabilities"] for name, one in found.items()}, faces.labels),
        "latency": measure_latency({named.name: named.network.predict for named in networks}, faces.images),
        "networks": {name: {key: one[key] for key in ("scores", "robustness")} for name, one in found.items()},
    }
    folder = pathlib.Path(options.output or RESULTS)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "comparison.json", json.dumps(comparison, indent=1) + "\n")
    write_text(folder / "comparison.html", format_comparison(comparison))
    print(format_overview(comparison))
    print(f"\n{format_pairs(comparison['pairs'])}")
    print(f"\nwritten to {folder}: comparison.html and comparison.json")
