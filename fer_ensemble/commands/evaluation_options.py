"""The choices of `fer-ensemble evaluate` and `fer-ensemble compare`: one frozen class, whose fields are flags."""

import dataclasses

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.setting_fields import check_settings, setting

SPLIT_CHOICES = ("PublicTest", "PrivateTest", "Training")


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """Which faces are asked about, and how."""

    data: str = setting(
        "", "The data set: a .h5 of `fer-ensemble data`, a CSV, a folder of images by class or an archive."
    )
    split: str = setting(
        "PublicTest",
        "Whose labelled faces. Training: only for networks that were not trained on them; PrivateTest: once, at "
        "the end, and nothing may be chosen on it.",
        choices=SPLIT_CHOICES,
    )
    images: int = setting(0, "Of these, how many, drawn by the seed; 0: all.", least=0)
    robustness: bool = setting(
        False, "Ask about FER2013-C, too: 13 corruptions of each face at 5 strengths, 66 times as much work."
    )
    explain: bool = setting(
        False,
        "evaluate: show on the page what in some faces spoke for the answer; of an ensemble, a minute's work.",
    )
    seed: int = setting(
        0, "Seed of all that is drawn: the corruptions, the crops without a face, the images.", least=0
    )
    baseline: str = setting(
        "",
        "A robustness.json, of the same faces, to compare errors with; empty: the one that ships, where it fits.",
    )
    faceless: str = setting(
        "", "A folder of pictures without faces: patches of them are crops on which no answer should be sure."
    )
    output: str = setting(
        "",
        "Folder for the results, in which each network has a folder; empty: an ensemble's own folder, and "
        "evaluation/ for the others.",
    )

    def __post_init__(self):
        if not self.data:
            raise UserError("--data must name labelled faces, as --data=data/fer2013.h5. Received: none.")
        check_settings(self)
