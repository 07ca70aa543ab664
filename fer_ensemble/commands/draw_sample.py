"""Draws the bundled sample anew.

python -m fer_ensemble.commands.draw_sample --output=data/sample.csv.gz --seed=0
"""

from absl import flags

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands import edge
from fer_ensemble.data.drawn_faces import IMAGES, draw_sample, write_csv


def main(arguments):
    if arguments:
        raise UserError(f"Expected flags only. Received: {' '.join(arguments)}.")
    sample = draw_sample(flags.FLAGS.images, flags.FLAGS.seed)
    write_csv(flags.FLAGS.output, *sample)
    print(f"{flags.FLAGS.output}: {len(sample[0])} images")


if __name__ == "__main__":
    flags.DEFINE_string("output", None, "The file to write, a .csv.gz.", required=True)
    flags.DEFINE_integer("seed", 0, "The same seed draws the same faces.")
    flags.DEFINE_integer("images", IMAGES, "How many images to draw, all three splits together.")
    edge.run(main)
