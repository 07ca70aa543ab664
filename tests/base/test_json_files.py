"""JSON files that others may have written."""

import json
import os

import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.json_files import parse_json, read_json


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "file.json"
    path.write_text(json.dumps({"a": [1, 2.5, None, True, "\u00e9"]}, ensure_ascii=False), encoding="utf-8")
    assert read_json(path, "a file", "Write it.") == {"a": [1, 2.5, None, True, "\u00e9"]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff", "no UTF-8 text"),
        (b'{"a": 1, "a": 1}', "'a' stands twice"),
        (b"[NaN]", "NaN is no number"),
        (b"[-Infinity]", "-Infinity is no number"),
        (b"1e400", "1e400 is too large"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "nested too deeply"),  # which Python reads
        (b"1" * 5_000, "integer string conversion"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_what_is_wrong_is_told_with_the_file_and_what_to_do(tmp_path, content, reason):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as told:
        read_json(path, "a list", "Write it anew.")
    assert str(told.value).startswith(f"{path} must be a list, but is damaged (")
    assert reason in str(told.value) and str(told.value).endswith("Write it anew.")
    with pytest.raises(ValueError, match=r".") as told:
        parse_json(content)
    assert reason in str(told.value)


def test_a_file_beyond_the_bound_is_not_read(tmp_path):
    path = tmp_path / "file.json"
    path.write_bytes(b"1")
    os.truncate(path, 10**9)  # of holes
    with pytest.raises(UserError, match=r"at most 1,000 bytes\. Received: 1,000,000,000 bytes\."):
        read_json(path, "a file", "", 1000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_might_never_end_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(UserError, match="Received: what is none"):
            read_json(path, "a file", "")
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json", "a file", "")
