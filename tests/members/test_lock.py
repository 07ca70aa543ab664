import os
import signal
import subprocess
import sys

import pytest

from fer_ensemble.base.errors import HeldError
from fer_ensemble.members import lock


def test_a_member_is_held_by_one_at_a_time(tmp_path):
    folder = tmp_path / "exp_0" / "cnn_0"  # made when it is held
    with lock.held(folder):
        with (
            pytest.raises(HeldError, match=r"exp_0/cnn_0 is being trained by another process\."),
            lock.held(folder),
        ):
            raise AssertionError("held twice")
        (folder / "progress.json").write_text('{"pid": 7, "host": "node3"}')
        with (
            pytest.raises(HeldError, match=r"by another process \(process 7 on node3\)\."),
            lock.held(folder),
        ):
            raise AssertionError("held twice")
    with lock.held(folder):
        pass


@pytest.mark.parametrize("name", [lock.LOCK, "member.json", "model.keras", "history.csv"])
def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_computed(name, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(IsADirectoryError, match=rf"/{name}'"), lock.held(tmp_path):
        raise AssertionError("held")


def test_whether_it_is_held_is_asked_of_the_lock_and_disturbs_nobody(tmp_path):
    assert not lock.is_held(tmp_path)
    with lock.held(tmp_path):
        assert lock.is_held(tmp_path)
        assert lock.is_held(tmp_path)
    assert not lock.is_held(tmp_path)
    with lock.held(tmp_path):
        pass


def test_an_error_lets_go(tmp_path):
    with pytest.raises(RuntimeError), lock.held(tmp_path):
        raise RuntimeError
    with lock.held(tmp_path):
        pass


def test_a_holder_that_dies_lets_go(tmp_path):
    code = """
import pathlib, sys, time
from fer_ensemble.members.lock import held
with held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, env=environment
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HeldError), lock.held(tmp_path):
            raise AssertionError("held twice")
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    with lock.held(tmp_path):
        pass
