import numpy as np

from fer_ensemble.report.explained_faces import choose_faces, show_explained


class Network:
    """Two classes; the maps speak for the second where a face is bright."""

    def class_maps(self, faces):
        maps = np.zeros((len(faces), 2, 1, 1), np.float32)
        maps[:, 1, 0, 0] = faces.mean((1, 2)) / 100
        return maps


LABELS = np.array([0, 0, 1, 1, 0])
PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9]])


def test_of_each_class_the_surest_right_and_the_surest_wrong_answer_are_chosen():
    assert choose_faces(LABELS, PROBABILITIES).tolist() == [0, 2, 3, 4]


def test_a_class_that_is_never_wrong_shows_one_face():
    assert choose_faces(np.array([0, 1]), PROBABILITIES[[0, 3]]).tolist() == [0, 1]


def test_the_gallery_says_what_the_network_says_and_what_the_label_is():
    images = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    gallery = show_explained(Network(), images, LABELS, PROBABILITIES, ("dark", "light"))
    assert [one["lines"] for one in gallery.faces] == [
        ["says dark 90 %", "label the same"],
        ["says dark 70 %", "label light"],
        ["says light 80 %", "label the same"],
        ["says light 90 %", "label dark"],
    ]
    assert all(one["picture"].startswith("data:image/png;base64,") for one in gallery.faces)
