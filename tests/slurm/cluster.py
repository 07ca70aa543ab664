"""What the scenarios ask of the test's SLURM, and who trains on it."""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

REPOSITORY = pathlib.Path(__file__).parents[2]
DATA = REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz"
# As in a task.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
# sbatch's flags, for tasks on the test's SLURM. It has four GPUs: four tasks at a time.
NEEDS = ("--cpus-per-task=1", "--mem=1500M")
ON_GPU = ("--slurm", "--partition=gpu", "--gres=gpu:1", *NEEDS)
PATIENCE = 3600  # seconds: the machine may be slow, and the test does not mind


def call(*command, **environment):
    return subprocess.run(
        list(map(str, command)),
        cwd=REPOSITORY,
        env={**os.environ, "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": "", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def splitscript(experiments, *flags, expect=0, **environment):
    """Returns what `bash splitscript.sh` printed; what is sbatch's in the flags ends in `--`."""
    answer = call(
        "bash", "splitscript.sh", *flags, f"--data={DATA}", f"--experiments={experiments}", **environment
    )
    assert answer.returncode == expect, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def jobs():
    """Returns the names of what is in the queue: `12_3` for a task, `13` for a job."""
    answer = call("squeue", "--noheader", "--array", "--format=%i")
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.split()


def facts(task):
    """Returns what SLURM knows of a job: `JobState`, `Restarts`, `Reason` and more."""
    return dict(pair.partition("=")[::2] for pair in call("scontrol", "show", "job", task).stdout.split())


def wait_for(what, condition, pause=0.1):
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(pause)
    return value


def set_node(name, state):
    answer = call("scontrol", "update", f"nodename={name}", f"state={state}", "reason=test")
    assert answer.returncode == 0, answer.stderr


def node_state(name):
    return call("sinfo", "--noheader", f"--nodes={name}", "--partition=cpu", "--format=%T").stdout.strip()


def cluster_folder():
    return pathlib.Path(os.environ["SLURM_CONF"]).parent


def daemon(name):
    """Returns the process number of `slurmctld`, or of `slurmd-n1`."""
    return int((cluster_folder() / f"{name}.pid").read_text())


def has_own_view(node):
    """Whether a node sees the shared folder through a file system of its own."""
    return (cluster_folder() / f"bindfs-{node}.pid").exists()


def wait_until_saved():
    """Waits until SLURM has saved its jobs, within seconds of a change: what came later, a kill has it forget."""
    now, state = time.time(), cluster_folder() / "state" / "job_state"
    wait_for("SLURM's state on disk", lambda: state.stat().st_mtime > now)


@contextlib.contextmanager
def controller_away(number=signal.SIGTERM):
    """Within the block SLURM has no controller: it is stopped before, and started anew in the end."""
    process = daemon("slurmctld")
    os.kill(process, number)
    wait_for("the end of the controller", lambda: _has_ended(process))
    try:
        yield
    finally:
        script = pathlib.Path(__file__).with_name("cluster.sh")
        subprocess.run(["bash", script, "controller", cluster_folder()], stdout=subprocess.DEVNULL, check=True)
        wait_for("the controller", lambda: call("scontrol", "ping").returncode == 0)


def restart_controller(number=signal.SIGTERM):
    with controller_away(number):
        pass


def _has_ended(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@dataclasses.dataclass(frozen=True)
class Training:
    """A process that trains a member: its number, its task (`12_3`), its node and the GPUs that it sees."""

    process: int
    task: str
    node: str
    gpus: str | None


def find_trainings():
    """Returns the list of `Training` on all nodes, as the kernel has them."""
    return [training for path in pathlib.Path("/proc").glob("[0-9]*") if (training := _read_training(path))]


def _read_training(path):
    try:
        words = (path / "cmdline").read_bytes().decode().split("\0")
        if words[1:4] != ["-m", "fer_ensemble", "train"]:
            return None
        lines = (path / "environ").read_bytes().decode().split("\0")
    except OSError:  # it has ended
        return None
    variables = dict(line.partition("=")[::2] for line in lines)
    if variables.get("SLURM_CONF") != os.environ["SLURM_CONF"]:
        return None
    task = f"{variables['SLURM_ARRAY_JOB_ID']}_{variables['SLURM_ARRAY_TASK_ID']}"
    return Training(int(path.name), task, variables["SLURMD_NODENAME"], variables.get("CUDA_VISIBLE_DEVICES"))


def hold_in_training(members):
    """Stops the trainings of members after an epoch of theirs: no machine is too fast for what follows.

    Returns their list of `Training`.
    """
    members, held = list(members), {}

    def hold():
        for member in members:
            if member in held or not has_trained(member):
                continue
            for training in find_trainings():
                if is_trained_by(member, training):
                    os.kill(training.process, signal.SIGSTOP)
                    held[member] = training
        return len(held) == len(members)

    wait_for(f"an epoch of {', '.join(map(str, members))}", hold, pause=0.05)
    return [held[member] for member in members]


def let_go(training):
    with contextlib.suppress(ProcessLookupError):
        os.kill(training.process, signal.SIGCONT)


def is_trained_by(member, training):
    log = member / "train.log"
    return log.exists() and f"  SLURM task {training.task} " in log.read_text()


class Witness:
    """Looks a few times a second at who trains where; a context.

    Attributes:
        seen: Set of all `Training`.
        most: Dictionary from each array to how many of its tasks trained at one time.
        collisions: Set of `(node, GPU)` where two trained at one time.
    """

    def __init__(self):
        self.seen, self.most, self.collisions = set(), {}, set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._over.set()
        self._thread.join()

    def _look(self):
        while not self._over.wait(0.3):
            first = set(find_trainings())
            both = first & set(find_trainings())  # who was there before and after: they were there together
            self.seen |= first
            for array in {training.task.partition("_")[0] for training in both}:
                number = sum(training.task.startswith(f"{array}_") for training in both)
                self.most[array] = max(number, self.most.get(array, 0))
            places = [(training.node, training.gpus) for training in both if training.gpus]
            self.collisions |= {place for place in places if places.count(place) > 1}


def has_trained(member):
    """Whether the member's last turn is past an epoch, the state of which is saved before it is printed."""
    log = member / "train.log"
    return log.exists() and "\nepoch " in log.read_text().rpartition("  SLURM task")[2]


def turns(member):
    """Returns the nodes on which a member's task began, in their order."""
    return re.findall(r"  SLURM task \S+ on (\w+)", (member / "train.log").read_text())


def train_undisturbed(experiments, undisturbed, *flags):
    """Copies an ensemble, trains its members that had more than one turn anew, without SLURM, and combines all.

    Returns their folders in the copy.
    """
    shutil.copytree(experiments, undisturbed, ignore=shutil.ignore_patterns("predictions.csv", "oof.csv"))
    troubled = [path.parent for path in undisturbed.glob("*/*/member.json") if len(turns(path.parent)) > 1]
    for member in troubled:
        shutil.rmtree(member)
    assert f"{len(troubled)} to train" in splitscript(undisturbed, *flags, **ONE_THREAD)
    return troubled


def assert_same_predictions(experiments, undisturbed):
    for name in ("predictions.csv", "oof.csv"):
        assert (undisturbed / name).read_bytes() == (experiments / name).read_bytes()
