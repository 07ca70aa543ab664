"""Where a converted data set is kept: over nothing of one's own, made anew when damaged."""

import json
import os
import pathlib
import subprocess
import sys

import h5py
import pytest

from fer_ensemble.data.store import load_dataset
from tests.archives import damage

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINE = " ".join(["5"] * 2304)
CSV = f"emotion,pixels,Usage\n3,{LINE},Training\n0,{LINE},PublicTest\n"


def test_a_file_of_ones_own_beside_the_input_is_never_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "small.csv").write_text(CSV)
    (tmp_path / "small.csv.h5").write_text("my notes")
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "a.csv").write_text(CSV + "3,1 2,Training\n")
    command = [sys.executable, "-m", "fer_ensemble.data", "faces", "--output=faces.h5", "--skip_bad_rows"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env=environment)
    (tmp_path / "faces" / "a.csv").write_text(CSV)
    own = {name: (tmp_path / name).read_bytes() for name in ("small.csv.h5", "faces.h5")}
    for name in ("small.csv", "faces"):
        assert len(load_dataset(tmp_path / name).images) == len(load_dataset(tmp_path / name).images) == 2
    assert {name: (tmp_path / name).read_bytes() for name in own} == own
    assert len(list((tmp_path / "cache" / "fer_ensemble").iterdir())) == 2  # there it is kept instead


@pytest.mark.parametrize("share", [0.01, 0.3, 0.999])
def test_a_damaged_cache_is_made_anew_in_its_place(tmp_path, monkeypatch, share):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "small.csv").write_text(CSV * 1 + f"3,{LINE},Training\n" * 40)
    first = load_dataset(tmp_path / "small.csv")
    kept = tmp_path / "small.csv.h5"
    whole = kept.read_bytes()
    kept.write_bytes(whole[: max(3000, int(share * len(whole)))])
    assert load_dataset(tmp_path / "small.csv").fingerprint == first.fingerprint
    assert kept.read_bytes() == whole
    kept.write_bytes(damage(whole, len(whole) // 2))  # opens, but holds other images
    assert load_dataset(tmp_path / "small.csv").fingerprint == first.fingerprint
    assert kept.read_bytes() == whole
    assert json.loads(h5py.File(kept).attrs["cache_of"]) == ["small.csv"]


def test_what_lies_where_nothing_can_be_written_is_read_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    (tmp_path / "small.csv").write_text(CSV)
    (tmp_path / "small.csv.h5").mkdir()  # in its place: unlike permissions, that stops root, too
    assert len(load_dataset(tmp_path / "small.csv").images) == 2
