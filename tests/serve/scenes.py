"""Pictures and camera films made of the drawn faces: who is where is known."""

import functools
import io

import numpy as np
from PIL import Image

from fer_ensemble.data import drawn_faces
from fer_ensemble.data.dataset import CLASS_NAMES
from fer_ensemble.faces.drawn_pictures import compose_picture

SCALE = 4  # a face has 192 pixels
GROUND = 170


@functools.cache
def sample():
    """Returns the drawn faces and their labels."""
    images, labels, _ = drawn_faces.draw_sample(images=drawn_faces.MINIMUM_IMAGES, seed=3)
    return images, labels


def drawn(name):
    """Returns a drawn face of a class, uint8 `(48, 48)`."""
    images, labels = sample()
    return images[labels == CLASS_NAMES.index(name)][0]


def compose(faces, corners, size):
    """Returns an RGB picture with faces, each with its upper left corner at one of the places."""
    return compose_picture(faces, corners, size, SCALE, GROUND)


def party(count=5):
    """Returns a picture with up to five faces beside and below each other."""
    names = ("happy", "surprise", "sad", "angry", "neutral")[:count]
    corners = [(40, 30), (300, 50), (560, 20), (120, 270), (430, 280)][:count]
    return compose([drawn(name) for name in names], corners, (800, 500))


def encode(picture, kind="PNG", **options):
    """Returns a picture as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **options)
    return file.getvalue()


def film(path, faces, seconds=8, rate=20):
    """Writes a film for Chromium's fake camera (MJPEG, 640 x 480): a face that moves, and halfway becomes another.

    The upper left corner is black while it is the first, white while it is the second.
    """
    with path.open("wb") as file:
        for number in range(seconds * rate):
            time = number / rate
            second = time >= seconds / 2
            scene = compose([faces[second]], [(left_edge(time, seconds), 140)], (640, 480))
            scene[:32, :32] = 255 * second
            file.write(encode(scene, "JPEG", quality=90))
    return path


def left_edge(time, seconds=8):
    """Returns where the left edge of the film's face is, in pixels: it goes there and back once."""
    return round(60 + 320 * (0.5 - 0.5 * np.cos(2 * np.pi * time / seconds)))


def two_faces(classifier):
    """Returns two drawn faces, and what a network sees in them once they are found: two expressions, both sure."""
    best = {}
    for face in sample()[0][::3]:
        for found in classifier.find_faces(compose([face], [(200, 140)], (640, 480))):
            if found.probability > best.get(found.expression, (0,))[0]:
                best[found.expression] = found.probability, face
    (first, (_, one)), (second, (_, other)) = sorted(best.items(), key=lambda item: -item[1][0])[:2]
    return (one, other), (first, second)
