"""The choices of a sweep: one frozen class, whose fields are flags of `sweep.py`."""

import dataclasses

from fer_ensemble.base.setting_fields import check_settings, setting
from fer_ensemble.base.words import percent
from fer_ensemble.data.dataset import PUBLIC_TEST, SPLITS
from fer_ensemble.ensemble.parts import OOF


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a sweep looks for: a part of the predictions, a score of it, and whether more of that is better."""

    part: str
    metric: str
    maximize: bool

    def write(self, value: float | None) -> str:
        """Writes a value for people: `45.02 %` or `1.4321`."""
        if value is None:
            return "-"
        return percent(value) if self.metric == "accuracy" else f"{value:.4f}"


# None is on PrivateTest.
OBJECTIVES = {
    "oof_accuracy": Objective(OOF, "accuracy", maximize=True),
    "oof_log_loss": Objective(OOF, "log_loss", maximize=False),
    "public_accuracy": Objective(SPLITS[PUBLIC_TEST], "accuracy", maximize=True),
}


@dataclasses.dataclass(frozen=True)
class SweepOptions:
    """What a sweep looks for, and how long.

    Raises:
        UserError: If a value is out of its range.
    """

    trials: int = setting(
        20,
        "Trials of the study in all, by all the processes that share it, the pruned and the failed ones too. More "
        "than before: it goes on.",
        least=1,
    )
    objective: str = setting(
        "oof_accuracy",
        "What the best trial is best at. oof_accuracy, oof_log_loss: on the held-out images of the folds that are "
        "trained, all together; public_accuracy: on PublicTest, which then tests nothing.",
        choices=tuple(OBJECTIVES),
    )
    folds: str = setting(
        "0", "Comma-separated: a trial trains a member on each of these. More of them: less noise, more time."
    )
    prune: str = setting(
        "median",
        "median: a trial stops when, at the same share of its training, the held-out images of its first fold are "
        "predicted worse than in half of the trials so far, after the first quarter and 5 complete trials; none: "
        "all trials end.",
        choices=("median", "none"),
    )
    study: str = setting("", "Folder of the study; empty: EXPERIMENTS/sweep.")

    def __post_init__(self):
        check_settings(self)
