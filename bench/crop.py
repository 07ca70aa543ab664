"""How much of a network's accuracy is kept by each way to cut a face out of a picture.

FER2013's faces are enlarged and put into a larger picture, found there as in any photo, cut out in several ways,
and shown to the network: what is lost against the untouched faces is the price of the way. The first line of the
table is a bound: the frame that each face really had, of which only the resampling costs. The default split is
PublicTest; choose on Training, with --split=Training, or on what a member of a fold held out, with --fold. Without
--data, the faces are those of the drawn sample.

    python bench/crop.py
    python bench/crop.py --data=fer2013.csv
    python bench/crop.py --data=fer2013.csv --network=other.onnx --images=1000 --ours
    python bench/crop.py --data=fer2013.csv --scale=2 --margin=1.5 --ours
    python bench/crop.py --data=fer2013.csv --scale=8 --margin=0.3 --ours
    python bench/crop.py --data=fer2013.csv --roll=30 --ours
    python bench/crop.py --data=fer2013.csv --fold=0 --ours --network=experiments/exp_0/resnet9_0/model.keras

Enlarging a face and shrinking it again changes its pixels, and so an answer at times. With --enlarge=nearest, a
whole --scale and no --roll, the face lies at whole pixels, and its own frame gives back the very pixels.
"""

import argparse
import math
import pathlib
import sys
import time

import cv2
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import fer_ensemble
from fer_ensemble.data.dataset import SPLITS, TRAINING
from fer_ensemble.data.drawn_faces import draw_sample
from fer_ensemble.data.folds import load_folds
from fer_ensemble.data.store import load_dataset, resolve_dataset
from fer_ensemble.faces import frame
from fer_ensemble.faces.detector import FaceDetector

SIZE = 48
OWN = "the frame that the face had"


def fit_rows(landmarks, rows):
    """Scale and shift by some of the landmarks alone."""
    points, target = np.asarray(landmarks, float)[rows], frame.FRAME_LANDMARKS[rows].astype(float)
    centred, aim = points - points.mean(axis=0), target - target.mean(axis=0)
    scale = (centred * aim).sum() / max((centred**2).sum(), 1e-9)
    return np.column_stack([scale * np.eye(2), target.mean(axis=0) - scale * points.mean(axis=0)])


def box_as_it_is(one):
    left, top, width, height = one.box
    return np.array([[SIZE / width, 0, -left * SIZE / width], [0, SIZE / height, -top * SIZE / height]])


def box_grown(one, share):
    left, top, width, height = one.box
    grown = (left - share * width / 2, top - share * height / 2, (1 + share) * width, (1 + share) * height)
    return frame.frame_of_box(grown)


WAYS = {
    "landmarks: scale and shift, turned beyond 12 degrees (ours)": lambda one: frame.fit_frame(one.landmarks),
    "the same, never turned": lambda one: frame.fit_frame(one.landmarks, 180),
    "the same, always upright": lambda one: frame.fit_frame(one.landmarks, 0),
    "eyes and nose: scale and shift": lambda one: fit_rows(one.landmarks, [0, 1, 2]),
    "eyes: scale and shift": lambda one: fit_rows(one.landmarks, [0, 1]),
    "box, made square": lambda one: box_grown(one, 0.0),
    "box, made square, 10 % larger": lambda one: box_grown(one, 0.1),
    "box, stretched": box_as_it_is,
}


def compose(face, options, random):
    """Returns a picture of the face, enlarged, turned, with room of `margin` sizes around it, and its corner."""
    exact = options.enlarge == "nearest"
    way = cv2.INTER_NEAREST if exact else cv2.INTER_CUBIC
    large = cv2.resize(face, None, fx=options.scale, fy=options.scale, interpolation=way)
    size = large.shape[0]
    around = round(size * options.margin)
    full = size + 2 * around
    shift = random.uniform(-0.3, 0.3, 2) * around
    shift = shift.round() if exact else shift
    cosine, sine = math.cos(math.radians(options.roll)), math.sin(math.radians(options.roll))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    middle = np.array([size / 2 - 0.5] * 2)
    offset = np.array([full / 2 - 0.5] * 2) + shift - turn @ middle
    matrix = np.column_stack([turn, offset])
    placed = cv2.warpAffine(large, matrix, (full, full), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return placed, around + shift


def own_frame(corner, options):
    """Returns the map from a picture to the face as it was before it was turned and put there."""
    middle = np.array([SIZE / 2] * 2)
    cosine, sine = math.cos(math.radians(options.roll)), math.sin(math.radians(options.roll))
    linear = np.array([[cosine, sine], [-sine, cosine]]) / options.scale  # back by the roll
    return np.column_stack([linear, middle - linear @ (corner + options.scale * middle)])


def compare_frames(one, other):
    """Returns how far a frame's middle lies off another's, in its pixels, and by which share its size differs."""
    there = np.linalg.solve(other[:, :2], np.array([SIZE / 2] * 2) - other[:, 2])
    apart = one[:, :2] @ there + one[:, 2] - SIZE / 2
    sizes = [abs(np.linalg.det(each[:, :2])) ** 0.5 for each in (one, other)]
    return np.hypot(*apart), max(sizes) / min(sizes) - 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="fer2013.csv, or its .h5; the drawn sample by default")
    parser.add_argument(
        "--network", help="an .onnx or .keras file, or an ensemble's folder; the one that ships by default"
    )
    parser.add_argument("--split", default="PublicTest", choices=("Training", "PublicTest"))
    parser.add_argument("--fold", type=int, help="only what this fold of Training holds out, by --fold_seed=0")
    parser.add_argument("--images", type=int, default=0, help="only so many, evenly chosen; 0: all")
    parser.add_argument("--scale", type=float, default=4, help="how many times the faces are enlarged")
    parser.add_argument("--margin", type=float, default=0.5, help="room around the face, in its sizes")
    parser.add_argument("--roll", type=float, default=0, help="degrees by which each face is turned")
    parser.add_argument("--enlarge", default="cubic", choices=("cubic", "nearest"), help="how they are enlarged")
    parser.add_argument("--ours", action="store_true", help="only the face's own frame, and our way to cut")
    options = parser.parse_args()
    images, labels = read_split(options)
    classifier = fer_ensemble.load(options.network)
    detector, random = FaceDetector(), np.random.default_rng(0)
    probabilities = classifier.predict(images)
    before = probabilities.argmax(axis=1)
    untouched = before == labels
    pictures, found, places, seconds = [], [], [], 0.0
    for face in images:
        picture, corner = compose(face, options, random)
        begun = time.perf_counter()
        detections = detector.detect(picture)
        seconds += time.perf_counter() - begun
        places.append(corner)
        pictures.append(picture)
        found.append(detections[0] if detections else None)
    hit = np.array([one is not None for one in found])
    sure = probabilities.max(axis=1)[hit] >= classifier.unsure_below
    where = options.split if options.fold is None else f"fold {options.fold}"
    where = where if options.data else "drawn"
    print(f"{where}: {len(images):,} faces, {options.scale:g} times enlarged, rolled by {options.roll:g}")
    print(f"found: {hit.mean():.1%}, in {1000 * seconds / len(images):.1f} ms each")
    print(
        f"accuracy, untouched: {untouched.mean():.2%}; of the faces that were found: {untouched[hit].mean():.2%}"
    )
    print(f"\n{'way to cut':60} accuracy, change in points (95 %), the same answer: of all, of the sure")
    frames = {OWN: [own_frame(corner, options) for corner in places]}
    ways = list(WAYS.items())[: 1 if options.ours else None]
    frames |= {name: [find_frame(one) if one else None for one in found] for name, find_frame in ways}
    for name, matrices in frames.items():
        pairs = zip(pictures, matrices, hit, strict=True)
        crops = [frame.cut_face(picture, matrix) for picture, matrix, there in pairs if there]
        answers = classifier.predict(np.stack(crops)).argmax(axis=1)
        right = answers == labels[hit]
        change = right.astype(float) - untouched[hit]
        error = 1.96 * change.std() / len(change) ** 0.5
        same = answers == before[hit]
        print(
            f"{name:60} {right.mean():.2%}  {100 * change.mean():+.2f} +- {100 * error:.2f}   {same.mean():.1%}"
            f"  {same[sure].mean():.1%}"
        )
    fitted = [(frame.fit_frame(one.landmarks), own) for one, own in zip(found, frames[OWN], strict=True) if one]
    shift, size = np.median([compare_frames(*pair) for pair in fitted], axis=0)
    print(f"\nour frames lie off the faces' own by {shift:.1f} pixels and {size:.0%} of the size (medians)")
    if not options.roll:
        pairs = zip(found, places, strict=True)
        landmarks = [(one.landmarks - corner) / options.scale for one, corner in pairs if one]
        print(f"\nmean landmarks in the 48x48 image: {np.mean(landmarks, axis=0).round(2).tolist()}")


def read_split(options):
    """Returns the labelled images of the split, or the drawn ones, and their labels."""
    if options.data:
        path = resolve_dataset(options.data)
        dataset = load_dataset(path)
        chosen = dataset.split(SPLITS.index(options.split))
        if options.fold is not None:
            chosen = dataset.split(TRAINING)
            chosen = chosen[load_folds(dataset, path)[0] == options.fold]
        images, labels = dataset.images[chosen], dataset.labels[chosen]
    else:
        images, labels, _ = draw_sample()
    chosen = np.flatnonzero(labels >= 0)
    if options.images:
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(options.images, len(chosen))).astype(int)]
    return images[chosen], labels[chosen]


if __name__ == "__main__":
    main()
