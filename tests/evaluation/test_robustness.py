import json
import pathlib

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.drawn_faces import draw_sample
from fer_ensemble.evaluation import robustness
from fer_ensemble.evaluation.answers import Answers
from fer_ensemble.evaluation.corruptions import CORRUPTIONS, corrupt
from fer_ensemble.evaluation.robustness import (
    CLEAN,
    CONDITIONS,
    accuracies_of,
    answer_corrupted,
    check_baseline,
    compare_with_baseline,
    describe_robustness,
    each_condition,
    fingerprint_faces,
    read_known,
    table_of,
)

LABELS = np.array([0, 0, 1, 1])


def answers_with_errors(errors_of):
    """Answers to four images of which the first `errors_of(name, strength)` are wrong, all at 0.8."""
    found = {}
    for name, strength in CONDITIONS:
        predicted = np.where(np.arange(4) < errors_of(name, strength), 1 - LABELS, LABELS)
        found[name, strength] = Answers(np.where(np.eye(2)[predicted] == 1, 0.8, 0.2).astype(np.float32))
    return found


class Bright:
    """Says `bright` of what is bright."""

    class_names = ("dark", "bright")

    def __init__(self):
        self.asked = []

    def predict(self, faces):
        self.asked.append(faces)
        bright = faces.mean(axis=(1, 2), dtype=np.float64) / 255
        return np.stack([1 - bright, bright], axis=1).astype(np.float32)


def test_there_are_65_conditions_beside_the_clean_faces():
    assert CONDITIONS[0] == CLEAN and len(CONDITIONS) == 1 + 13 * 5


def test_a_network_is_asked_about_the_faces_as_they_are_and_as_each_corruption_makes_them():
    faces, network, told = draw_sample(168, 0)[0][:3], Bright(), []
    answers = answer_corrupted(network, faces, ("bright", "dark"), 7, lambda *condition: told.append(condition))
    assert tuple(answers) == tuple(told) == CONDITIONS
    np.testing.assert_array_equal(network.asked[0], faces)
    for (name, strength), asked in zip(CONDITIONS[1:], network.asked[1:], strict=True):
        np.testing.assert_array_equal(asked, corrupt(faces, name, strength, seed=7))
    np.testing.assert_allclose(answers[CLEAN].probabilities, Bright().predict(faces)[:, ::-1])


def test_errors_are_averaged_over_strengths_then_over_corruptions():
    # One image of four is wrong at the strengths 4 and 5 of JPEG, and nowhere else.
    found = describe_robustness(
        answers_with_errors(lambda name, strength: int(name == "jpeg" and strength > 3)), LABELS, 0.5
    )
    assert found["clean"]["error"] == 0
    assert [one["error"] for one in found["corruptions"]["jpeg"]["strengths"]] == [0, 0, 0, 0.25, 0.25]
    assert found["corruptions"]["jpeg"]["error"] == pytest.approx(0.1)
    assert found["mean_error"] == pytest.approx(0.1 / 13)
    assert found["by_strength"][4]["error"] == pytest.approx(0.25 / 13)
    assert found["by_strength"][0]["error"] == 0


def test_the_drop_is_the_share_of_the_clean_accuracy_that_is_lost():
    found = describe_robustness(answers_with_errors(lambda name, strength: 1 + (strength > 0)), LABELS, 0.5)
    assert found["relative_drop"] == pytest.approx(1 / 3)  # 75 % becomes 50 %


def test_the_mean_corruption_error_averages_the_ratios_to_the_baseline():
    baseline = {
        "network": {"name": "plain"},
        **describe_robustness(answers_with_errors(lambda name, strength: 2), LABELS, 0.5),
    }
    found = compare_with_baseline(
        describe_robustness(answers_with_errors(lambda name, strength: 1 + 2 * (name == "roll")), LABELS, 0.5),
        baseline,
    )
    assert found["corruptions"]["roll"]["corruption_error"] == pytest.approx(1.5)
    assert found["corruptions"]["box"]["corruption_error"] == pytest.approx(0.5)
    assert found["mean_corruption_error"] == pytest.approx((12 * 0.5 + 1.5) / 13)
    assert found["baseline"] == {"name": "plain", "accuracies": accuracies_of(baseline)}
    assert compare_with_baseline(baseline, baseline)["mean_corruption_error"] == pytest.approx(1)
    without = compare_with_baseline(found, None)
    assert without["baseline"] is without["mean_corruption_error"] is None


def test_accuracies_begin_with_the_clean_ones():
    found = describe_robustness(answers_with_errors(lambda name, strength: min(strength, 3)), LABELS, 0.5)
    assert set(accuracies_of(found)) == set(CORRUPTIONS)
    assert accuracies_of(found)["jpeg"] == [1, 0.75, 0.5, 0.25, 0.25, 0.25]


def test_the_calibration_error_is_that_under_the_corruption():
    found = describe_robustness(answers_with_errors(lambda name, strength: 4 * (strength == 5)), LABELS, 0.5)
    assert found["clean"]["ece"] == pytest.approx(0.2)  # sure of 0.8, right always
    assert found["corruptions"]["box"]["strengths"][4]["ece"] == pytest.approx(0.8)


def test_the_unsure_are_counted_under_each_corruption():
    found = describe_robustness(answers_with_errors(lambda name, strength: 1), LABELS, 0.9)
    assert found["clean"]["unsure"] == 1 and found["clean"]["sure_error"] is None


def test_an_ensemble_is_compared_with_the_mean_of_its_members():
    answers = {
        condition: Answers(one.probabilities, np.array([LABELS, 1 - LABELS, LABELS, LABELS], np.int8))
        for condition, one in answers_with_errors(lambda name, strength: 0).items()
    }
    found = describe_robustness(answers, LABELS, 0.5)
    assert found["clean"]["error"] == 0 and found["clean"]["members_error"] == 0.25
    assert found["by_strength"][3]["members_error"] == 0.25


def test_a_table_has_a_row_for_each_condition():
    found = describe_robustness(answers_with_errors(lambda name, strength: int(strength == 1)), LABELS, 0.5)
    rows = table_of(found)
    assert len(rows) == 1 + 66 and {len(row) for row in rows} == {10}
    assert rows[1][:5] == ["clean", 0, "", "", "0.000000"]
    assert rows[2][:5] == ["gaussian_noise", 1, 8, "grey values, standard deviation", "0.250000"]
    assert rows[2][-1] == ""  # no members
    assert [(name, strength) for name, strength, _ in each_condition(found)] == list(CONDITIONS)


def test_other_faces_labels_or_seeds_have_another_fingerprint():
    faces = np.zeros((2, 48, 48), np.uint8)
    same = fingerprint_faces(faces, np.array([0, 1], np.int8), 0)
    assert same == fingerprint_faces(faces.copy(), np.array([0, 1], np.int64), 0) and len(same) == 64
    assert same != fingerprint_faces(faces, np.array([1, 1]), 0)
    assert same != fingerprint_faces(faces, np.array([0, 1]), 1)
    assert same != fingerprint_faces(faces + np.uint8(1), np.array([0, 1]), 0)


@pytest.mark.parametrize(
    "wrong",
    [[], {}, {"format_version": 1}, {"format_version": 1, "corruptions": dict.fromkeys(CORRUPTIONS), "clean": 1}],
    ids=["a list", "nothing", "no corruptions", "empty corruptions"],
)
def test_what_is_no_baseline_is_told(wrong):
    with pytest.raises(UserError, match=r"old\.json must be a robustness\.json of format 1"):
        check_baseline(wrong, "old.json")


def test_what_is_known_is_that_of_the_same_network_alone(tmp_path):
    path = tmp_path / "robustness.json"
    assert read_known(path, "aa") is None
    path.write_text("{", encoding="utf-8")
    assert read_known(path, "aa") is None
    found = describe_robustness(answers_with_errors(lambda name, strength: 1), LABELS, 0.5)
    whole = {"format_version": 1, "network": {"name": "a", "sha256": "aa"}, "faces": "", "images": 4, "seed": 0}
    whole |= {"faces_sha256": "", "unsure_below": 0.5, **found}
    path.write_text(json.dumps({**whole, "clean": {}}), encoding="utf-8")
    assert read_known(path, "aa") is None
    path.write_text(json.dumps(whole), encoding="utf-8")
    assert read_known(path, "aa")["mean_error"] == 0.25
    assert read_known(path, "bb") is None
    path.write_text(path.read_text(encoding="utf-8").replace('"aa"', "null"), encoding="utf-8")
    assert read_known(path, None) is None  # a network that cannot be told from others


def test_the_baseline_that_ships_was_asked_about_these_very_corruptions():
    path = pathlib.Path(robustness.__file__).with_name("baseline.json")
    baseline = check_baseline(json.loads(path.read_text(encoding="utf-8")), path)
    assert baseline["network"]["name"] == "plain_cnn" and baseline["images"] == 3589 and baseline["seed"] == 0
    accuracies = accuracies_of(baseline)
    assert set(accuracies) == set(CORRUPTIONS) and all(
        0.1 < min(one) <= max(one) < 0.7 for one in accuracies.values()
    )
    assert all(
        one["amounts"] == list(CORRUPTIONS[name].amounts) for name, one in baseline["corruptions"].items()
    ), "the corruptions changed: the baseline must be asked anew"
