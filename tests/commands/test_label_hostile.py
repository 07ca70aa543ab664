"""30 hostile files in one run, each ended by one line, and the good ones among them labelled."""

import csv
import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import PIL.Image
import pytest

from fer_ensemble.faces.drawn_pictures import compose_picture
from fer_ensemble.faces.video_writing import write_video
from tests.drawn import sample_faces

GOOD = compose_picture(sample_faces()[:1], [(40, 20)], (280, 240))


def encode(kind, picture=GOOD, **options):
    content = io.BytesIO()
    PIL.Image.fromarray(picture).save(content, kind, **options)
    return content.getvalue()


def png_of_size(width, height):
    """A PNG that says it is so large, and holds next to nothing."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A folder of files, and the names of those that are good."""
    folder = tmp_path_factory.mktemp("hostile")
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, 4000, dtype=np.uint8).tobytes()
    jpeg, png = encode("JPEG"), encode("PNG")
    write_video(folder / "clip.mp4", [GOOD] * 12, [number / 10 for number in range(12)])
    video = (folder / "clip.mp4").read_bytes()
    files = {
        "empty.jpg": b"", "empty.mp4": b"", "text.jpg": b"Dear Sir or Madam", "text.mp4": b"Dear Sir or Madam",
        "noise.png": noise, "noise.gif": noise, "noise.webp": noise, "noise.mp4": noise, "noise.mkv": noise,
        "noise.avi": noise, "half.jpg": jpeg[: len(jpeg) // 2], "half.png": png[: len(png) // 2],
        "head.jpg": jpeg[:100], "head.mp4": video[:200], "half.mp4": video[: len(video) // 2],
        "no_index.mp4": video.replace(b"moov", b"free"), "flipped.png": png[:200] + noise[:300] + png[500:],
        "30000.png": png_of_size(30_000, 30_000), "2000000000.png": png_of_size(2**31 - 1, 2**31 - 1),
        "zero.png": png_of_size(0, 0), "bomb.png": png_of_size(12_000, 12_000),
        "heic.heic": b"\x00\x00\x00\x18ftypheic" + noise, "script.eps.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "xml.jpg": b"<svg/>",
        "list.mp4": b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n",
        "concat.mkv": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "zip.jpg": b"PK\x03\x04" + noise, "null.tif": b"II*\x00" + bytes(500), "nul.bmp": b"BM" + bytes(60),
        "x.ppm": b"P6 9 9",
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_bytes(content)
    good = {"clip.mp4": video, "png called.jpg": png, "jpeg called.png": jpeg}
    for name, content in good.items():
        (folder / name).write_bytes(content)
    (folder / "folder.jpg").mkdir()
    (folder / "dangling.jpg").symlink_to("nowhere")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.jpg")
    return folder, set(good)


def test_each_hostile_file_ends_in_a_line_and_the_others_are_labelled(hostile, tmp_path):
    folder, good = hostile
    answer = subprocess.run(
        [sys.executable, "-m", "fer_ensemble", "label", str(folder), "--csv=faces.csv", "--every=4"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert answer.returncode == 0, answer.stderr
    assert "Traceback" not in answer.stderr
    with (tmp_path / "faces.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = {row["file"].rpartition("/")[2] for row in rows}
    assert len(names) >= 30 + len(good)
    labelled = {row["file"].rpartition("/")[2] for row in rows if row["face"]}
    assert good <= labelled
    problems = [row for row in rows if row["problem"] not in ("", "no face")]
    assert len(problems) >= 29
    for row in problems:
        assert "\n" not in row["problem"] and len(row["problem"]) < 400, row
    lines = [line for line in answer.stdout.splitlines() if "not read: " in line]
    assert len(lines) == len(problems) + 1  # the link that leads nowhere may lead somewhere the next time
