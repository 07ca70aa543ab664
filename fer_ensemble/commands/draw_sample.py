"""Draws the bundled sample anew.

Example:

  fer-ensemble draw_sample --output=sample.csv.gz --seed=0
"""

import pathlib

from absl import flags

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.drawn_faces import IMAGES, draw_sample, write_csv


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("output", "", "The file to write, a .csv.gz.")
    flags.DEFINE_integer("seed", 0, "The same seed draws the same faces.")
    flags.DEFINE_integer("images", IMAGES, "How many images to draw, all three splits together.")


def main(arguments: list[str]) -> None:
    """Draws, and writes."""
    if arguments:
        raise UserError(f"Expected flags only. Received: {' '.join(arguments)}.")
    if not flags.FLAGS.output:
        raise UserError("Expected --output, the file to write. Received: none. Give --output=sample.csv.gz")
    output = pathlib.Path(flags.FLAGS.output)
    if not output.name.endswith(".csv.gz") or (output.exists() and not output.is_file()):
        raise UserError(f"--output must be a file that ends in .csv.gz. Received: {output}. Give sample.csv.gz")
    sample = draw_sample(flags.FLAGS.images, flags.FLAGS.seed)
    write_csv(flags.FLAGS.output, *sample)
    print(f"{flags.FLAGS.output}: {len(sample[0])} images")
