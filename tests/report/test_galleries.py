import base64
import io

import numpy as np
from PIL import Image

from fer_ensemble.ensemble.parts import Part
from fer_ensemble.report.galleries import (
    FACES,
    LINES,
    encode_face,
    show_conflicts,
    show_likely_wrong,
    show_mistakes,
)


def decode(picture):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.removeprefix("data:image/png;base64,")))))


def part_of(dataset, count=12):
    rows = dataset.rows[:count]
    return Part(rows, dataset.labels[:count], np.zeros(count, bool), {}, np.empty(0))


def test_a_face_comes_back_from_its_picture(tiny_dataset):
    face = tiny_dataset.images[0]
    np.testing.assert_array_equal(decode(encode_face(face)), face)


def test_the_most_confident_mistakes_come_first(tiny_dataset):
    part = part_of(tiny_dataset)
    classes = len(tiny_dataset.class_names)
    right = np.eye(classes)[part.labels]
    wrong = np.roll(right, 1, axis=1)
    sure = np.where(np.arange(12) < 3, [0.9, 0.99, 0.6, *[0] * 9], 0)[:, None]  # the first three are wrong
    gallery = show_mistakes(tiny_dataset, part, sure * wrong + (1 - sure) * right, tiny_dataset.class_names, "T")
    assert "3 of the 3 images" in gallery.note
    assert [face["name"] for face in gallery.faces] == [f"row {part.rows[position]}" for position in (1, 0, 2)]
    np.testing.assert_array_equal(decode(gallery.faces[0]["picture"]), tiny_dataset.images[1])
    assert gallery.faces[0]["lines"][0].endswith("99 %") and gallery.faces[0]["lines"][1].endswith("1 %")


def test_nothing_to_show_is_no_gallery(tiny_dataset):
    part = part_of(tiny_dataset)
    names = tiny_dataset.class_names
    right = np.eye(len(names))[part.labels]
    assert show_mistakes(tiny_dataset, part, right, names, "T") is None
    nothing = np.empty(0, np.int64)
    assert show_likely_wrong(tiny_dataset, part, nothing, nothing, right, names) is None
    assert show_conflicts(tiny_dataset, []) is None


def test_a_gallery_is_not_endless(tiny_dataset):
    gallery = show_conflicts(tiny_dataset, [[0, 1]] * 30 + [list(range(12))])
    assert len(gallery.faces) == FACES
    assert "24 of 31" in gallery.note
    many = show_conflicts(tiny_dataset, [list(range(12))]).faces[0]["lines"]
    assert len(many) == LINES and many[-1] == "and 7 more"
