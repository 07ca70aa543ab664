import os

import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands.about import read_facts

RECORDS = {
    "damaged": ("{", "is damaged"),
    "a list": ("[]", "one object. Received: another value"),
    "nested": ("[" * 100_000, "nested too deeply"),
    "deep": ('{"a":' * 900 + "1" + "}" * 900, "nested too deeply"),
    "binary": ("\0\1", "is damaged"),
}


@pytest.mark.parametrize("name", ["ensemble.json", "member.json", "card.json"])
@pytest.mark.parametrize("case", RECORDS)
def test_a_damaged_record_is_told_with_what_to_do(case, name, tmp_path):
    content, message = RECORDS[case]
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message) as told:
        read_facts(tmp_path)
    assert str(tmp_path / name) in str(told.value) and str(told.value).endswith((".", "--save"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_model_is_told(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match=r"pipe: expected an ONNX file\. Received: a folder, pipe or device"):
        read_facts(tmp_path / "pipe")
    with pytest.raises(UserError, match="expected the folder of an ensemble"):
        read_facts(tmp_path)


def test_of_a_keras_file_its_member_s_record_is_told(tmp_path):
    (tmp_path / "member.json").write_text('{"precision": "float32"}')
    (tmp_path / "model.keras").touch()
    assert read_facts(tmp_path / "model.keras") == {"precision": "float32"}
