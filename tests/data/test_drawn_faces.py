import gzip
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from fer_ensemble.data.dataset import CLASS_NAMES, PRIVATE_TEST, SPLITS, TRAINING
from fer_ensemble.data.drawn_faces import ACTION_UNITS, EXPRESSIONS, draw_face, draw_sample, write_csv

ROOT = pathlib.Path(__file__).parents[2]
BUNDLED = ROOT / "fer_ensemble" / "assets" / "sample.csv.gz"


def run_command(*arguments):
    command = [sys.executable, "-m", "fer_ensemble", "draw_sample", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def bundled():
    """The bundled file, read without the package: `(images, labels, usage)`."""
    lines = gzip.decompress(BUNDLED.read_bytes()).decode("ascii").splitlines()
    assert lines[0] == "emotion,pixels,Usage"
    cells = [line.split(",") for line in lines[1:]]
    images = np.array([pixels.split() for _, pixels, _ in cells]).astype(np.uint8).reshape(-1, 48, 48)
    labels = np.array([int(label) for label, _, _ in cells])
    return images, labels, np.array([SPLITS.index(usage) for _, _, usage in cells])


def test_the_command_writes_the_bundled_file_again(tmp_path):
    result = run_command(f"--output={tmp_path / 'new' / 'sample.csv.gz'}", "--seed=0")
    assert result.returncode == 0, result.stderr
    assert "1176 images" in result.stdout
    # The contents, since another zlib may compress them to other bytes.
    written = gzip.decompress((tmp_path / "new" / "sample.csv.gz").read_bytes())
    assert written == gzip.decompress(BUNDLED.read_bytes())


@pytest.mark.parametrize("name", ["", "mine.txt", "folder.csv.gz"])
def test_what_is_no_place_for_a_sample_is_told_before_it_is_drawn(name, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "folder.csv.gz").mkdir()
    result = run_command(f"--output={tmp_path / name}")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1), result.stderr
    assert "--output must be a file that ends in .csv.gz. Received: " in result.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_faces(tmp_path):
    for name, seed in [("first", 7), ("again", 7), ("other", 8)]:
        write_csv(tmp_path / name, *draw_sample(images=168, seed=seed))
    first, again, other = ((tmp_path / name).read_bytes() for name in ("first", "again", "other"))
    assert first == again
    assert first != other


def test_the_bundled_file_is_smaller_than_a_megabyte():
    assert BUNDLED.stat().st_size < 1_000_000


def test_each_class_has_at_least_8_images_in_each_split_and_the_sizes_are_uneven(bundled):
    _, labels, usage = bundled
    counts = np.array([np.bincount(labels[usage == split], minlength=7) for split in range(3)])
    assert counts.sum(axis=1).tolist() == [840, 168, 168]
    assert counts[1].tolist() == counts[2].tolist() == [23, 10, 23, 40, 27, 18, 27]
    assert counts[0].tolist() == [115, 50, 115, 200, 135, 90, 135]


def test_the_splits_follow_one_another_and_the_classes_are_mixed(bundled):
    _, labels, usage = bundled
    assert (np.diff(usage) >= 0).all()
    assert set(labels[:100]) == set(range(7))


def test_each_class_has_a_copy_within_training_and_one_in_private_test(bundled):
    images, labels, usage = bundled
    _, first, copies = np.unique(images, axis=0, return_index=True, return_inverse=True)
    repeats = np.flatnonzero(first[copies.ravel()] != np.arange(len(images)))
    assert sorted(labels[repeats]) == sorted([*range(7), *range(7)])
    assert (usage[repeats] == TRAINING).sum() == (usage[repeats] == PRIVATE_TEST).sum() == 7
    assert (usage[first[copies.ravel()[repeats]]] == TRAINING).all()


def test_any_number_of_images_is_drawn_exactly():
    images, labels, usage = draw_sample(images=200)
    assert images.shape == (200, 48, 48)
    assert (images.dtype, labels.dtype, usage.dtype) == (np.uint8, np.int8, np.uint8)
    assert len(labels) == len(usage) == 200


def test_the_faces_differ_from_person_to_person_and_use_the_range_of_greys():
    random = np.random.default_rng(0)
    faces = np.stack([draw_face("neutral", random) for _ in range(20)])
    assert len(np.unique(faces, axis=0)) == 20
    assert faces.shape == (20, 48, 48)
    assert (faces % 16 == 0).all()
    assert faces.min() < 32
    assert faces.max() > 200


def test_every_class_has_an_expression_of_known_action_units():
    assert set(EXPRESSIONS) == set(CLASS_NAMES)
    assert {unit for units in EXPRESSIONS.values() for unit in units} <= set(ACTION_UNITS)


def test_the_classes_can_be_learned_and_upside_down_or_swapped_ones_score_worse(bundled):
    images, labels, usage = bundled
    train = usage == TRAINING

    def to_features(faces):
        quarter = faces.reshape(-1, 24, 2, 24, 2).mean(axis=(2, 4)).reshape(len(faces), -1)
        return (quarter - quarter.mean(axis=1, keepdims=True)) / quarter.std(axis=1, keepdims=True)

    # A linear classifier of pixels reaches 76 % (chance: 24 %), a small convolutional network 93 %.
    model = RidgeClassifier(alpha=300).fit(to_features(images[train]), labels[train])
    predictions = model.predict(to_features(images[~train]))
    labels = labels[~train]
    assert np.mean(predictions == labels) > 0.7
    assert min(np.mean(predictions[labels == label] == label) for label in range(7)) > 0.25
    assert model.score(to_features(images[~train][:, ::-1]), labels) < 0.3
    angry_and_happy_swapped = np.array([3, 1, 2, 0, 4, 5, 6])[predictions]
    assert np.mean(angry_and_happy_swapped == labels) < 0.5


def test_too_few_images_are_an_error():
    with pytest.raises(ValueError, match=r"`images` must be at least 168, .* Received: 167\."):
        draw_sample(images=167)


def test_a_negative_seed_is_an_error():
    with pytest.raises(ValueError, match=r"`seed` must not be negative\. Received: -1\."):
        draw_sample(seed=-1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Expected --output, the file to write. Received: none."),
        (("--output=x.csv.gz", "--images=3"), "`images` must be at least 168"),
        (("--output=x.csv.gz", "more"), "Expected flags only. Received: more."),
    ],
)
def test_the_command_reports_a_mistake_in_one_line(arguments, message):
    result = run_command(*arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_help_tells_what_the_sample_is():
    assert "Draws the bundled sample anew" in run_command("--help").stdout
