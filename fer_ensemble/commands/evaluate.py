"""Tells how good a network or an ensemble is on labelled faces, and how it stands blur, light, size and crop.

Accuracy, classes and calibration; what is gained by leaving out the unsure; how often it is sure where there is no
face. With --robustness FER2013-C, too: 13 corruptions of each face at 5 strengths.

MODEL: shipped (the network in the package), an .onnx or .keras file, the folder of an ensemble, or a .py file that
defines load_network() for a network from elsewhere (it is run).

Examples:

  fer-ensemble evaluate shipped --data=data/fer2013.h5                 evaluation/shipped/evaluation.html and .json
  fer-ensemble evaluate shipped --data=data/fer2013.h5 --robustness    with robustness.json and .csv, too
  fer-ensemble evaluate shipped --data=data/fer2013.h5 --explain       which pixels spoke for the answer
  fer-ensemble evaluate experiments/sample --data=mine/ --robustness --images=500
"""

from fer_ensemble.commands import edge
from fer_ensemble.commands.evaluation_options import EvaluationOptions


def define_flags() -> None:
    """Defines the flags of this command."""
    edge.define_flags(EvaluationOptions)


def main(arguments: list[str]) -> None:
    """Evaluates each network by itself."""
    options = edge.settings_from_flags(EvaluationOptions)
    from fer_ensemble.base.atomic_files import write_text
    from fer_ensemble.commands.evaluation_run import choose_folder, evaluate_network, explain_faces, load_faces
    from fer_ensemble.commands.named_networks import load_networks
    from fer_ensemble.evaluation.answers import check_classes
    from fer_ensemble.report.evaluation_page import format_evaluation
    from fer_ensemble.report.evaluation_tables import format_robustness_table, format_scores

    networks = load_networks(arguments)
    faces = load_faces(options, networks[0].network.class_names)
    for named in networks:
        check_classes(named.network, faces.class_names, named.name)
    found = []
    for named in networks:
        folder = choose_folder(named, options)
        one = evaluate_network(named, faces, options, folder)
        found.append(one)
        explained = explain_faces(named.network, faces, one["probabilities"]) if options.explain else None
        page = format_evaluation(
            one["scores"], one["robustness"], faces.images, faces.faceless, options.seed, explained
        )
        write_text(folder / "evaluation.html", page)
        print(f"{named.name}: written to {folder}")
    print(format_scores([one["scores"] for one in found]))
    for one in found:
        if one["robustness"]:
            print(f"\n{format_robustness_table(one['robustness'])}")
