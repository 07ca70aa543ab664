"""Kills ingesting, training, saving and predicting at random moments, and sees that nothing is lost.

Every round makes an ensemble of four members from the bundled sample: the data set, the members, their
predictions of other data. Two processes work at a time, and most of them are killed (SIGKILL or SIGTERM; at a
random moment, or while a file is being written), and started again with the same command. After each kill all that
is complete must be whole and still be there; at the end of each round everything must be, to the bit, what a run
without kills made.

    python bench/torture.py --kills=100
"""

import argparse
import collections
import gzip
import hashlib
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
from train_step import processor_seconds

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
from fer_ensemble.data.store import read_dataset  # noqa: E402
from fer_ensemble.members import directory  # noqa: E402
from fer_ensemble.members.predictions import read_predictions  # noqa: E402

SETTINGS = ["--deterministic", "--width=4", "--input_size=16", "--epochs=4", "--batch_size=8", "--dropout=0.1"]
SETTINGS += ["--ema=0.9"]
WORKERS = 2
# How often one task is killed before it is left alone, at the most: it may be faster than the signal.
KILLS = {"ingesting": 3, "training": 5, "predicting": 2}


class Task:
    """A command, and the folder where it writes."""

    def __init__(self, kind, folder, *arguments):
        self.kind, self.folder = kind, folder
        self.command = [sys.executable, *map(str, arguments)]
        self.kills_left = KILLS[kind]


class Attempt:
    """A task that runs, and what is to be done to it: a signal, after so many seconds of the processor's time.

    The processor's, so that a busy machine does not change where in its work a task is hit.
    """

    def __init__(self, task, generator, seconds, log):
        self.task, self.log, self.seconds = task, log, 0.0
        self.log_start = log.stat().st_size if log.exists() else 0
        self.signal, self.in_write, self.sent, self.wrote = None, False, False, False
        self.left_behind = set(task.folder.rglob(".*"))  # by earlier kills
        if generator and task.kills_left:
            task.kills_left -= 1
            self.signal = generator.choice([signal.SIGKILL, signal.SIGTERM])
            self.in_write = generator.random() < 0.5
            self.moment = generator.uniform(0.0, seconds)
        with log.open("ab") as output:
            self.process = subprocess.Popen(task.command, stdout=output, stderr=output, cwd=REPOSITORY)

    def torture(self):
        """Sends the signal when its moment has come."""
        self.seconds = max(self.seconds, processor_seconds(self.process.pid))
        if self.signal is None or self.sent or self.seconds < self.moment:
            return
        writing = not self.left_behind.issuperset(self.task.folder.rglob(".*"))
        if writing or not self.in_write:
            self.process.send_signal(self.signal)
            self.sent, self.wrote = True, writing

    def output(self):
        return self.log.read_text(errors="replace")[self.log_start :]


class Torture:
    def __init__(self, folder, generator):
        self.folder, self.generator = folder, generator
        self.seconds = {}  # of each kind of task, undisturbed
        self.complete = {}  # folder of a complete member: SHA-256 of its record
        self.counts = collections.Counter()
        self.checks = 0

    @property
    def kills(self):
        return sum(number for (_, name, _), number in self.counts.items() if name in ("SIGKILL", "SIGTERM"))

    def run(self, tasks, disturbed):
        """Runs tasks, two at a time, each until it has ended well."""
        waiting, running = list(tasks), []
        while waiting or running:
            while waiting and len(running) < WORKERS:
                task = waiting.pop(0)
                generator = self.generator if disturbed else None
                running.append(Attempt(task, generator, self.seconds.get(task.kind, 1.0), self.folder / "log.txt"))
            time.sleep(0.002)
            for attempt in list(running):
                attempt.torture()
                if attempt.process.poll() is not None:
                    running.remove(attempt)
                    if not self.finish(attempt):
                        waiting.append(attempt.task)

    def finish(self, attempt):
        """Notes how an attempt ended and checks everything; returns whether the task is done."""
        code, kind = attempt.process.returncode, attempt.task.kind
        if code == 0:
            self.seconds.setdefault(kind, attempt.seconds)
            self.counts[kind, "ended well", ""] += 1
        elif attempt.sent and code in (-attempt.signal, 128 + attempt.signal):
            self.counts[kind, attempt.signal.name, "in a write" if attempt.wrote else ""] += 1
        else:
            sys.exit(f"{kind} ended with exit code {code}:\n{attempt.output()[-2000:]}")
        if "Traceback" in attempt.output():
            sys.exit(f"{kind} ended with a traceback:\n{attempt.output()[-2000:]}")
        self.check()
        if code:
            moment = ", in a write" if attempt.wrote else ""
            print(f"{self.kills}: {kind}, {attempt.signal.name} after {attempt.seconds:.1f} s{moment}", flush=True)
        return code == 0

    def check(self):
        """Exits if a complete member is not whole, or one that was complete is not any more."""
        for record_path in self.folder.glob("*/experiments/exp_*/*/member.json"):
            folder = record_path.parent
            directory.check_files(folder)
            for path in folder.glob("predictions*.h5"):
                read_predictions(path)
            digest = hashlib.sha256(record_path.read_bytes()).hexdigest()
            if self.complete.setdefault(folder, digest) != digest:
                sys.exit(f"{folder} was complete, and was changed")
            self.checks += 1
        for folder in self.complete:
            if not directory.is_complete(folder):
                sys.exit(f"{folder} was complete, and is not any more")
        for path in self.folder.glob("*/[!.]*.h5"):  # a hidden one is what a kill in a write left behind
            read_dataset(path)


def make_ensemble(torture, name, disturbed):
    """Ingests, trains and predicts; returns the folder of it all."""
    folder = torture.folder / name
    folder.mkdir()
    experiments = folder / "experiments"
    lines = gzip.decompress((REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz").read_bytes()).splitlines(
        keepends=True
    )
    tasks = []
    for name, kept in (("data", lines), ("other", lines[:-1])):
        (folder / f"{name}.csv").write_bytes(b"".join(kept))
        command = ["-m", "fer_ensemble.data", folder / f"{name}.csv", f"--output={folder / f'{name}.h5'}"]
        tasks.append(Task("ingesting", folder, *command))
    torture.run(tasks, disturbed)
    torture.run(
        [
            Task(
                "training",
                directory.member_folder(experiments, fold, "cnn_0"),
                *["model_train.py", *SETTINGS, f"--fold={fold}"],
                *[f"--data={folder / 'data.h5'}", f"--experiments={experiments}"],
            )
            for fold in range(4)
        ],
        disturbed,
    )
    torture.run(
        [
            Task(
                "predicting",
                folder,
                *["predict.py", f"--ensemble={experiments}", "--runs=cnn_0", f"--data={folder / 'other.h5'}"],
                *[f"--splits={split}", f"--output={folder / f'results_{split}'}"],
            )
            for split in ("PublicUse", "PrivateUse")
        ],
        disturbed,
    )
    return folder


def compare(folder, calm):
    """Exits if the results are not, to the bit, those of the run without kills."""
    for name in ("data.h5", "other.h5"):
        if read_dataset(folder / name).fingerprint != read_dataset(calm / name).fingerprint:
            sys.exit(f"{folder / name} is not {calm / name}")
    for path in sorted(calm.glob("experiments/exp_*/*/predictions*.h5")):
        ours, theirs = read_predictions(folder / path.relative_to(calm))[0], read_predictions(path)[0]
        for part in theirs:
            if not np.array_equal(ours[part].probabilities, theirs[part].probabilities):
                sys.exit(f"{folder / path.relative_to(calm)} has other probabilities than {path}")
    for path in sorted(calm.glob("results_*/predictions.csv")):
        if (folder / path.relative_to(calm)).read_bytes() != path.read_bytes():
            sys.exit(f"{folder / path.relative_to(calm)} is not {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="torture-"))
    began = time.monotonic()
    torture = Torture(folder, random.Random(options.seed))
    print(f"in {folder}: a run without kills", flush=True)
    calm = make_ensemble(torture, "calm", disturbed=False)
    torture.counts.clear()
    rounds = 0
    while torture.kills < options.kills:
        rounds += 1
        compare(make_ensemble(torture, f"round_{rounds}", disturbed=True), calm)
    print("\n| Killed while | SIGKILL | of these in a write | SIGTERM | of these in a write | ended well |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind in ("ingesting", "training", "predicting"):
        cells = [
            torture.counts[kind, name, ""] + torture.counts[kind, name, "in a write"] if not where
            else torture.counts[kind, name, where]
            for name in ("SIGKILL", "SIGTERM")
            for where in ("", "in a write")
        ]  # fmt: skip
        print(f"| {kind} | {' | '.join(map(str, cells))} | {torture.counts[kind, 'ended well', '']} |")
    print(
        f"\n{torture.kills} kills in {rounds} rounds and {(time.monotonic() - began) / 60:.0f} minutes; "
        f"{torture.checks} checks of complete members found all of them whole; "
        "probabilities of every round are, bit for bit, those of the run without kills"
    )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
