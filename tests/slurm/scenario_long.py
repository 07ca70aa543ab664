"""What takes longer with a real SLURM: 64 members at once, and the troubles of a busy cluster.

`bash tests/slurm/run.sh --long` starts it.
"""

import os
import re
import signal
import sys

import pytest

from tests.slurm.cluster import (
    NEEDS,
    ON_GPU,
    ONE_THREAD,
    REPOSITORY,
    Witness,
    assert_same_predictions,
    call,
    cluster_folder,
    daemon,
    facts,
    find_trainings,
    has_own_view,
    hold_in_training,
    jobs,
    node_state,
    restart_controller,
    set_node,
    splitscript,
    train_undisturbed,
    turns,
    wait_for,
    wait_until_saved,
)

ON_CPU = ("--slurm", "--partition=cpu", *NEEDS)
TINY = ("--width=4", "--input_size=16", "--batch_size=128", "--warmup=0", "--deterministic")
RUNS = ",".join(f"{model}_{replica}" for model in ("cnn", "resnet") for replica in range(8))
MANY = (*TINY, "--epochs=3", f"--runs={RUNS}")


def array_of(experiments):
    """Returns the id of the array that trains into a folder."""
    log = wait_for("a task", lambda: next(experiments.glob("exp_*/*/train.log"), None))
    return wait_for("its first line", lambda: re.search(r"SLURM task (\d+)_", log.read_text()))[1]


def train_until_the_time_limit(member):
    """Lets the only task train for an epoch, then holds it still until SLURM tells it that its time is over."""
    (training,) = hold_in_training([member])
    wait_for("its end", lambda: training not in find_trainings())  # SLURM lets it go when it sends a signal


def test_a_member_that_the_time_limit_cuts_twice_goes_on_each_time(tmp_path):
    experiments = tmp_path / "limited"
    # SLURM looks at the time every 30 s: the signal comes 90 to 60 s before the end.
    splitscript(experiments, *ON_GPU, "--time=5", "--signal=USR1@60", "--", *TINY, "--epochs=8", "--runs=cnn_0",
                "--folds=0")  # fmt: skip
    member, task = experiments / "exp_0" / "cnn_0", f"{array_of(experiments)}_0"
    for turn in (1, 2):
        wait_for("its turn", lambda turn=turn: len(turns(member)) >= turn)
        train_until_the_time_limit(member)
    wait_for("its turn", lambda: len(turns(member)) >= 3)
    assert call("scontrol", "update", f"jobid={task}", "timelimit=240").returncode == 0
    wait_for("the end", lambda: not jobs())
    restarts = int(facts(task)["Restarts"])  # a very slow machine is cut before an epoch, too
    assert facts(task)["JobState"] == "COMPLETED" and restarts >= 2
    log = (member / "train.log").read_text()
    assert log.count("is to go on later") == restarts
    assert (log.count("epoch 1/8"), log.count("epoch 8/8")) == (1, 1)


def test_while_a_lost_node_holds_a_member_its_task_elsewhere_waits_and_then_goes_on(tmp_path):
    experiments = tmp_path / "lost"
    splitscript(experiments, *ON_GPU, "--", *TINY, "--epochs=3", "--runs=cnn_0", "--folds=0")
    member = experiments / "exp_0" / "cnn_0"
    (training,) = hold_in_training([member])
    lost = daemon(f"slurmd-{training.node}")
    os.kill(lost, signal.SIGSTOP)
    wait_for("the node given up", lambda: node_state(training.node).startswith("down"), pause=2)
    wait_for("its task elsewhere", lambda: "is being trained by another" in (member / "train.log").read_text())
    # Else SLURM may begin the task there, before what ran on there has ended, and fail.
    set_node(training.node, "drain")
    os.kill(lost, signal.SIGCONT)  # SLURM ends what ran on there
    wait_for("the end", lambda: not jobs())
    set_node(training.node, "resume")
    assert len(turns(member)) > 2
    log = (member / "train.log").read_text()
    assert (log.count("epoch 1/3"), log.count("epoch 3/3")) == (1, 1)
    assert (member / "member.json").is_file()


def test_a_member_goes_on_through_another_file_system_than_it_began_on(tmp_path):
    experiments = cluster_folder() / "shared" / "moving"
    splitscript(experiments, *ON_GPU, "--", *TINY, "--epochs=3", "--runs=cnn_0", "--folds=0")
    member = experiments / "exp_0" / "cnn_0"
    (training,) = hold_in_training([member])
    print(f"each node has {'a view of its own' if has_own_view(training.node) else 'the same view'} of the folder")
    status = status_seen_from("n1", experiments)
    assert re.search(rf"exp_0/cnn_0 +running .* on {training.node}", status), status
    set_node(training.node, "down")
    wait_for("another node", lambda: len(turns(member)) > 1)
    set_node(training.node, "resume")
    wait_for("the end", lambda: not jobs())
    assert len(set(turns(member))) == 2
    assert (member / "train.log").read_text().count("epoch 1/3") == 1
    splitscript(tmp_path / "undisturbed", *TINY, "--epochs=3", "--runs=cnn_0", "--folds=0", **ONE_THREAD)
    assert same_predictions(member, tmp_path / "undisturbed" / "exp_0" / "cnn_0")


def status_seen_from(node, experiments):
    """Returns what `--status` prints on a node, whose file systems and host name it sees."""
    there = ("nsenter", f"--target={daemon(f'slurmd-{node}')}", "--mount", "--uts", f"--wd={REPOSITORY}")
    command = (sys.executable, "-m", "fer_ensemble.launch", "--status", f"--experiments={experiments}")
    return call(*there, *command, "--runs=cnn_0", "--folds=0").stdout


def same_predictions(member, other):
    return (member / "predictions.h5").read_bytes() == (other / "predictions.h5").read_bytes()


@pytest.fixture(scope="module")
def experiments(tmp_path_factory):
    return tmp_path_factory.mktemp("cluster") / "many"


@pytest.fixture(scope="module")
def urgent(experiments):
    return experiments.with_name("urgent")


@pytest.fixture(scope="module")
def disturbed(experiments, urgent):
    """Submits 64 members, disturbs many, waits. Returns a dictionary of what is to be looked at."""
    with Witness() as witness:
        found = {"witness": witness, "first": splitscript(experiments, *ON_CPU, "--array=%8", "--", *MANY)}
        found["array"] = array_of(experiments)
        wait_for("eight at a time", lambda: len(find_trainings()) == 8)

        # Others come whose partition goes first.
        splitscript(urgent, *ON_GPU, "--", *TINY, "--epochs=3", "--runs=cnn_0")
        preempted = wait_for("preempted members", lambda: find_preempted(experiments))
        wait_for("those that they make place for", lambda: list(urgent.glob("exp_*/*/train.log")))
        number = re.search(r"SLURM task \d+_(\d+)", (preempted[0] / "train.log").read_text())[1]
        waiting = facts(f"{found['array']}_{number}")["JobState"]
        found |= {"preempted": preempted, "waiting": waiting, "most": dict(witness.most)}

        # Someone submits everything again, and one task past us.
        found["again"] = splitscript(experiments, *ON_CPU, "--array=%8", "--", *MANY)
        script = experiments.with_name("script.sh")
        assert call("scontrol", "write", "batch_script", f"{found['array']}_{number}", script).returncode == 0
        twin = call("sbatch", "--parsable", "--job-name=twin", *ON_CPU[1:], f"--array={number}",
                    f"--output={experiments}/slurm/twin.log", script)  # fmt: skip
        assert twin.returncode == 0, twin.stderr
        found |= {"number": number, "twin": twin.stdout.strip()}

        wait_for("all of the others", lambda: len(list(urgent.glob("exp_*/*/train.log"))) == 4)
        wait_until_saved()
        restart_controller(signal.SIGKILL)
        wait_for("the end of everything", lambda: not jobs(), pause=2)
    return found


def find_preempted(experiments):
    logs = experiments.glob("exp_*/*/train.log")
    return [log.parent for log in logs if re.search("is to go on later|DUE TO PREEMPTION", log.read_text())]


def test_64_members_are_submitted_at_once_and_eight_run_at_a_time(disturbed):
    assert "0 of 64 members complete, 0 in SLURM's queue, 64 to submit" in disturbed["first"]
    assert disturbed["most"][disturbed["array"]] == 8
    assert not disturbed["witness"].collisions


def test_preempted_members_make_place_and_come_again(disturbed, urgent, experiments):
    assert disturbed["waiting"] == "PENDING"
    assert all(len(turns(member)) > 1 for member in disturbed["preempted"])
    assert len(list(urgent.glob("exp_*/*/member.json"))) == 4
    assert (urgent / "predictions.csv").is_file()
    for fold in (f"exp_{number}" for number in range(4)):  # of the same settings
        assert same_predictions(urgent / fold / "cnn_0", experiments / fold / "cnn_0")


def test_a_member_is_not_submitted_while_its_requeued_task_waits_and_a_twin_does_no_harm(disturbed):
    assert ", 0 to submit" in disturbed["again"]
    for array in (disturbed["array"], disturbed["twin"]):
        assert facts(f"{array}_{disturbed['number']}")["JobState"] == "COMPLETED"


def test_in_the_end_all_are_complete_and_as_if_nothing_had_been(disturbed, experiments):
    assert "64 complete" in splitscript(experiments, "--status", *MANY)
    undisturbed = experiments.with_name("undisturbed")
    troubled = train_undisturbed(experiments, undisturbed, *MANY)
    print(f"64 members, {len(troubled)} of them interrupted")
    assert_same_predictions(experiments, undisturbed)
