import keras
import numpy as np
import pytest
from keras import ops

from fer_ensemble.training.state import load_state, read_notes, save_state


def make_variables(seed):
    """A kernel, an optimiser's counter and the state of a random generator: all a training has."""
    generator = np.random.default_rng(seed)
    return [
        keras.Variable(generator.normal(size=(3, 4)).astype(np.float32)),
        keras.Variable(seed + 2, dtype="int64", trainable=False),
        keras.random.SeedGenerator(seed).state,
    ]


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "state.npz"
    save_state(
        path, make_variables(1), {"history": [{"epoch": 1, "val_loss": None, "loss": 0.1}], "name": "größer"}
    )
    return path


def test_what_is_saved_is_loaded_again_to_the_bit(saved):
    variables = make_variables(5)
    load_state(saved, variables)
    for variable, expected in zip(variables, make_variables(1), strict=True):
        assert variable.dtype == expected.dtype
        np.testing.assert_array_equal(ops.convert_to_numpy(variable.value), ops.convert_to_numpy(expected.value))


def test_notes_come_back(saved):
    assert read_notes(saved) == {"history": [{"epoch": 1, "val_loss": None, "loss": 0.1}], "name": "größer"}


def test_no_state_has_no_notes(tmp_path):
    assert read_notes(tmp_path / "state.npz") is None


def test_a_later_state_takes_the_place_of_the_former(saved):
    save_state(saved, make_variables(2), {"history": []})
    assert read_notes(saved) == {"history": []}
    assert [path.name for path in saved.parent.iterdir()] == ["state.npz"]


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "no notes", "[]", "7", "{}"])
def test_a_damaged_state_is_told_with_what_to_do(damage, saved):
    if damage == "no notes":
        np.savez(saved, **{"00000": np.zeros(3)})
    elif damage[0] in "[7{":
        np.savez(saved, notes=damage)
    else:
        content = saved.read_bytes()
        saved.write_bytes({"cut": content[: len(content) // 2], "text": b"hello", "empty": b""}[damage])
    message = r"state\.npz must hold the state of an unfinished training, but cannot be read .* --overwrite\."
    with pytest.raises(ValueError, match=message):
        read_notes(saved)


def test_damage_among_the_values_is_told_likewise(saved):
    content = bytearray(saved.read_bytes())
    position = content.index(make_variables(1)[0].numpy().tobytes())
    content[position] ^= 1
    saved.write_bytes(content)
    with pytest.raises(ValueError, match=r"state\.npz must hold the state"):
        load_state(saved, make_variables(1))


def test_the_state_of_another_network_is_told(saved):
    # So would a training be that began under float16, with a loss scaler's variables, and goes on under float32.
    with pytest.raises(ValueError, match=r"state\.npz"):
        load_state(saved, make_variables(1)[:2])
