"""Sweeps over settings: trains members with values that a study chooses, better ones as it goes on (Optuna's TPE).

Each trial trains a member of one fold (or of several, --folds) in a process of its own, and is scored on the
images that it held out. All flags of model_train.py are settings that the trials share; --search names those that
are tried:

  --search=learning_rate=log:1e-4:1e-1     between these, as often from 1e-4 to 1e-3 as from 1e-2 to 1e-1
  --search=dropout=uniform:0:0.5           between these
  --search=epochs=int:2:6                  a whole number; width=log:8:64 is one, too
  --search=optimizer=choice:sgd,muon       one of these

The study is a folder: journal.log, trial_0/ and so on, trials.csv and best.flags after each trial, report.html at
the end. Processes that are given the same command share it. After Ctrl-C, SIGTERM or a kill the same command goes
on, from the middle of the trial; when all --trials are done, a larger number adds more.

Examples:

  python sweep.py --search=learning_rate=log:1e-3:1e-1 --epochs=3 --width=8      the bundled sample, to look around
  python sweep.py --flagfile=experiments/quick.flags --data=fer2013.csv --trials=50 \\
      --search=learning_rate=log:1e-4:1e-1 --search=weight_decay=choice:1e-4,5e-4 --search=dropout=uniform:0:0.5
  for gpu in 0 1 2 3; do CUDA_VISIBLE_DEVICES=$gpu python sweep.py ... & done; wait     four processes, one study
  sbatch --array=0-7 --gres=gpu:1 --time=8:00:00 --wrap="python sweep.py ..."           eight tasks of a cluster
  python model_train.py --flagfile=experiments/sweep/best.flags                         what was found
"""

from absl import flags

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands import edge
from fer_ensemble.launch.plan import parse_folds
from fer_ensemble.sweep.sweep_options import SweepOptions
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions
from fer_ensemble.training.variations import VARY_HELP


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_multi_string(
        "search",
        [],
        "A setting and what to try: NAME=log:LOW:HIGH, uniform:LOW:HIGH, int:LOW:HIGH or choice:A,B,...",
    )
    flags.DEFINE_multi_string("vary", [], VARY_HELP)
    edge.define_flags(SweepOptions)
    edge.define_flags(TrainingSettings, skip=("fold",))
    edge.define_flags(TrainingOptions, skip=("overwrite",))


def main(arguments: list[str]) -> None:
    """Works on the study that the flags describe."""
    if arguments:
        raise UserError(f"{edge.program()} takes flags only. Received: {edge.brief(arguments)}")
    sweep = edge.settings_from_flags(SweepOptions)
    settings = edge.settings_from_flags(TrainingSettings, fold=parse_folds(sweep.folds)[0])
    options = edge.settings_from_flags(TrainingOptions, overwrite=False)
    from fer_ensemble.sweep.loop import Sweep

    Sweep(flags.FLAGS.search, settings, options, sweep, flags.FLAGS.vary).run()
