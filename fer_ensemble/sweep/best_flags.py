"""`best.flags`: the best trial's settings, for the commands that train."""

import dataclasses
import pathlib

from optuna.trial import FrozenTrial

from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.sweep.trial_table import flag_value, format_params
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

BEST_FLAGS = "best.flags"


def write_best_flags(
    path: pathlib.Path, best: FrozenTrial, settings: TrainingSettings, options: TrainingOptions, fold: str
) -> None:
    """Writes the best trial's settings as a flag file for `model_train.py` and `splitscript.sh`.

    Args:
        path: Path of the file, in the study's folder.
        best: The trial.
        settings: Its settings.
        options: Those of the sweep.
        fold: The first fold that it was trained on, as a flag takes it.
    """
    options = dataclasses.replace(options, experiments=str(path.with_name("best")))
    chosen = {
        field.name: getattr(values, field.name)
        for values in (options, settings)
        for field in dataclasses.fields(values)
        if field.name in ("data", "model", *best.params) or getattr(values, field.name) != field.default
    }
    chosen |= {"fold": fold, "runs": f"{settings.model}_0,{settings.model}_1"}
    if fold == "none":
        chosen["folds"] = fold  # splitscript.sh takes all four otherwise
    lines = [
        f"# Trial {best.number} of {path.parent}: the best of its study, by {format_params(best.params)}.",
        f"#   python model_train.py --flagfile={path}",
        f"#   bash splitscript.sh --flagfile={path}",
        "# Each of the two knows some flags that the other does not:",
        "--undefok=model,replica,fold,runs,folds",
        *(f"--{name}={flag_value(value)}" for name, value in chosen.items()),
    ]
    write_text(path, "\n".join(lines) + "\n")
