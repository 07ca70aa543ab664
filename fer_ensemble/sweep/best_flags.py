"""`best.flags`: the best trial's settings, for the commands that train."""

import dataclasses
import pathlib

from fer_ensemble.base.atomic_files import write_text
from fer_ensemble.sweep.trial_results import TrialResult, flag_value, format_objective
from fer_ensemble.training.settings import TrainingOptions, TrainingSettings

BEST_FLAGS = "best.flags"


def write_best_flags(
    path: pathlib.Path,
    best: TrialResult,
    settings: TrainingSettings,
    options: TrainingOptions,
    fold: str,
    objective: str,
    trials: int,
) -> None:
    """Writes the best trial's settings as a flag file for `model_train.py` and `splitscript.sh`.

    Args:
        path: Path of the file.
        best: The trial.
        settings: Its settings.
        options: Those of the sweep.
        fold: The first fold that it was trained on, as a flag takes it.
        objective: Key of `OBJECTIVES`.
        trials: How many trials the study has by now.
    """
    options = dataclasses.replace(options, experiments=str(path.with_name("best")))
    run = settings.model
    lines = [
        f"# Trial {best.number} of {path.parent}, the best of {trials}: {objective} "
        f"{format_objective(best.value, objective)}.",
        f"#   python model_train.py --flagfile={path}",
        f"#   bash splitscript.sh --flagfile={path}",
        "# Each of the two knows some flags that the other does not:",
        "--undefok=model,replica,fold,runs,folds",
        f"--runs={run}_0,{run}_1",
        f"--fold={fold}",
        f"--data={options.data}",
        *(["--folds=none"] if fold == "none" else []),  # splitscript.sh takes all four otherwise
    ]
    for values in (options, settings):
        for field in dataclasses.fields(values):
            value = getattr(values, field.name)
            named = value != field.default or field.name in ("model", *best.params)
            if named and field.name not in ("fold", "data"):
                lines.append(f"--{field.name}={flag_value(value)}")
    write_text(path, "\n".join(lines) + "\n")
