"""Draws a drawn face under every corruption of FER2013-C, as the picture of docs/robustness.md.

python bench/corruption_sheet.py docs/corruptions.png
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from fer_ensemble.data.drawn_faces import draw_sample
from fer_ensemble.report.corruption_pictures import draw_sheet


def main(output):
    pathlib.Path(output).write_bytes(draw_sheet(draw_sample(seed=0)[0][0]))
    print(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
