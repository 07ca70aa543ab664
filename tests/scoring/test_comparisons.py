import numpy as np
import pytest
import scipy.stats

from fer_ensemble.scoring.comparisons import compare_pairs, disagreement, mcnemar_p


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (7, 7), (10, 3), (3, 10), (150, 95), (1400, 1300)])
def test_p_is_that_of_the_exact_binomial_test(gained, lost):
    expected = scipy.stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1
    assert mcnemar_p(gained, lost) == pytest.approx(expected, abs=1e-10)


def test_a_pair_by_hand():
    # Of 4 shared images, only the first has two right, only the second one; the NaN images do not count.
    first = np.array([1, 1, 0, 1, np.nan, 1])
    second = np.array([0, 0, 1, 1, 1, np.nan])
    (pair,) = compare_pairs({"a": first, "b": second})
    assert (pair["first"], pair["second"], pair["images"]) == ("a", "b", 4)
    assert (pair["first_only"], pair["second_only"], pair["difference"]) == (2, 1, 0.25)
    spread = 1.959964 * np.sqrt(3 - 4 * 0.25**2) / 4
    assert pair["interval"] == pytest.approx([0.25 - spread, 0.25 + spread])
    assert pair["p"] == 1


def test_the_interval_is_that_of_the_bootstrap():
    random = np.random.default_rng(0)
    first, second = random.random((2, 2000)) < [[0.7], [0.65]]
    (pair,) = compare_pairs({"a": first.astype(float), "b": second.astype(float)})
    drawn = random.integers(0, 2000, (4000, 2000))
    differences = (first.astype(int) - second)[drawn].mean(axis=1)
    assert pair["interval"] == pytest.approx(list(np.quantile(differences, [0.025, 0.975])), abs=0.003)


def test_every_pair_that_shares_an_image_is_compared():
    hole = np.nan
    correct = {"a": [1, 0, hole], "b": [1, 1, hole], "c": [hole, hole, 1]}
    pairs = compare_pairs({name: np.array(values) for name, values in correct.items()})
    assert [(pair["first"], pair["second"]) for pair in pairs] == [("a", "b")]


def test_disagreement_is_averaged_over_the_pairs_of_different_members():
    predicted = [[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 0, 0]]
    assert disagreement(predicted, ["a", "a", "b"]) == {
        "a": {"a": 0.25, "b": pytest.approx((0.5 + 0.75) / 2)},
        "b": {"a": pytest.approx((0.5 + 0.75) / 2), "b": None},
    }


def test_members_disagree_only_where_both_predict():
    assert disagreement([[0, -1, 1, 1], [1, 0, 1, -1]], ["a", "b"])["a"]["b"] == 0.5
    assert disagreement([[0, -1], [-1, 0]], ["a", "b"])["a"]["b"] is None
