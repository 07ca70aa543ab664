"""Videos composed of drawn faces: where each face is, and when, is known."""

import contextlib
import fractions
import re

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.classifier.classifier import load
from fer_ensemble.classifier.face import make_face
from fer_ensemble.classifier.labelled_video import LabelledFrame, label_frames
from fer_ensemble.classifier.video_summary import VideoSummary
from fer_ensemble.commands.label import LabelOptions
from fer_ensemble.commands.label_video import VideoOutputs
from fer_ensemble.faces.annotated_video import annotate_video
from fer_ensemble.faces.drawn_pictures import compose_picture
from fer_ensemble.faces.video_writing import write_video
from fer_ensemble.report.video_page import format_video_page
from tests.drawn import sample_faces

av = pytest.importorskip("av", reason="reads and writes videos")
FACES = sample_faces()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two faces that cross, 16 frames in 3 s at a variable rate, with sound; the last frame is empty."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    times = [0.2 * step if step < 15 else 3.5 for step in range(16)]
    pictures = [
        compose_picture(FACES[:2][::-1], [(380 - 28 * step, 90), (28 * step, 60)], (512, 320), 3)
        for step in range(15)
    ]
    write_video(path, [*pictures, np.full((320, 512, 3), 128, np.uint8)], times, sound_seconds=3.0)
    return path


@pytest.fixture
def classifier(write_network):
    return load(write_network())


def test_numbers_times_and_boxes_are_those_of_the_video(classifier, clip):
    frames = list(label_frames(classifier, clip, every=1))
    assert [frame.time for frame in frames] == pytest.approx([*(0.2 * step for step in range(15)), 3.5], abs=1e-3)
    middles = {0: [], 1: []}
    for frame in frames:
        for face in frame.faces:
            middles[face.id].append((frame.index, face.box[0] + face.box[2] / 2))
            assert face.time == frame.time and face.frame == frame.index and face.smoothing == 0
    right, left = middles[0], middles[1]
    if right[0][1] > left[0][1]:
        right, left = left, right
    for middles, expected in ((right, lambda step: 28 * step + 72), (left, lambda step: 452 - 28 * step)):
        assert len(middles) >= 9 and middles[-1][0] == 14
        assert all(abs(x - expected(step)) < 40 for step, x in middles)
    assert frames[-1].faces == []


def test_rows_are_records_and_smoothing_is_stated(classifier, clip):
    rows = list(classifier.label_video(clip, every="0.4s", smooth=0.5))
    assert {row["smoothing"] for row in rows} == {0.5}
    assert {row["file"] for row in rows} == {str(clip)}
    assert sorted({row["frame"] for row in rows}) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert all(abs(sum(row["probabilities"].values()) - 1) < 1e-5 for row in rows)


def test_an_annotated_video_has_all_frames_their_times_and_the_sound(classifier, clip, tmp_path):
    labelled = label_frames(classifier, clip, every="0.4")
    seen = list(annotate_video(clip, tmp_path / "out.mp4", labelled, classifier.class_names))
    assert [frame.index for frame in seen] == [0, 2, 4, 6, 8, 10, 12, 14, 15]
    with av.open(str(clip)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        assert after.streams.video[0].codec_context.name == "h264"
        times = [[frame.time for frame in container.decode(video=0)] for container in (before, after)]
        assert times[1] == pytest.approx(times[0], abs=1e-3)
    with av.open(str(clip)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        sounds = [
            np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
            for container in (before, after)
        ]
        np.testing.assert_array_equal(sounds[0], sounds[1])
    with av.open(str(clip)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        pictures = [next(container.decode(video=0)).to_ndarray(format="rgb24") for container in (before, after)]
    different = abs(pictures[0].astype(int) - pictures[1]).max(axis=2) > 60
    assert 0.002 < different.mean() < 0.2  # boxes and labels


def record(path, sound_codec, begin=0.0):
    """A recording of 1 s, 25 pictures, with sound, whose clock begins at some second."""
    clock, random = fractions.Fraction(1, 16_000), np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=25)
        sound = container.add_stream(sound_codec, rate=16_000, layout="mono")
        pictures.height, pictures.width, pictures.pix_fmt = 64, 96, "yuv420p"
        pictures.time_base = pictures.codec_context.time_base = clock
        for step in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 9 * step, np.uint8), format="rgb24")
            hiss = random.integers(-999, 999, (1, 640), np.int16)
            hiss = av.AudioFrame.from_ndarray(hiss, format="s16", layout="mono")
            hiss.sample_rate = 16_000
            for one, stream in ((frame, pictures), (hiss, sound)):
                one.pts, one.time_base = round(begin * 16_000) + 640 * step, clock
                container.mux(stream.encode(one))
        for stream in (pictures, sound):
            container.mux(stream.encode(None))


def annotate(classifier, path, output):
    """Returns the frames that were looked at, and when what is written ends, pictures and sound, in seconds."""
    frames = list(annotate_video(path, output, label_frames(classifier, path), classifier.class_names))
    ends = []
    for kind in ("video", "audio"):
        with av.open(str(output)) as written:
            ends.append(max(frame.time for frame in written.decode(**{kind: 0})))
    return frames, ends


def test_sound_that_is_encoded_anew_begins_with_the_pictures(classifier, tmp_path):
    record(tmp_path / "late.ts", "mp2", begin=10)
    assert annotate(classifier, tmp_path / "late.ts", tmp_path / "out.mp4")[0]
    with av.open(str(tmp_path / "out.mp4")) as written:
        starts = [float(stream.start_time * stream.time_base) for stream in written.streams]
    assert len(starts) == 2 and max(starts) < 0.2


@pytest.mark.parametrize("codec", ["aac", "mp2"])
def test_recordings_that_were_joined_are_annotated_with_their_sound_to_the_end(classifier, tmp_path, codec):
    for begin in (40, 10):
        record(tmp_path / f"{begin}.ts", codec, begin)
    joined = tmp_path / "joined.ts"
    joined.write_bytes((tmp_path / "40.ts").read_bytes() + (tmp_path / "10.ts").read_bytes())
    frames, ends = annotate(classifier, joined, tmp_path / "out.mp4")
    assert frames[-1].time > 1.7 and all(1.7 < end < 2.3 for end in ends)


def test_damaged_sound_ends_and_the_pictures_go_on(classifier, tmp_path):
    record(tmp_path / "whole.mkv", "mp2")
    content = (tmp_path / "whole.mkv").read_bytes()
    with av.open(str(tmp_path / "whole.mkv")) as whole:
        late = [
            bytes(packet) for packet in whole.demux(audio=0) if packet.dts and packet.dts > 500
        ]  # milliseconds
    for packet in late:
        content = content.replace(packet, bytes(len(packet)))
    (tmp_path / "damaged.mkv").write_bytes(content)
    frames, ends = annotate(classifier, tmp_path / "damaged.mkv", tmp_path / "out.mp4")
    assert frames[-1].time > 0.7 and ends[0] > 0.9 and 0.3 < ends[1] < 0.7


def test_the_page_tells_who_showed_what_and_when(classifier, clip):
    summary = VideoSummary(classifier.class_names)
    for frame in label_frames(classifier, clip, every=1):
        summary.add(frame)
    people = summary.people()
    assert [person.id for person in people] == [0, 1]
    for person in people:
        assert sum(person.shares.values()) == pytest.approx(1)
        times, probabilities = summary.series(person)
        assert len(times) == person.frames and (np.diff(times) > 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    page = format_video_page("clip <1>.mp4", summary)
    assert "clip &lt;1&gt;.mp4" in page and "<h2>Face 1</h2>" in page and page.count("data:image/jpeg") >= 2
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_memory_of_a_summary_does_not_grow_with_the_video(classifier):
    (face,) = classifier.find_faces(FACES[0])
    summary = VideoSummary(classifier.class_names)
    picture = np.zeros((48, 48, 3), np.uint8)
    probabilities = list(face.probabilities.values())
    for step in range(1200):  # one who stays, and many who come and go
        faces = [
            make_face(face, np.array(probabilities), classifier.class_names, 0.5, id=id)
            for id in (0, 1 + step % 250)
        ]
        summary.add(LabelledFrame(step, 0.2 * step, faces, picture))
    assert len(summary.people()) <= 200
    assert 400 <= len(summary.people()[0].bins) <= 800


def test_a_video_that_is_cut_off_gives_the_frames_before(classifier, clip, tmp_path):
    whole = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    frames = []
    with contextlib.suppress(ValueError):
        frames.extend(label_frames(classifier, tmp_path / "cut.mp4", every=1))
    assert len(frames) < 16


def test_of_a_damaged_video_all_frames_before_are_annotated_and_on_the_page(classifier, tmp_path):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (40, 64, 96, 3), dtype=np.uint8)
    path, seen = tmp_path / "clip.mp4", tmp_path / "seen"
    write_video(path, pictures, [number / 10 for number in range(40)])
    content = bytearray(path.read_bytes())
    middle = 6 * len(content) // 10
    content[middle : middle + 20_000] = b"\xff" * 20_000
    path.write_bytes(content)
    options = LabelOptions(annotate=str(seen), report=str(seen), every="1s")
    outputs = VideoOutputs(classifier, str(path), "clip.mp4", options)
    with pytest.raises(UserError, match=r"cannot be read beyond \d+ frames") as told:
        list(outputs.frames())
    whole = int(re.search(r"beyond (\d+) frames", str(told.value))[1])
    with av.open(str(seen / "clip.mp4.mp4")) as written:
        assert sum(1 for _ in written.decode(video=0)) == whole > 20
    assert (seen / "clip.mp4.html").is_file()
