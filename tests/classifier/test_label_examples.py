"""The Python examples of docs/label.md are run as they stand there, one after the other."""

import os
import pathlib
import re
import subprocess
import sys

import PIL.Image
import pytest

from fer_ensemble.faces.drawn_pictures import compose_picture
from fer_ensemble.faces.video_writing import write_video
from tests.drawn import sample_faces

pytest.importorskip("pandas", reason="one example is of pandas")
pytest.importorskip("av", reason="one example is of a video")
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "label.md"


def test_the_examples_run(tmp_path):
    faces = sample_faces()
    picture = compose_picture(faces[:2], [(20, 10), (280, 20)], (500, 240))
    (tmp_path / "holidays").mkdir()
    PIL.Image.fromarray(picture).save(tmp_path / "party.jpg", quality=95)
    PIL.Image.fromarray(picture).save(tmp_path / "holidays" / "1.jpg", quality=95)
    (tmp_path / "holidays" / "2.jpg").write_bytes(b"broken")
    write_video(tmp_path / "clip.mp4", [picture] * 6, [number / 5 for number in range(6)])
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= 7
    program = "\nprint('---')\n".join(examples).replace("CAMERA", "'clip.mp4'")
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert answer.returncode == 0, answer.stderr
    parts = answer.stdout.split("---\n")
    assert len(parts) == len(examples) and all(part.strip() for part in parts)
    assert len(parts[0].splitlines()) == 2
    assert "2.jpg expected a readable picture" in parts[2]
    assert parts[3].count("True") == 2  # landmarks were found in both boxes
    assert len(parts[-1].splitlines()) == 12  # two faces in each of six frames
