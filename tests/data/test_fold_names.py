import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.fold_names import fold_name, parse_fold


@pytest.mark.parametrize("fold", [0, 3, (0, 3), (1, 2), None])
def test_what_is_written_is_read_again(fold):
    assert parse_fold(fold_name(fold)) == fold


def test_a_comma_or_another_order_means_the_same():
    assert parse_fold("3,0") == parse_fold("0+3") == (0, 3)


@pytest.mark.parametrize("text", ["", "one", "-1", "1.0", "0+", "None", "9" * 10])
def test_what_is_no_fold_is_refused(text):
    with pytest.raises(UserError, match=r"A fold must be a number, several such as 0\+1, or none. Received: "):
        parse_fold(text)
