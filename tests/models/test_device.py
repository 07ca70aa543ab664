import keras
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.models.device import check_configuration


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_data_format", "channels_first"),
        ("floatx", "float16"),
        ("epsilon", 0.1),
        ("max_epochs", 1),
        ("max_steps_per_epoch", 1),
    ],
)
def test_what_would_change_each_training_silently_is_refused(name, value):
    before = getattr(keras.config, name)()
    check_configuration()
    getattr(keras.config, f"set_{name}")(value)
    try:
        with pytest.raises(UserError, match=rf"set to {name} .* Received: '?{value}'?, from its keras.json"):
            check_configuration()
    finally:
        getattr(keras.config, f"set_{name}")(before)


@pytest.mark.parametrize("content", ['{"floatx": "float8"}', "[]"], ids=["a value", "a list"])
def test_a_damaged_keras_json_is_one_line(content, python, tmp_path):
    (tmp_path / "keras.json").write_text(content)
    answer = python("model_train.py", f"--experiments={tmp_path}", KERAS_HOME=str(tmp_path))
    assert (answer.returncode, answer.stderr.count("\n")) == (1, 1), answer.stderr
    assert "Keras does not start (" in answer.stderr and "keras.json" in answer.stderr
