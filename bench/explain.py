"""Whether explanations explain, on PublicTest: the deletion test, and a network that learnt nothing.

python bench/explain.py --data=fer2013.csv [--network=FILE.onnx] [--faces=1000] [--covering_faces=50]
                        [--picture=explanations.png]

Prints the table of docs/explain.md. The network that ships is explained by its class maps, and, on fewer faces as
each takes a quarter of a second, as if it had none, by covering. --picture draws some faces of the sample's kind.
"""

import argparse
import pathlib
import sys
import tempfile

import numpy as np
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import fer_ensemble
from fer_ensemble.classifier.explanation import explain
from fer_ensemble.classifier.explanation_checks import compare_explanations, deletion_test
from fer_ensemble.classifier.explanation_picture import draw_explanation
from fer_ensemble.classifier.onnx_network import OnnxNetwork
from fer_ensemble.data.dataset import CLASS_NAMES, PUBLIC_TEST
from fer_ensemble.data.drawn_faces import draw_face
from fer_ensemble.data.store import load_dataset
from fer_ensemble.export.shuffled_weights import shuffle_weights

SHIPPED = pathlib.Path(fer_ensemble.__file__).parent / "assets" / "network.onnx"


class WithoutMaps:
    """A network as if it had no class maps."""

    def __init__(self, network):
        self.class_names, self.predict = network.class_names, network.predict


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--network", default=str(SHIPPED))
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--covering_faces", type=int, default=50)
    parser.add_argument("--picture", default="")
    given = parser.parse_args()
    dataset = load_dataset(given.data)
    faces = dataset.images[dataset.split(PUBLIC_TEST)[: given.faces]]
    network = OnnxNetwork(given.network)
    with tempfile.TemporaryDirectory() as folder:
        shuffled = pathlib.Path(folder) / "shuffled.onnx"
        shuffle_weights(given.network, shuffled)
        random = OnnxNetwork(shuffled)
    rows = [("class maps", network, random, faces)]
    few = faces[: given.covering_faces]
    rows.append(("covering", WithoutMaps(network), WithoutMaps(random), few))
    print(
        "| explained by | faces | probability lost: marked region | a random region | decisions changed: marked | "
        "random | marked costs more | correlation with shuffled weights |"
    )
    print("| --- " * 8 + "|")
    for name, trained, other, chosen in rows:
        found = deletion_test(trained, chosen)
        correlations = compare_explanations(trained, other, chosen)
        print(
            f"| {name} | {len(chosen):,} | {found['marked']:.3f} | {found['random']:.3f} | "
            f"{found['marked_changed']:.1%} | {found['random_changed']:.1%} | {found['marked_more']:.1%} | "
            f"{correlations.mean():.2f} +- {correlations.std():.2f} |",
            flush=True,
        )
    if given.picture:
        Image.fromarray(draw_examples(network)).save(given.picture)


def draw_examples(network):
    """Draws a row for each class: a drawn face, and its explanation by class maps and by covering."""
    random = np.random.default_rng(0)
    faces = np.stack([draw_face(name, random) for name in CLASS_NAMES])
    columns = [
        np.concatenate(
            [np.kron(face, np.ones((4, 4), np.uint8))[..., None].repeat(3, axis=2) for face in faces], 1
        )
    ]
    for one in (network, WithoutMaps(network)):
        drawn = [draw_explanation(face, found) for face, found in zip(faces, explain(one, faces), strict=True)]
        columns.append(np.concatenate(drawn, axis=1))
    return np.concatenate(columns)


if __name__ == "__main__":
    main()
