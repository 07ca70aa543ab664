"""What the packages below ours do behind one's back is switched off."""

import pytest


def test_onnxruntime_writes_nothing_in_the_home_folder_and_so_reports_nothing(python, tmp_path):
    pytest.importorskip("onnxruntime")
    ended = python("-c", "import fer_ensemble, onnxruntime", HOME=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert not list(tmp_path.rglob("*"))
