"""What was found out about one network, as a page that needs nothing else: `evaluation.html`."""

import pathlib

import numpy as np

from fer_ensemble.report.corruption_pictures import draw_strips
from fer_ensemble.report.galleries import Gallery, encode_face
from fer_ensemble.report.html_page import render_page
from fer_ensemble.report.robustness_plots import draw_reliabilities, draw_risk_curves
from fer_ensemble.report.robustness_section import format_robustness

TEMPLATE = pathlib.Path(__file__).with_name("evaluation_page.html.jinja")
CROPS_SHOWN = 5  # of each kind


def format_evaluation(
    scores: dict,
    robustness: dict | None,
    faces: np.ndarray,
    faceless: dict,
    seed: int = 0,
    explained: Gallery | None = None,
) -> str:
    """Writes the page.

    Args:
        scores: Dict as in `evaluation.json`.
        robustness: Dict as in `robustness.json`, or None.
        faces: uint8, shape `(images, 48, 48)`: the first shows what the corruptions look like.
        faceless: Dict from a kind of crops without a face to uint8, shape `(crops, 48, 48)`.
        seed: That of the corruptions.
        explained: `Gallery` of faces with what spoke for the answer, or None.

    Returns:
        HTML, as text.
    """
    curves = {"faces": scores["risk"]["curve"], "faces and crops without one": scores["faceless"]["risk"]["curve"]}
    return render_page(
        TEMPLATE,
        scores=scores,
        explained=explained,
        robustness=robustness,
        section=robustness and format_robustness(robustness, draw_strips(faces[0], seed)),
        reliability=draw_reliabilities({scores["network"]["name"]: scores["calibration"]["bins"]}, "reliability"),
        risk=draw_risk_curves(curves, "risk-faceless"),
        crops={kind: [encode_face(one) for one in crops[:CROPS_SHOWN]] for kind, crops in faceless.items()},
    )
