"""The choices of `fer-ensemble evaluate` and `fer-ensemble compare`: one frozen class, whose fields are flags."""

import dataclasses

from fer_ensemble.base.errors import UserError

SPLIT_CHOICES = ("PublicTest", "PrivateTest", "Training")


def _setting(default, text, choices=None):
    return dataclasses.field(default=default, metadata={"help": text, "choices": choices})


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """Which faces are asked about, and how."""

    data: str = _setting(
        "", "The data set: a .h5 of `fer-ensemble data`, a CSV, a folder of images by class or an archive."
    )
    split: str = _setting(
        "PublicTest",
        "Whose labelled faces. Training: only for networks that were not trained on them; PrivateTest: once, at "
        "the end, and nothing may be chosen on it.",
        choices=SPLIT_CHOICES,
    )
    images: int = _setting(0, "Of these, how many, drawn by the seed; 0: all.")
    robustness: bool = _setting(
        False, "Ask about FER2013-C, too: 13 corruptions of each face at 5 strengths, 66 times as much work."
    )
    explain: bool = _setting(
        False,
        "evaluate: show on the page what in some faces spoke for the answer; of an ensemble, a minute's work.",
    )
    seed: int = _setting(0, "Seed of all that is drawn: the corruptions, the crops without a face, the images.")
    baseline: str = _setting(
        "",
        "A robustness.json, of the same faces, to compare errors with; empty: the one that ships, where it fits.",
    )
    faceless: str = _setting(
        "", "A folder of pictures without faces: patches of them are crops on which no answer should be sure."
    )
    output: str = _setting(
        "",
        "Folder for the results, in which each network has a folder; empty: an ensemble's own folder, and "
        "evaluation/ for the others.",
    )

    def __post_init__(self):
        if not self.data:
            raise UserError("--data must name labelled faces, as --data=data/fer2013.h5. Received: none.")
        if self.images < 0 or self.seed < 0:
            raise UserError(f"--images and --seed must not be negative. Received: {self.images} and {self.seed}.")
