"""Writes the pictures without a face that scikit-image brings along to a folder, for `evaluate --faceless`.

pip install scikit-image
python bench/faceless_pictures.py /tmp/faceless
"""

import pathlib
import shutil
import sys

# Not: astronaut, camera, lfw_subset (people), chelsea (a cat has a face), and what is no photograph.
NAMES = (
    "brick.png", "cell.png", "clock_motion.png", "coffee.png", "coins.png", "grass.png", "gravel.png",
    "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg",
    "text.png",
)  # fmt: skip


def main(folder):
    import skimage

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        shutil.copy(pathlib.Path(skimage.__file__).parent / "data" / name, folder)
    print(f"{folder}: {len(NAMES)} pictures")


if __name__ == "__main__":
    main(*sys.argv[1:])
