import re
import sys

import pytest

from fer_ensemble.launch.display import Display, MemberTime, estimate_seconds_left
from fer_ensemble.launch.local import Job, run_jobs
from fer_ensemble.launch.plan import plan_members
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions


def test_while_nothing_is_known_there_is_no_estimate():
    assert estimate_seconds_left([MemberTime("cnn", spent=5.0), MemberTime("cnn")], workers=1) is None


def test_members_not_begun_take_as_long_as_those_of_their_architecture():
    times = [
        MemberTime("cnn", spent=100.0, left=0.0),
        MemberTime("cnn", spent=20.0, left=60.0),  # 80 in all, so CNNs take 90
        MemberTime("resnet", spent=50.0, left=150.0),  # 200
        MemberTime("cnn"),
        MemberTime("resnet"),
    ]
    assert estimate_seconds_left(times, workers=2) == pytest.approx((60 + 150 + 90 + 200) / 2)


def test_a_member_that_has_begun_but_tells_nothing_has_the_rest_of_the_mean_left():
    times = [MemberTime("cnn", spent=100.0, left=0.0), MemberTime("cnn", spent=30.0)]
    assert estimate_seconds_left(times, workers=1) == pytest.approx(70.0)
    times = [MemberTime("cnn", spent=100.0, left=0.0), MemberTime("cnn", spent=130.0)]
    assert estimate_seconds_left(times, workers=1) == 0.0


def test_an_unknown_architecture_is_taken_for_the_mean_of_all():
    times = [MemberTime("cnn", spent=10.0, left=30.0), MemberTime("resnet")]
    assert estimate_seconds_left(times, workers=1) == pytest.approx(30 + 40)


def test_it_takes_no_less_than_the_longest_member():
    times = [MemberTime("cnn", spent=0.0, left=100.0), MemberTime("cnn", spent=0.0, left=20.0)]
    assert estimate_seconds_left(times, workers=4) == pytest.approx(100.0)


def test_a_failure_tells_nothing_of_the_time():
    times = [MemberTime("cnn", spent=None, left=0.0), MemberTime("cnn")]
    assert estimate_seconds_left(times, workers=1) is None


def test_off_a_terminal_each_member_gets_a_line_when_it_begins_and_when_it_ends(tmp_path, capsys):
    options = TrainingOptions(experiments=str(tmp_path))
    members = plan_members([("cnn", 0), ("cnn", 1)], [0], TrainingSettings(), options)
    codes = [f"raise SystemExit({code})" for code in (0, 3)]
    jobs = [
        Job(member.name, [sys.executable, "-c", code], member.folder / "train.log")
        for member, code in zip(members, codes, strict=True)
    ]
    with Display(members, workers=1) as display:
        run_jobs(jobs, [{}], display)
        display([])  # says nothing twice, and nothing without news
    lines = capsys.readouterr().out.splitlines()
    assert [re.split(" after|:", line)[0] for line in lines] == [
        "exp_0/cnn_0 begins",
        "exp_0/cnn_0 complete",
        "exp_0/cnn_1 begins",
        "exp_0/cnn_1 NOT complete",
    ]
    assert re.search(r"1 of 2 members complete, about \d+ s left$", lines[1])
    assert lines[3].endswith("1 of 2 members complete")


# A member that says that 2 hours are left, and then works until a file is there, and some seconds more.
TELLING = """
import json, os, sys, time
path, epoch, epochs, until, seconds = sys.argv[1:]
progress = {"pid": os.getpid(), "epoch": float(epoch), "epochs": int(epochs), "images_per_second": 10.0}
open(path, "w").write(json.dumps({**progress, "seconds_left": 7200}))
while not os.path.exists(until): time.sleep(0.01)
time.sleep(float(seconds))
"""


def telling_job(member, epoch, epochs, until, seconds):
    command = [sys.executable, "-c", TELLING, member.folder / "progress.json", epoch, epochs, until, seconds]
    return Job(member.name, [str(word) for word in command], member.folder / "train.log")


def test_what_a_running_member_says_of_its_time_left_is_used(tmp_path, capsys):
    options = TrainingOptions(experiments=str(tmp_path))
    members = plan_members([("cnn", 0), ("resnet", 0)], [0], TrainingSettings(), options)
    jobs = [
        telling_job(member, 1, 4, other.folder / "progress.json", seconds)
        for member, other, seconds in zip(members, members[::-1], (3, 0.1), strict=True)
    ]
    run_jobs(jobs, [{}, {}], Display(members, workers=2))
    ended = [line for line in capsys.readouterr().out.splitlines() if "exp_0/resnet_0 complete" in line]
    assert ended[0].endswith("1 of 2 members complete, about 2 h 00 min left")


def test_a_member_gone_on_with_counts_as_a_whole_one_for_the_others(tmp_path, capsys):
    options = TrainingOptions(experiments=str(tmp_path))
    members = plan_members([("cnn", 0), ("cnn", 1)], [0], TrainingSettings(), options)
    display, seen = Display(members, workers=1), tmp_path / "seen"
    # The last of 10 epochs, of which one takes 2 hours: the other member will take 20.
    job = telling_job(members[0], 9, 10, seen, 0)
    progress = members[0].folder / "progress.json"

    def watch(runs):
        told = progress.exists() and progress.read_text()
        display(runs)
        if told:
            seen.touch()

    run_jobs([job], [{}], watch)
    ended = [line for line in capsys.readouterr().out.splitlines() if "exp_0/cnn_0 complete" in line]
    assert ended[0].endswith("about 20 h 00 min left")
