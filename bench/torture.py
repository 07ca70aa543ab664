"""Strikes ingesting, training, launching, predicting, sweeping and exporting, and sees that nothing is lost.

    sudo python bench/torture.py --kills=1000 --state=FOLDER [--at_a_time=2]

A round makes an ensemble of half of the bundled sample: see `list_tasks` in torture_victims.py; every other round
begins with its members. Faults come over the commands, which are then given again: SIGKILL; SIGTERM; SIGSTOP, and
SIGCONT 20 seconds later; a disk that is full, or read-only, until the command has ended. Half of the faults come
right before a file operation, any that the command makes; the others after some of the processor's time. One in
ten commands is started as a shell does it; the others are forked from this process, which has imported already
what takes seconds.

After each fault all that is complete must be whole, and as it was; what ends with an error must say so in one
line, without a traceback; at the end of a round everything must be, to the bit, what a round without faults made.

What is found is kept in FOLDER, a file for each round, and the table counts all of them: a later run goes on, with
a new round in the place of one that was broken off.
Each round lives on a file system of its own in memory (96 MB), which takes root. Where something is lost, it stays
mounted, to be looked at.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
os.environ |= {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": str(REPOSITORY)}

from torture_faults import FULL, KILL, READ_ONLY, SHARES, TERMINATE, Attempt, Disk, die_with_parent, unmount  # noqa: E402
from torture_victims import (  # noqa: E402
    EXPORTS,
    KINDS,
    MAKING,
    Checks,
    Loss,
    compare,
    describe_export,
    list_tasks,
    put_members,
    put_old_exports,
)

COLD_SHARE, OPERATION_SHARE = 0.1, 0.5
MOST_ATTEMPTS = 50  # of one task
ENDED_WELL, AT_OPERATION, ROUNDS, CHECKS = "ended well", "at a file operation", "rounds", "checks"
_SAYS = {FULL: "No space left on device", READ_ONLY: "Read-only file system"}


def import_victims():
    """Imports what the commands would, so that what is forked from here need not."""
    import onnxruntime  # noqa: F401
    import sklearn.model_selection  # noqa: F401
    import tensorflow as tf
    import tf2onnx  # noqa: F401

    import fer_ensemble.commands.predict
    import fer_ensemble.export.exporting
    import fer_ensemble.sweep.loop
    import fer_ensemble.training.fit
    import fer_ensemble.training.member  # noqa: F401

    assert tf.__version__
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    if threads > 1:
        print(f"note: {threads} threads before the fork", flush=True)


class Round:
    """One round: its tasks, one after the other, each until it has ended well.

    Args:
        folder: Where its file system is mounted.
        state: `pathlib.Path` of the folder of all rounds.
        generator: `random.Random`, or None for a round without faults.
        known: What such a round found out: `seconds` and `operations` of each task, `exports`.
        with_members: Whether it begins with the members of such a round, and goes on from there.
    """

    def __init__(self, folder, state, generator=None, known=None, with_members=False):
        self._disk, self._state = Disk(folder), state
        self._log = folder.with_suffix(".log")
        self._log.unlink(missing_ok=True)
        self._generator, self._known, self._with_members = generator, known, with_members
        self._checks = Checks(folder, known and known["exports"])
        self.facts = {"seconds": {}, "operations": {}}
        self.counts = collections.Counter()

    def run(self):
        """Runs all tasks; what is counted is kept after each attempt: numbers by `kind/what`."""
        folder = self._disk.folder
        if self._known:
            put_old_exports(self._state / "calm", folder)
        if self._with_members:
            put_members(self._state / "calm", folder)
        for task in list_tasks(folder):
            if self._with_members and task.kind in MAKING:
                continue
            faults = task.faults if self._generator else 0
            for _ in range(MOST_ATTEMPTS):
                struck, code = self._attempt(task, self._draw(task) if faults else {})
                faults -= bool(struck)
                if code == 0:
                    break
            else:
                raise Loss(f"{task.name} does not end well")
        if self._known:
            compare(folder, self._state / "calm")
            self.counts[ROUNDS] = 1
            self._keep_counts()

    def _draw(self, task):
        """Draws a fault and its moment, as `Attempt` takes them."""
        draw = self._generator
        fault = draw.choices(list(SHARES), list(SHARES.values()))[0]
        if draw.random() < OPERATION_SHARE and self._known["operations"][task.name]:
            return {"fault": fault, "operation": draw.randint(1, self._known["operations"][task.name])}
        seconds = draw.uniform(0, self._known["seconds"][task.name])
        return {"fault": fault, "seconds": seconds, "cold": draw.random() < COLD_SHARE / (1 - OPERATION_SHARE)}

    def _attempt(self, task, fault):
        """Runs a task once; returns the fault that came over it, or None, and its exit code."""
        attempt = Attempt(task.arguments, self._disk, self._log, **fault)
        code = attempt.wait()
        self._disk.mend()
        output, name = attempt.output(), fault.get("fault")
        # A signal may come when all is done.
        struck = name if (code if name in (KILL, TERMINATE) else attempt.struck) else None
        self._check_end(task, struck, code, output)
        self._checks.run()
        if struck:
            self.counts[f"{task.kind}/{struck}"] += 1
            self.counts[f"{task.kind}/{AT_OPERATION}"] += "operation" in fault
        if code == 0:
            self.counts[f"{task.kind}/{ENDED_WELL}"] += 1
            if not self._generator:
                self.facts["seconds"][task.name] = attempt.used
                self.facts["operations"][task.name] = attempt.operations
        if self._known:
            self._keep_counts()
        when = f"before file operation {fault['operation']}" if "operation" in fault else f"{attempt.used:.1f} s"
        print(f"{self._disk.folder.name}: {task.name}: {struck or 'nothing'}, {when}, code {code}", flush=True)
        return struck, code

    def _keep_counts(self):
        self.counts[CHECKS] = self._checks.number
        temporary = self._state / f".{self._disk.folder.name}.json"
        temporary.write_text(json.dumps(self.counts))
        temporary.replace(self._state / f"{self._disk.folder.name}.json")

    def _check_end(self, task, struck, code, output):
        right = {
            KILL: (-9,),
            TERMINATE: (-15, 143),
            FULL: (0, 1),
            READ_ONLY: (0, 1),
        }.get(struck, (0,))
        if code not in right:
            raise Loss(f"{task.name} ended with exit code {code} after {struck}:\n{output[-3000:]}")
        if code == 1 and _SAYS[struck] not in output:
            raise Loss(f"{task.name} does not say what is wrong, {struck}:\n{output[-3000:]}")
        if "Traceback" in output:
            raise Loss(f"{task.name} ended with a traceback after {struck}:\n{output[-3000:]}")


def run_calm(state):
    """Makes the round that all others are compared with, and the other exports."""
    calm, old = state / "calm", state / "old"
    print("a round without faults", flush=True)
    place = state / "round_0"
    one = Round(place, state)
    one.run()
    calm.with_name("calm.tmp").mkdir()
    shutil.copytree(place, calm.with_name("calm.tmp"), dirs_exist_ok=True)
    old.mkdir(exist_ok=True)
    for task in list_tasks(place):
        if task.kind == "exporting":
            arguments = [word.replace("exp_0/", "exp_1/") for word in task.arguments]
            arguments = [word.replace(f"{place}/network", f"{old}/network") for word in arguments]
            assert Attempt(arguments, one._disk, state / "old.log").wait() == 0
    exports = {name: [describe_export(folder / name) for folder in (place, old)] for name in EXPORTS.values()}
    (state / "known.json").write_text(json.dumps({**one.facts, "exports": exports}, indent=2))
    one._disk.remove()
    calm.with_name("calm.tmp").rename(calm)


def run_round(state, number):
    """Runs one round in this process, and leaves what it counted."""
    known = json.loads((state / "known.json").read_text())
    place = state / f"round_{number}"
    one = Round(place, state, random.Random(number), known, with_members=number % 2 == 0)
    one.run()
    one._disk.remove()
    place.with_suffix(".log").unlink()


def read_counts(state):
    """Returns the numbers of the rounds that have begun, and what they counted together."""
    total, numbers = collections.Counter(), []
    for path in state.glob("round_*.json"):
        total.update(json.loads(path.read_text()))
        numbers.append(int(path.stem.split("_")[1]))
    return numbers, total


def count_faults(total):
    return sum(count for name, count in total.items() if name.partition("/")[2] in SHARES)


def print_table(state):
    numbers, total = read_counts(state)
    heads = [*SHARES, AT_OPERATION, ENDED_WELL]
    print(f"\n| Struck while | {' | '.join(heads).replace(AT_OPERATION, f'of all, {AT_OPERATION}')} |")
    print("| --- |" + " --- |" * len(heads))
    for kind in KINDS:
        print(f"| {kind} | {' | '.join(str(total[f'{kind}/{head}']) for head in heads)} |")
    print(f"| all | {' | '.join(str(sum(total[f'{kind}/{head}'] for kind in KINDS)) for head in heads)} |")
    print(
        f"\n{count_faults(total):,} faults; {total[CHECKS]:,} checks of complete members found all whole; "
        f"{total[ROUNDS]} of {len(numbers)} rounds came to their end, with the results of the calm one to the bit"
    )


def clear(state):
    """Removes what rounds left that were broken off."""
    for place in state.glob("round_*"):
        if place.is_dir():
            while place.is_mount():
                unmount(place)
            place.rmdir()
    shutil.rmtree(state / "calm.tmp", ignore_errors=True)


def fork(function, *arguments):
    """Runs a function in a process of its own; returns its number."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    code = 1
    die_with_parent()
    try:
        function(*arguments)
        code = 0
    except (Loss, RuntimeError) as loss:
        print(f"LOST: {loss}", flush=True)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how many faults there are to be in all")
    parser.add_argument("--state", type=pathlib.Path, required=True)
    parser.add_argument("--at_a_time", type=int, default=1, help="rounds")
    options = parser.parse_args()
    state = options.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    clear(state)
    import_victims()
    if not (state / "calm").exists():
        _, status = os.waitpid(fork(run_calm, state), 0)
        if status:
            sys.exit("the round without faults failed")
    running, failed = {}, False
    began = time.monotonic()
    while running or not failed:
        numbers, total = read_counts(state)
        enough = count_faults(total) >= options.kills
        while not enough and not failed and len(running) < options.at_a_time:
            number = next(n for n in range(1, 10**6) if n not in numbers and n not in running.values())
            running[fork(run_round, state, number)] = number
        if not running:
            break
        process, status = os.wait()
        running.pop(process)
        failed = failed or status != 0
        print_table(state)
        print(f"{(time.monotonic() - began) / 60:.0f} minutes", flush=True)
    if failed:
        sys.exit("something was lost: see above")
    print_table(state)


if __name__ == "__main__":
    main()
