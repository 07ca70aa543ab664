"""What `--find_learning_rate` does: search, write a table and a picture, suggest."""

import pathlib

from fer_ensemble.base.atomic_files import replacing
from fer_ensemble.base.errors import UserError
from fer_ensemble.members.directory import member_name
from fer_ensemble.report.csv_tables import write_csv
from fer_ensemble.report.learning_rate_plot import draw_range_test
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

FOLDER = "learning_rate"  # in that of the experiments, beside the members' exp_<fold>
REACH = 0.05  # share of the steps, on either side, that a loss is averaged and its slope measured over


def find_learning_rate(settings: TrainingSettings, options: TrainingOptions, steps: int) -> None:
    """Runs the range test, and writes and prints what it found.

    Writes `EXPERIMENTS/learning_rate/exp_FOLD-RUN.csv`, a row for each step, and `.png`, in the place of those of
    an earlier search. No member is touched.

    Args:
        settings: `TrainingSettings`.
        options: `TrainingOptions`.
        steps: Training steps.

    Raises:
        UserError: If the loss is no number from the beginning.
    """
    from fer_ensemble.training.learning_rate_search import run_range_test, smooth, suggest_rates

    rates, losses = run_range_test(settings, options, steps)
    if not len(rates):
        raise UserError(
            "The loss must be a finite number, but is none at the first step: is there an error in the data?"
        )
    reach = max(1, round(REACH * steps))
    smoothed = smooth(losses, reach)
    suggested = suggest_rates(rates, smoothed, reach)
    folder = pathlib.Path(options.experiments) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    name = member_name(settings.fold, settings.run).replace("/", "-")
    rows = zip(rates, losses, smoothed, strict=True)
    columns = ["learning_rate", "loss", "smoothed_loss"]
    write_csv(folder / f"{name}.csv", columns, ([f"{value:.6g}" for value in row] for row in rows))
    with replacing(folder / f"{name}.png") as temporary:
        temporary.write_bytes(
            draw_range_test(rates, losses, smoothed, suggested, f"{settings.run}, {settings.optimizer}")
        )
    print(f"written to {folder}: {name}.png, {name}.csv")
    if suggested is None:
        print("The loss was never lower than at the beginning: no learning rate to suggest.")
        return
    steepest, lowest = suggested
    print(
        f"The loss falls fastest at {steepest:.2g} and is lowest at {lowest:.2g}. "
        f"Try --learning_rate={steepest:.2g}, or a tenth of the latter, --learning_rate={lowest / 10:.2g}"
    )
