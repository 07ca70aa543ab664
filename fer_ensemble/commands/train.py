"""Trains one member of the ensemble: one network, on three of the four folds of Training, or all of it.

The finished member lies in EXPERIMENTS/exp_FOLD/MODEL_REPLICA/: the model, its predictions for the images that it
never saw, its learning curve, and a record of how it was made. An interrupted training goes on from its last
epoch when the same command is given again, without --overwrite; a finished one is left alone.

Examples:

  python model_train.py --epochs=3                                   the bundled sample, to look around
  python model_train.py --data=fer2013.csv --model=resnet --fold=2   one member on the real data
  python model_train.py --flagfile=experiments/quick.flags --fold=1  settings from a file, one flag per line
  python model_train.py --data=fer2013.csv --find_learning_rate      which learning rate to begin with
  for rate in 0.02 0.05 0.1; do                                      a sweep
    python model_train.py --data=fer2013.csv --learning_rate=$rate --experiments=experiments/rate_$rate
  done
"""

from absl import flags

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands import edge
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import RangeTestOptions, TrainingOptions
from fer_ensemble.training.variations import VARY_HELP, vary_settings


def define_flags() -> None:
    """Defines the flags of this command."""
    edge.define_flags(TrainingSettings)
    edge.define_flags(TrainingOptions)
    edge.define_flags(RangeTestOptions)
    flags.DEFINE_multi_string("vary", [], VARY_HELP)


def main(arguments: list[str]) -> None:
    """Trains as the flags say, or looks for a learning rate."""
    if arguments:
        raise UserError(f"{edge.program()} takes flags only. Received: {edge.brief(arguments)}")
    settings = vary_settings(edge.settings_from_flags(TrainingSettings), flags.FLAGS.vary)
    options = edge.settings_from_flags(TrainingOptions)
    range_test = edge.settings_from_flags(RangeTestOptions)
    if range_test.find_learning_rate:
        from fer_ensemble.commands.find_learning_rate import find_learning_rate

        return find_learning_rate(settings, options, range_test.find_steps)
    from fer_ensemble.training.member import train_member

    return train_member(settings, options)
