"""Parts put together from members' predictions; two runs of two folds, three classes."""

import dataclasses
import pathlib

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.ensemble.member_weights import WEIGHTINGS, resolve_weighting, weigh_members
from fer_ensemble.ensemble.parts import combine_part, join_parts, leave_one_run_out, score_all
from fer_ensemble.evaluation.weightings import compare_weightings
from fer_ensemble.members.collection import Member
from fer_ensemble.members.predictions import Predictions

MEMBERS = [Member(run, fold, pathlib.Path(f"{run}-{fold}"), {}) for run in ("cnn_0", "cnn_1") for fold in (0, 1)]
IMAGES = 40


def predictions(rows, seed):
    """Predictions of the images of some rows, whose label is the row modulo 3."""
    random = np.random.default_rng(seed)
    labels = (rows % 3).astype(np.int8)
    probabilities = random.dirichlet(np.ones(3), len(rows)) + 0.8 * np.eye(3)[labels]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Predictions(rows, labels, np.zeros(len(rows), bool), probabilities.astype(np.float32))


@pytest.fixture
def oof():
    rows = np.arange(IMAGES)
    parts = [predictions(rows[rows % 2 == member.fold], seed) for seed, member in enumerate(MEMBERS)]
    return join_parts("oof", MEMBERS, parts)


@pytest.fixture
def public():
    rows = np.arange(100, 100 + IMAGES)
    return join_parts("PublicTest", MEMBERS, [predictions(rows, 10 + seed) for seed in range(4)])


def stacked(part):
    return np.stack(list(part.members.values()))


def test_on_a_test_split_all_members_are_averaged_with_their_weights(public):
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    expected = np.tensordot(weights, stacked(public).astype(np.float64), axes=1)
    np.testing.assert_allclose(combine_part(public, weights).ensemble, expected, atol=1e-7)


def test_out_of_fold_each_image_is_averaged_over_the_members_that_never_saw_it(oof):
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    combined = combine_part(oof, weights).ensemble
    members = stacked(oof)
    # Row 0 is in fold 0: members 0 and 2; row 1 in fold 1: members 1 and 3.
    np.testing.assert_allclose(combined[0], (0.4 * members[0, 0] + 0.2 * members[2, 0]) / 0.6, atol=1e-7)
    np.testing.assert_allclose(combined[1], (0.3 * members[1, 1] + 0.1 * members[3, 1]) / 0.4, atol=1e-7)


def test_an_image_without_a_prediction_of_some_run_has_none_of_the_ensemble(oof):
    parts = [predictions(np.arange(fold, IMAGES, 2), fold) for fold in (0, 1, 0)]
    part = combine_part(join_parts("oof", MEMBERS[:3], parts), np.full(3, 1 / 3))  # fold 1 of cnn_1 is missing
    np.testing.assert_array_equal(np.isnan(part.ensemble[:, 0]), np.arange(IMAGES) % 2 == 1)


def test_images_whose_members_weigh_nothing_have_no_prediction(oof):
    part = combine_part(oof, np.array([0.5, 0, 0.5, 0]))
    np.testing.assert_array_equal(np.isnan(part.ensemble[:, 0]), np.arange(IMAGES) % 2 == 1)


def test_leaving_a_run_out_leaves_the_other(public):
    scores = leave_one_run_out(public, ["cnn_0", "cnn_1"], np.full(4, 0.25))
    runs = score_all(public, ["cnn_0", "cnn_1"])
    assert scores["cnn_0"]["accuracy"] == runs["cnn_1"]["accuracy"]
    assert scores["cnn_1"]["log_loss"] == pytest.approx(runs["cnn_0"]["log_loss"], abs=1e-6)


def test_members_must_have_predicted_the_same_images():
    parts = [predictions(np.arange(100, 110 + (seed == 3)), seed) for seed in range(4)]
    with pytest.raises(ValueError, match="predicted 11 images of PublicTest, the members before it 10"):
        join_parts("PublicTest", MEMBERS, parts)


def test_an_image_is_held_out_once_in_each_run():
    with pytest.raises(ValueError, match="must be held out once in cnn_0"):
        join_parts("oof", MEMBERS, [predictions(np.arange(10), seed) for seed in range(4)])


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_every_way_to_weigh_gives_shares(oof, public, weighting):
    weights = weigh_members(weighting, oof, public)
    assert weights.shape == (4,) and (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    if weighting != "public":
        assert weights[0] == weights[1] and weights[2] == weights[3]  # the folds of a run


def test_public_weighs_the_members_one_by_one_on_public_test(oof, public):
    weights = weigh_members("public", oof, public)
    equal = combine_part(public, np.full(4, 0.25)).scores()
    assert combine_part(public, weights).scores()["log_loss"] < equal["log_loss"]
    assert weights[2] != weights[3]  # the folds of a run
    unlabelled = dataclasses.replace(public, labels=np.full(IMAGES, -1, np.int8))
    for nothing in (unlabelled, None):
        with pytest.raises(ValueError, match="public needs labelled images in PublicTest"):
            weigh_members("public", oof, nothing)


def test_only_public_looks_at_public_test(oof):
    for weighting in ("equal", "oof", "greedy"):
        assert weigh_members(weighting, oof, None).sum() == pytest.approx(1)


def test_oof_counts_a_run_no_less_for_being_modest():
    parts = [predictions(np.arange(member.fold, IMAGES, 2), member.fold) for member in MEMBERS]
    for part in parts[:2]:  # cnn_0 knows what cnn_1 knows, and is less sure
        part.probabilities[:] = 0.5 * part.probabilities + 0.5 / 3
    weights = weigh_members("oof", join_parts("oof", MEMBERS, parts), None)
    np.testing.assert_allclose(weights, 0.25, atol=0.02)


def test_runs_that_held_out_no_image_in_common_are_weighed_equally(oof, public):
    members = [MEMBERS[0], MEMBERS[3]]  # cnn_0 of fold 0, cnn_1 of fold 1
    parts = [predictions(np.arange(member.fold, IMAGES, 2), seed) for seed, member in enumerate(members)]
    apart = join_parts("oof", members, parts)
    assert resolve_weighting("auto", oof) == "oof"
    assert resolve_weighting("auto", apart) == "equal"
    for weighting in ("oof", "greedy"):
        with pytest.raises(UserError, match="images that all runs held out, but there are none"):
            weigh_members(weighting, apart, public)
    tested = join_parts("PublicTest", members, [predictions(np.arange(100, 140), seed) for seed in (0, 1)])
    assert set(compare_weightings(apart, tested, "equal", np.array([0.5, 0.5]))) == {"equal", "public"}
