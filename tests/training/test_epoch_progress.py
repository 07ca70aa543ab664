import io
import json
import os
import re
import socket
import sys
import time

import keras
import numpy as np
import pytest

from fer_ensemble.members.notes import read_progress
from fer_ensemble.training import epoch_progress
from fer_ensemble.training.epoch_progress import EpochProgress


def fit(folder, epochs=3, steps=4, first=0, extra=(), steps_per_execution=1):
    """Fits a line in batches of 5 under the eyes of EpochProgress, which it returns."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse", metrics=["accuracy"], steps_per_execution=steps_per_execution)
    progress = EpochProgress(folder, epochs, steps, 5)
    data = np.random.default_rng(0).normal(size=(2, 5 * steps, 2))
    callbacks = [*extra, progress]
    model.fit(*data, batch_size=5, epochs=epochs, initial_epoch=first, verbose=0, callbacks=callbacks)
    return progress


def test_the_file_tells_how_far_the_training_is(tmp_path):
    reports = []
    read = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: reports.append(read_progress(tmp_path)),
    )
    before = time.time()
    progress = fit(tmp_path, extra=[read])
    report = json.loads((tmp_path / "progress.json").read_text())
    assert report["state"] == "running"
    assert (report["epoch"], report["epochs"]) == (3, 3)
    assert (report["host"], report["pid"]) == (socket.gethostname(), os.getpid())
    assert before <= report["updated"] <= time.time()
    assert report["images_per_second"] == progress.images_per_second > 0
    assert report["seconds_left"] == 0
    # At the beginning of each epoch, the report at the end of the one before.
    assert reports[0] is None
    assert [later["epoch"] for later in reports[1:]] == [1, 2]
    # 4 steps of 5 images in each of the epochs that are left.
    assert reports[1]["seconds_left"] == pytest.approx(2 * 4 * 5 / reports[1]["images_per_second"])


def test_a_resumed_training_counts_from_its_first_epoch(tmp_path, capsys):
    fit(tmp_path, epochs=3, first=2)
    assert read_progress(tmp_path)["epoch"] == 3
    assert capsys.readouterr().out.startswith("epoch 3/3")


def test_each_epoch_is_a_line_of_the_log(tmp_path, capsys):
    fit(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for number, line in enumerate(lines, 1):
        facts = r"loss \d\.\d{4}  accuracy \d+\.\d%  [\d,]+ images/s  0:00:0\d left"
        assert re.fullmatch(rf"epoch {number}/3  {facts}", line)


def test_on_a_terminal_a_bar_shows_the_steps_and_goes_away(tmp_path, capsys, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    fit(tmp_path, epochs=2, steps=4)
    shown = terminal.getvalue()
    for epoch in (1, 2):
        assert re.search(rf"epoch {epoch}/2 \S*━.*4/4\S* steps  loss \d\.\d{{3}}  accuracy ", shown)
    assert shown.endswith("\x1b[2K")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_look_at_the_held_out_fold_is_in_the_line(tmp_path, capsys):
    look = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_accuracy=0.625))
    fit(tmp_path, epochs=1, extra=[look])
    assert "  held out: 62.5%  " in capsys.readouterr().out


def test_one_step_has_no_speed_for_it_is_the_one_that_compiles(tmp_path):
    progress = fit(tmp_path, epochs=1, steps=1)
    assert progress.images_per_second is None
    report = read_progress(tmp_path)
    assert (report["images_per_second"], report["seconds_left"]) == (None, None)


def test_neither_compiling_nor_looking_at_the_fold_counts_as_training(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(epoch_progress.time, "monotonic", lambda: clock[0])

    def pass_time(seconds):
        clock[0] += seconds

    passing = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: pass_time(0.1), on_epoch_end=lambda epoch, logs: pass_time(100)
    )
    progress = fit(tmp_path, epochs=4, steps=2, extra=[passing])
    # The first step is not counted; the others take 0.1 s for 5 images each.
    assert progress.images_per_second == pytest.approx(50)


def test_of_several_steps_per_call_the_last_are_not_counted_beyond_the_epoch(tmp_path):
    reports = []
    extra = [
        keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: time.sleep(0.5 if batch == 3 else 0),
            on_epoch_end=lambda epoch, logs: reports.append(read_progress(tmp_path)["epoch"]),
        )
    ]
    fit(tmp_path, epochs=1, steps=2, steps_per_execution=3, extra=extra)
    assert reports == [1]
    progress = fit(tmp_path, epochs=1, steps=4, steps_per_execution=3, extra=extra)
    # The second call has 1 step of 5 images, in half a second and more.
    assert 0 < progress.images_per_second < 5 / 0.5
