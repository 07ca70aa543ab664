"""What a training is told besides its settings: where things lie, and what it does instead of training."""

import dataclasses

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.setting_fields import check_settings, setting


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """Where a member is read from and written to; none of it changes what is learnt."""

    data: str = setting(
        "data/sample.csv.gz",
        "The data set: the .h5 file of `python -m fer_ensemble.data`, or anything that it reads (fer2013.csv, a "
        "folder of images, an archive), which is then converted once. Several inputs: comma-separated.",
    )
    classes: str = setting(
        "", "Comma-separated names of the classes to keep, numbered in this order; empty: all of the data's."
    )
    experiments: str = setting("experiments", "Folder of the members: exp_<fold>/<model>_<replica>/ in it.")
    overwrite: bool = setting(False, "Train afresh what is there already, finished or not.")
    tensorboard: bool = setting(False, "Write TensorBoard logs into the member's folder, too.")

    def __post_init__(self):
        if not self.experiments.strip():  # as of an empty variable: as a path, it would be this folder
            raise UserError("`experiments` must name a folder. Received: an empty name. Give . for this folder.")


@dataclasses.dataclass(frozen=True)
class RangeTestOptions:
    """What `model_train.py` does instead of training a member."""

    find_learning_rate: bool = setting(
        False,
        "Instead of training: take some steps of it with a learning rate that grows from 1e-6 to 10, stop when "
        "the loss diverges, plot it over the rate in EXPERIMENTS/learning_rate/, and suggest a rate.",
    )
    find_steps: int = setting(200, "Steps of --find_learning_rate.", least=20)

    def __post_init__(self):
        check_settings(self)
