import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.faces.video import Every, Timeline, import_av, read_duration, read_pictures
from fer_ensemble.faces.video_writing import write_video

pytest.importorskip("av", reason="reads and writes videos")


def grey(values, size=(64, 96)):
    return [np.full((*size, 3), value, np.uint8) for value in values]


def test_times_are_true_at_a_variable_frame_rate(tmp_path):
    times = [0.0, 0.04, 0.5, 0.51, 1.3, 2.0]
    write_video(tmp_path / "a.mp4", grey(range(0, 240, 40)), times)
    read = list(read_pictures(tmp_path / "a.mp4", Every(frames=1)))
    assert [one.time for one in read] == pytest.approx(times, abs=1e-3)
    assert times[-1] <= read_duration(tmp_path / "a.mp4") < times[-1] + 1
    assert [one.index for one in read] == [0, 1, 2, 3, 4, 5]
    assert [round(one.picture.mean() / 40) for one in read] == [0, 1, 2, 3, 4, 5]


def test_every_so_many_seconds_or_frames_is_looked_at(tmp_path):
    times = [number / 10 for number in range(20)]
    write_video(tmp_path / "a.mp4", grey([9] * 20), times)
    seconds = read_pictures(tmp_path / "a.mp4", Every(seconds=0.5))
    assert [one.index for one in seconds] == [0, 5, 10, 15]
    frames = read_pictures(tmp_path / "a.mp4", Every(frames=7))
    assert [one.index for one in frames] == [0, 7, 14]


def test_after_a_gap_one_picture_is_due_and_the_grid_goes_on():
    due = Every(seconds=0.5).choose()
    assert [due(0, time) for time in (0, 0.3, 2.6, 2.7, 2.99, 3.0, 3.4)] == [
        True, False, True, False, False, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["0", "-1", "x", "0s", "nan", "", 0, "inf"])
def test_an_interval_that_is_none_is_an_error(value):
    with pytest.raises(UserError, match="`every` must be"):
        Every.parse(value)


def test_pictures_are_turned_upright_as_the_metadata_say(tmp_path):
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:20] = 255  # light at the top of what is stored
    write_video(tmp_path / "plain.mp4", [picture], [0.0])
    write_video(tmp_path / "turned.mp4", [picture], [0.0], rotation=90)
    (plain,) = read_pictures(tmp_path / "plain.mp4", Every(frames=1))
    (turned,) = read_pictures(tmp_path / "turned.mp4", Every(frames=1))
    assert plain.picture.shape == (64, 96, 3) and plain.picture[5, 50, 0] > 200
    assert turned.picture.shape == (96, 64, 3)
    np.testing.assert_allclose(turned.picture, np.rot90(plain.picture), atol=3)


def test_what_is_no_video_is_an_error_that_names_it(tmp_path):
    contents = {"text.mp4": b"hello", "empty.mp4": b"", "random.mkv": bytes(range(256)) * 40}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"{name}: expected a video"):
            list(read_pictures(tmp_path / name, Every(frames=1)))
    with pytest.raises(FileNotFoundError):
        list(read_pictures(tmp_path / "nowhere.mp4", Every(frames=1)))


def test_in_recordings_that_were_joined_the_times_go_on(tmp_path):
    for name, values in (("a.ts", range(0, 100, 20)), ("b.ts", range(100, 200, 20))):
        write_video(tmp_path / name, grey(values), [number / 2 for number in range(5)])
    joined = b"".join((tmp_path / name).read_bytes() for name in ("a.ts", "b.ts"))
    (tmp_path / "joined.ts").write_bytes(joined)
    read = list(read_pictures(tmp_path / "joined.ts", Every(seconds=0.5)))
    times = [one.time for one in read]
    assert len(read) >= 9 and (np.diff(times) > 0.4).all() and times[-1] < 6
    assert read[-1].picture.mean() == pytest.approx(180, abs=8)


def test_a_frame_without_a_time_stamp_follows_the_one_before():
    timeline = Timeline()
    stamps = [100.0, None, 100.08, 100.12, 0.0, 0.04, None]
    assert [timeline.place(stamp, 0.04) for stamp in stamps] == pytest.approx(
        [0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24]
    )


def test_messages_of_the_decoder_s_threads_take_no_way_through_python():
    # Where they do, a damaged video hangs at times: the thread waits for Python, which waits for the thread.
    assert import_av().logging.get_level() is None


def test_a_cut_off_video_gives_what_is_left_of_it(tmp_path):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (20, 64, 96, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mkv", pictures, [number / 10 for number in range(20)])
    content = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 2])
    read = []
    try:
        read.extend(read_pictures(tmp_path / "cut.mkv", Every(frames=1)))
    except UserError as error:
        assert "cut.mkv" in str(error)
    assert len(read) < 20
