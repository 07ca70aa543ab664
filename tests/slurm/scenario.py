"""An ensemble trained by a real SLURM, with troubles on the way: `bash tests/slurm/run.sh` starts both."""

import shutil
from itertools import product

import pytest

from fer_ensemble.launch.submission import TASK_SCRIPT
from tests.slurm.cluster import (
    NEEDS,
    ON_GPU,
    Witness,
    assert_same_predictions,
    call,
    cluster_folder,
    controller_away,
    facts,
    hold_in_training,
    jobs,
    let_go,
    restart_controller,
    set_node,
    splitscript,
    train_undisturbed,
    turns,
    wait_for,
)

TRAINING = ("--epochs=4", "--width=4", "--input_size=16", "--batch_size=32", "--warmup=0", "--deterministic")


@pytest.fixture(scope="module")
def experiments(tmp_path_factory):
    return tmp_path_factory.mktemp("cluster") / "experiments"


@pytest.fixture(scope="module")
def disturbed(experiments):
    """Submits 16 members, disturbs some, waits.

    Returns a dictionary: the array's id, what two submissions said, the `Witness`, and the node that was set down.
    """
    broken = experiments / "exp_0" / "cnn_1" / "state.npz"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"half a file")  # so that this task fails
    with Witness() as witness:
        first = splitscript(experiments, *ON_GPU, "--", *TRAINING)
        (array,) = {name.partition("_")[0] for name in jobs() if "_" in name}
        # Numbers 0 to 3 are cnn_0, one for each fold; 11 to 14 resnet_0, 110 to 113 cnn_1.
        in_training = hold_in_training(experiments / f"exp_{fold}" / "cnn_0" for fold in range(3))
        # USR1 is what SLURM itself sends before the time limit.
        for fold, command in ((1, "scancel --signal=TERM"), (2, "scancel --signal=USR1"), (0, "scontrol requeue")):
            # No longer: SLURM 22.05 sends the signal, answers that it did not, and scancel sends another soon.
            call("timeout", "3", *command.split(), f"{array}_{fold}")
            let_go(in_training[fold])
        wait_for("a requeued task that waits", lambda: facts(f"{array}_0")["JobState"] == "PENDING")
        again = splitscript(experiments, *ON_GPU, "--", *TRAINING)
        wait_for("resnet_0", (experiments / "exp_0" / "resnet_0" / "train.log").exists)
        assert call("scancel", f"{array}_11").returncode == 0
        member = experiments / "exp_2" / "resnet_0"
        (training,) = hold_in_training([member])
        down = training.node
        set_node(down, "down")
        wait_for("another node", lambda: len(turns(member)) > 1)
        (training,) = hold_in_training([member])
        restart_controller()
        let_go(training)
        set_node(down, "resume")
        wait_for("the end of the array", lambda: not jobs())
    return {"array": array, "first": first, "again": again, "witness": witness, "down": down}


def log_of_prediction(experiments, number):
    logs = sorted((experiments / "slurm").glob("predict-*.log"), key=lambda path: path.stat().st_mtime)
    assert len(logs) == number
    return logs[-1].read_text()


def test_one_array_has_a_task_for_each_member(disturbed):
    assert "0 of 16 members complete, 0 in SLURM's queue, 16 to submit" in disturbed["first"]
    # The requeued one waits, and others are complete perhaps: none of them has another task.
    assert ", 0 to submit" in disturbed["again"]


def test_each_member_has_a_gpu_of_its_own(disturbed):
    witness = disturbed["witness"]
    assert {(training.node, training.gpus) for training in witness.seen} == set(product(("n2", "n3"), ("0", "1")))
    assert not witness.collisions
    assert witness.most[disturbed["array"]] <= 4


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_requeued_or_signalled_task_goes_on_and_ends(disturbed, experiments, number):
    job = facts(f"{disturbed['array']}_{number}")
    log = (experiments / f"exp_{number}" / "cnn_0" / "train.log").read_text()
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1"), log
    assert log.count("SLURM task") >= 2
    assert log.count("epoch 1/4") == 1
    assert log.count("epoch 4/4") == 1


def test_a_member_of_a_node_that_is_set_down_goes_on_elsewhere(disturbed, experiments):
    job = facts(f"{disturbed['array']}_13")
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")
    first, second = turns(experiments / "exp_2" / "resnet_0")
    assert first == disturbed["down"] != second
    assert (experiments / "exp_2" / "resnet_0" / "train.log").read_text().count("epoch 1/4") == 1


def test_a_cancelled_task_stays_cancelled_and_a_failed_one_failed(disturbed, experiments):
    assert facts(f"{disturbed['array']}_11")["JobState"] == "CANCELLED"
    job = facts(f"{disturbed['array']}_110")
    assert (job["JobState"], job["ExitCode"]) == ("FAILED", "1:0")
    # Once: SLURM may have begun it twice, where a node went down under it, but never after it had failed.
    assert (experiments / "exp_0" / "cnn_1" / "train.log").read_text().count("state.npz must hold the state") == 1


def test_the_prediction_comes_last_and_names_what_is_missing(disturbed, experiments):
    log = log_of_prediction(experiments, 1)  # that of the second call took the place of the first one
    assert "2 of 16 members are missing or unfinished: exp_0/cnn_1, exp_0/resnet_0" in log


def test_the_same_command_submits_what_is_missing_and_the_ensemble_is_that_of_an_undisturbed_run(
    disturbed, experiments
):
    shutil.rmtree(experiments / "exp_0" / "cnn_1")
    complete = {path: path.stat().st_mtime_ns for path in experiments.glob("*/*/member.json")}
    answer = splitscript(experiments, *ON_GPU, "--", *TRAINING)
    assert "14 of 16 members complete, 0 in SLURM's queue, 2 to submit" in answer
    assert "an array of 2: exp_0/cnn_1, exp_0/resnet_0" in answer
    wait_for("the end of the second array", lambda: not jobs())
    assert "ensemble" in log_of_prediction(experiments, 2)
    assert {path: path.stat().st_mtime_ns for path in complete} == complete

    undisturbed = experiments.with_name("undisturbed")
    troubled = train_undisturbed(experiments, undisturbed, *TRAINING)
    assert {undisturbed / "exp_0" / "cnn_0", undisturbed / "exp_2" / "resnet_0"} <= set(troubled)
    assert_same_predictions(experiments, undisturbed)


def test_a_task_that_begins_while_the_controller_is_away_waits_for_it(tmp_path):
    go, log = cluster_folder() / "go", tmp_path / "member" / "train.log"
    script = f"until [ -e {go} ]; do sleep 0.1; done; bash {TASK_SCRIPT} {log.parent} echo trained"
    answer = call("sbatch", "--parsable", "--array=0", *NEEDS, "--output=/dev/null", f"--wrap={script}")
    task = f"{answer.stdout.strip()}_0"
    wait_for("the task", lambda: facts(task)["JobState"] == "RUNNING")
    with controller_away():
        go.touch()
        wait_for("srun's failure", lambda: log.exists() and "srun: error" in log.read_text())
    wait_for("its end", lambda: not jobs())
    assert facts(task)["JobState"] == "COMPLETED", log.read_text()
    assert log.read_text().splitlines()[-1] == "trained"


def test_what_slurm_refuses_loses_nothing(disturbed, experiments):
    complete = sorted(experiments.glob("*/*/member.json"))
    answer = splitscript(experiments, *ON_GPU, "--partition=none", "--", *TRAINING, "--overwrite", expect=1)
    assert "Invalid partition name" in answer
    assert complete
    assert sorted(experiments.glob("*/*/member.json")) == complete


def test_runs_whose_tasks_slurm_cannot_count_are_refused(experiments):
    answer = splitscript(experiments, *ON_GPU, "--", *TRAINING, "--runs=cnn_10", expect=1)
    assert "give runs of smaller numbers. Received: sbatch: error:" in answer
