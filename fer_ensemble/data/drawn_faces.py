"""Draws the bundled sample: schematic faces in FER2013's own CSV format.

With the sample, everything runs without the real data. A small network learns it to about 93 % in a minute;
two swapped classes or an augmentation that turns faces upside down cost it many points. Its scores say
nothing about real faces. The bundled file was made by

    fer-ensemble draw_sample --output=fer_ensemble/assets/sample.csv.gz --seed=0

and the same seed gives the same file again. It holds labelled images for all three splits, five sevenths of
them Training, in class sizes almost as uneven as FER2013's. As in FER2013, some images are exact copies of
others, within Training and across Training and PrivateTest.
"""

import gzip
import io
import os
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fer_ensemble.base import atomic_files
from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import CLASS_NAMES, IMAGE_SIZE, PRIVATE_TEST, SPLITS, TRAINING

IMAGES = 1176  # 840 Training, 168 PublicTest, 168 PrivateTest
MINIMUM_IMAGES = 168  # with fewer, the rarest class might be missing from a test split

# Facial action units, numbered as in the Facial Action Coding System (Ekman & Friesen, 1978).
ACTION_UNITS = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    15: "lip corner depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    25: "lips part",
    26: "jaw drop",
    43: "eyes closed",
}

# The action units of each expression, after the prototypes of EMFACS (Friesen & Ekman, 1983). Their
# strengths, 0..1, and a few additions were chosen by eye: the mouth is only about 15 pixels wide.
EXPRESSIONS = {
    "angry": {4: 1.0, 5: 0.3, 7: 0.6, 23: 1.0},
    "disgust": {4: 0.5, 7: 0.6, 9: 1.0, 10: 1.0, 15: 0.5, 25: 0.3},
    "fear": {1: 1.0, 2: 0.5, 4: 0.6, 5: 1.0, 20: 1.0, 25: 0.9},
    "happy": {6: 1.0, 12: 1.0, 25: 0.8},
    "sad": {1: 1.0, 4: 0.5, 15: 1.0, 17: 0.6, 43: 0.3},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.9, 25: 0.5, 26: 1.0},
    "neutral": {},
}

_CLASS_SHARES = np.array([23, 10, 23, 40, 27, 18, 27]) / 168  # FER2013's, but 6 % disgust in place of 1.5 %
_SPLIT_SHARES = np.array([5, 1, 1]) / 7
_SCALE = 4  # drawn so many times larger than kept, so that edges come out smooth
_GREY_STEP = 16  # the compressed file takes 0.9 MB; with steps of 8, 1.3 MB


def draw_sample(images: int = IMAGES, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws labelled faces of all classes for all splits.

    Args:
        images: How many images in all, at least 168.
        seed: Integer, at least 0. The same seed draws the same sample.

    Returns:
        `(images, labels, usage)` as in `Dataset`: uint8 of shape `(images, 48, 48)`, int8 and uint8 of shape
        `(images,)`. The splits follow one another, the classes are mixed. In each class, one Training image
        repeats another one exactly, and one PrivateTest image repeats a Training image.

    Raises:
        UserError: If there are too few images or the seed is negative.
    """
    if images < MINIMUM_IMAGES:
        raise UserError(
            f"`images` must be at least {MINIMUM_IMAGES}, or a split may lack a class. Received: {images}."
        )
    if seed < 0:
        raise UserError(f"`seed` must not be negative. Received: {seed}.")
    random = np.random.default_rng(seed)
    split_sizes = _share_out(images, _SPLIT_SHARES)
    usage = np.repeat(np.arange(len(SPLITS), dtype=np.uint8), split_sizes)
    class_labels = np.arange(len(CLASS_NAMES), dtype=np.int8)
    labels = np.concatenate(
        [random.permutation(np.repeat(class_labels, _share_out(size, _CLASS_SHARES))) for size in split_sizes]
    )
    faces = np.stack([draw_face(CLASS_NAMES[label], random) for label in labels])
    for label in class_labels:
        training = np.flatnonzero((labels == label) & (usage == TRAINING))
        private_test = np.flatnonzero((labels == label) & (usage == PRIVATE_TEST))
        faces[training[-1]] = faces[training[0]]
        faces[private_test[-1]] = faces[training[1]]
    return faces, labels, usage


def _share_out(total, shares):
    """Splits `total` into whole numbers near `total * shares` that add up to it."""
    return np.diff(np.round(np.cumsum(shares) * total).astype(int), prepend=0)


def draw_face(expression: str | dict[int, float], random: np.random.Generator) -> np.ndarray:
    """Draws the face of a new person.

    Args:
        expression: One of `CLASS_NAMES`; or, for any other, a dictionary from action units to strengths, 0..1.
        random: `numpy.random.Generator`; the person, the strength of the expression, the pose, the light and
            the noise come from it.

    Returns:
        uint8 array of shape `(48, 48)`, grey values in steps of 16.
    """
    strength = random.uniform(0.45, 1.0)
    units = {unit: abs(random.normal(0, 0.06)) for unit in ACTION_UNITS}
    for unit, full in (EXPRESSIONS[expression] if isinstance(expression, str) else expression).items():
        units[unit] += full * min(1.0, strength * random.uniform(0.7, 1.2))
    skin = random.uniform(105, 205)
    canvas = _Canvas(background=random.uniform(20, 230), random=random)
    _draw_head(canvas, units, skin, random)
    hair = skin * random.uniform(0.2, 0.7)
    _draw_hair(canvas, hair, random)
    eye_x = random.uniform(0.40, 0.47)  # from the middle of the face; the unit is half the width of the head
    eye_y = random.uniform(-0.20, -0.12)
    _draw_eyes(canvas, units, eye_x, eye_y, skin, random)
    _draw_brows(canvas, units, eye_x, eye_y, skin, random)
    _draw_nose(canvas, units, skin, random)
    _draw_mouth(canvas, units, skin, random)
    return _expose(canvas.pixels(), random)


class _Canvas:
    """A grey picture that is drawn in face coordinates.

    x is 0 in the middle of the face and about 1 at the side of the head; y has the same unit, is 0 at the
    bridge of the nose and grows downwards. The pose (shift, tilt, size) is random.
    """

    def __init__(self, background, random):
        size = IMAGE_SIZE * _SCALE
        self._image = Image.new("L", (size, size), round(background))
        self._unit = size * random.uniform(0.40, 0.46)  # pixels
        tilt = np.radians(random.normal(0, 5))
        self._turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
        self._origin = size * (np.array([0.5, 0.44]) + random.normal(0, 0.02, 2))

    def fill(self, points, grey, within=None):
        """Fills the polygon; with `within`, a second polygon, only the part inside that."""
        if within is None:
            ImageDraw.Draw(self._image).polygon(self._to_pixels(points), fill=round(grey))
        else:
            filled = self._image.copy()
            ImageDraw.Draw(filled).polygon(self._to_pixels(points), fill=round(grey))
            mask = Image.new("1", self._image.size)
            ImageDraw.Draw(mask).polygon(self._to_pixels(within), fill=1)
            self._image.paste(filled, mask=mask)

    def stroke(self, points, width, grey):
        """Draws a line with round joints; `width` in face units."""
        ImageDraw.Draw(self._image).line(
            self._to_pixels(points), fill=round(grey), width=max(1, round(width * self._unit)), joint="curve"
        )

    def pixels(self):
        """Returns the picture, float64 of shape `(48, 48)`, grey values 0..255."""
        return np.asarray(self._image.reduce(_SCALE), dtype=np.float64)

    def _to_pixels(self, points):
        return [tuple(point) for point in np.asarray(points) @ self._turn * self._unit + self._origin]


def _ellipse(x, y, width, height):
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([x + width * np.cos(angles), y + height * np.sin(angles)], axis=1)


def _arc(x, y, half_width, middle, ends, points=17):
    """A parabola from (x - half_width, y + ends) over (x, y + middle) to (x + half_width, y + ends)."""
    t = np.linspace(-1, 1, points)
    return np.stack([x + half_width * t, y + middle + (ends - middle) * t**2], axis=1)


def _between(upper, lower):
    """The polygon between two lines that run the same way."""
    return np.concatenate([upper, lower[::-1]])


def _draw_head(canvas, units, skin, random):
    width = random.uniform(0.9, 1.02)
    chin = random.uniform(1.12, 1.25) + 0.12 * units[26]
    shoulders = _ellipse(0, 1.9, 1.6, 0.65)
    canvas.fill(_ellipse(0, 1.3, 0.55, 0.7), skin * 0.75)
    canvas.fill(shoulders, random.uniform(30, 220))
    outline = _ellipse(0, 0, width, 1.0)
    outline[:, 1] *= np.where(outline[:, 1] > 0, chin, 1.15)
    for side in (-1, 1):
        canvas.fill(_ellipse(side * width, 0.0, 0.1, 0.22), skin * 0.85)
    canvas.fill(outline, skin)


def _draw_hair(canvas, grey, random):
    """A cap of hair down to a random hairline, at times with long sides."""
    hairline = random.uniform(-0.85, -0.68)
    canvas.fill(_between(_arc(0, 0, 1.08, -1.45, -0.35), _arc(0, 0, 0.95, hairline, -0.25)), grey)
    if random.random() < 0.4:
        for side in (-1, 1):
            canvas.fill(_ellipse(side * 1.02, 0.25, 0.14, 0.8), grey)


def _draw_eyes(canvas, units, eye_x, eye_y, skin, random):
    half_width = random.uniform(0.19, 0.22)
    open_share = 1 - 0.8 * min(1, units[43])
    upper = -(0.10 + 0.09 * units[5] - 0.03 * units[7]) * open_share
    lower = 0.07 - 0.06 * units[6] - 0.05 * units[7] - 0.03 * units[9]
    iris_grey = random.uniform(15, 70)
    gaze = random.normal(0, 0.02)
    for side in (-1, 1):
        x = side * eye_x
        upper_lid = _arc(x, eye_y, half_width, upper, 0.02)
        lower_lid = _arc(x, eye_y, half_width, lower, 0.02)
        opening = _between(upper_lid, lower_lid)
        canvas.fill(_ellipse(x, eye_y - 0.02, half_width * 1.25, 0.19), skin * 0.88)
        canvas.fill(opening, min(245, skin * 1.25 + 20))
        canvas.fill(_ellipse(x + gaze, eye_y - 0.015, 0.085, 0.085), iris_grey, within=opening)
        canvas.stroke(upper_lid, 0.045, skin * 0.3)
        canvas.stroke(lower_lid, 0.025, skin * 0.6)
        # Cheeks push a fold up under the eye, and crow's feet out to its side.
        fold = _arc(x, eye_y + 0.16 - 0.04 * units[6], half_width, 0.03, 0)
        canvas.stroke(fold, 0.03, skin * (0.86 - 0.25 * units[6]))
        for slope in (-0.08, 0.0, 0.08):
            start = [x + side * (half_width + 0.05), eye_y + 0.4 * slope]
            end = [x + side * (half_width + 0.16), eye_y + 1.4 * slope]
            canvas.stroke([start, end], 0.02, skin * (1 - 0.35 * units[6]))


def _draw_brows(canvas, units, eye_x, eye_y, skin, random):
    thickness = random.uniform(0.06, 0.12)
    grey = skin * random.uniform(0.2, 0.5)
    height = eye_y - random.uniform(0.26, 0.31)
    inner = height - 0.17 * units[1] + 0.17 * units[4] + 0.08 * units[9]
    middle = height - 0.03 - 0.08 * units[1] - 0.11 * units[2] + 0.11 * units[4] + 0.04 * units[9]
    outer = height + 0.03 - 0.14 * units[2] + 0.02 * units[4]
    inner_x = eye_x - 0.24 - 0.07 * units[4]
    for side in (-1, 1):
        xs = [inner_x, eye_x - 0.05, eye_x + 0.1, eye_x + 0.27]
        ys = [inner, middle, 0.6 * middle + 0.4 * outer, outer]
        canvas.stroke(np.stack([side * np.array(xs), ys], axis=1), thickness, grey)
        # Furrows between the brows when they are drawn together.
        furrow = [[side * 0.07, inner - 0.05], [side * 0.06, inner + 0.15]]
        canvas.stroke(furrow, 0.03, skin * (1 - 0.4 * min(1, units[4])))
    lift = min(1, 0.6 * units[1] + 0.4 * units[2])
    for y in (0.13, 0.22):
        canvas.stroke(_arc(0, middle - y, 0.45, -0.02, 0), 0.025, skin * (1 - 0.25 * lift))


def _draw_nose(canvas, units, skin, random):
    tip = random.uniform(0.30, 0.36) - 0.08 * units[9]
    half_width = random.uniform(0.14, 0.19) + 0.04 * units[9] + 0.03 * units[12]
    side = random.choice([-1, 1])  # the shaded one
    canvas.stroke([[side * 0.09, -0.1], [side * 0.11, tip - 0.1]], 0.05, skin * 0.82)
    canvas.stroke(_arc(0, tip, half_width, 0.04, -0.05), 0.04, skin * 0.6)
    for nostril in (-1, 1):
        canvas.fill(_ellipse(nostril * 0.08, tip, 0.045, 0.025), skin * 0.35)
        wing = [[nostril * half_width, tip - 0.05], [nostril * (half_width - 0.02), tip - 0.14]]
        canvas.stroke(wing, 0.03, skin * 0.65)
    for y in (-0.16, -0.08, 0.0):
        canvas.stroke(_arc(0, y, 0.11, -0.02, 0.03), 0.03, skin * (1 - 0.45 * min(1, units[9])))


def _draw_mouth(canvas, units, skin, random):
    y = random.uniform(0.64, 0.70) - 0.04 * units[10] - 0.04 * units[17]
    half_width = random.uniform(0.30, 0.36)
    half_width += 0.13 * units[12] + 0.14 * units[20] - 0.08 * units[23] - 0.10 * units[26]
    corners = -0.16 * units[12] + 0.15 * units[15] + 0.03 * units[20]
    top = 0.06 * units[12] - 0.09 * units[10] - 0.06 * units[17] - 0.14 * units[26]
    gap = 0.14 * units[25] * (1 + units[12] / 2) + 0.42 * units[26]
    full = random.uniform(0.05, 0.09) * (1 - 0.65 * min(1, units[23]))
    lip_grey = skin * random.uniform(0.5, 0.75)
    upper_lip = _arc(0, y, half_width + 0.03, top - full, corners)
    lower_lip = _arc(0, y, half_width + 0.03, top + gap + 1.3 * full, corners)
    upper_rim = _arc(0, y, half_width, top, corners)
    lower_rim = _arc(0, y, half_width, top + gap, corners)
    canvas.fill(_between(upper_lip, lower_lip), lip_grey)
    opening = _between(upper_rim, lower_rim)
    canvas.fill(opening, 25)
    if gap > 0.05:
        teeth = _between(upper_rim, _arc(0, y, half_width, top + min(0.6 * gap, 0.13), corners))
        canvas.fill(teeth, 0.75 * min(255, skin + 70), within=opening)
    canvas.stroke(upper_rim, 0.035, skin * 0.3)
    chin_fold = _arc(0, y + gap + 0.26, 0.2, -0.05 * units[17], 0.02)
    canvas.stroke(chin_fold, 0.04, skin * (0.88 - 0.2 * units[17]))
    # The folds from the nose to the corners of the mouth.
    deep = min(1, 0.8 * units[12] + 0.9 * units[9] + 0.7 * units[10])
    for side in (-1, 1):
        fold = [[0.22, 0.24], [0.32 + 0.06 * deep, 0.42], [half_width + 0.1, y + corners - 0.02]]
        canvas.stroke(np.array(fold) * [side, 1], 0.04, skin * (0.93 - 0.35 * deep))


def _expose(pixels, random):
    """Light from one side, a soft lens, noise, and the grey steps."""
    direction = random.uniform(0, 2 * np.pi)
    ramp = np.linspace(-1, 1, IMAGE_SIZE)
    slope = random.uniform(0, 0.3)
    light = 1 + slope * (np.cos(direction) * ramp[None, :] + np.sin(direction) * ramp[:, None])
    pixels = np.clip(pixels * light * random.uniform(0.75, 1.15), 0, 255)
    soft = Image.fromarray(np.round(pixels).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(random.uniform(0.2, 0.8))
    )
    noisy = np.asarray(soft, dtype=np.float64) + random.normal(0, random.uniform(1, 4), soft.size)
    return (np.clip(np.round(noisy / _GREY_STEP), 0, 255 // _GREY_STEP) * _GREY_STEP).astype(np.uint8)


def write_csv(path: str | os.PathLike, images: np.ndarray, labels: np.ndarray, usage: np.ndarray) -> None:
    """Writes images as FER2013's own CSV (`emotion,pixels,Usage`), compressed by gzip.

    The same arrays give the same bytes. An existing file is replaced at once or not at all.

    Args:
        path: The file; its folder is made if it is missing.
        images: uint8 array of shape `(images, 48, 48)`.
        labels: int8 array of shape `(images,)`.
        usage: uint8 array of shape `(images,)`, positions in `SPLITS`.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["emotion,pixels,Usage\n"]
    for image, label, split in zip(images, labels, usage, strict=True):
        lines.append(f"{label},{' '.join(map(str, image.ravel()))},{SPLITS[split]}\n")
    compressed = io.BytesIO()
    # No file name and no time in the header: they would differ from run to run.
    with gzip.GzipFile(filename="", mode="wb", fileobj=compressed, mtime=0) as file:
        file.write("".join(lines).encode())
    with atomic_files.replacing(path) as temporary:
        temporary.write_bytes(compressed.getvalue())
