"""Predicts with the whole ensemble: combines its members, scores them, and writes the results.

The members' predictions are files that their trainings left, so that this takes seconds and can be repeated
with other weights. With --images it runs the networks on photos of faces.

Examples:

  python predict.py --ensemble experiments/                    tables, report.html, predictions.csv, scores.json
  python predict.py --ensemble experiments/ --weights=equal    every run counts the same
  python predict.py --ensemble experiments/ --data=fer2013.csv    with faces in the report
  python predict.py --ensemble experiments/ --data=other.csv   the test splits of another data set
  python predict.py --ensemble experiments/ --images me.jpg holidays/
"""

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands.edge import define_flags, run, settings_from_flags
from fer_ensemble.commands.predict_options import PredictOptions

define_flags(PredictOptions)


def main(arguments):
    options = settings_from_flags(PredictOptions)
    if options.images:
        from fer_ensemble.commands.photos import report_photos

        return report_photos(options, [options.images, *arguments])
    if arguments:
        raise UserError(f"predict.py takes photos only after --images. Received: {' '.join(arguments)}")
    from fer_ensemble.commands.predict import report_ensemble

    return report_ensemble(options)


if __name__ == "__main__":
    run(main)
