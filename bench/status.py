"""How long `splitscript.sh --status` takes for many members of which most run, from their files alone.

It trains a member of the bundled sample, stops another in the middle, and makes the folders of 64 from what these
wrote: 40 that a process holds and that say how far they are, 12 complete, 4 interrupted, 4 failed, 4 not begun.

    python bench/status.py
"""

import argparse
import contextlib
import pathlib
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
from fer_ensemble.base.errors import UserError  # noqa: E402
from fer_ensemble.launch.status import format_status, read_status  # noqa: E402
from fer_ensemble.members import directory, lock, notes  # noqa: E402

DATA = REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz"
RUNS = [f"{model}_{replica}" for model in ("cnn", "resnet") for replica in range(8)]
FOLDS = range(4)


def train(folder, *flags, until=None):
    """Trains a member, or stops when the file `until` is there. Returns its folder."""
    command = [sys.executable, "-m", "fer_ensemble", "train", f"--data={DATA}", f"--experiments={folder}", *flags]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    member = directory.member_folder(folder, 0, "cnn_0")
    while process.poll() is None:
        time.sleep(0.1)
        if until and (member / until).exists():
            process.send_signal(signal.SIGTERM)
            process.wait()
    return member


def lay_out(experiments, complete, interrupted, stack):
    """Makes the folders of 64 members; the contexts that hold 40 of them are entered into the stack."""
    folders = [directory.member_folder(experiments, fold, run) for fold in FOLDS for run in RUNS]
    for number, folder in enumerate(folders[4:]):
        shutil.copytree(complete if number < 12 else interrupted, folder)
        if 12 <= number < 16:
            notes.write_failure(folder, UserError("The loss must be a finite number."))
        if number >= 20:
            stack.enter_context(lock.held(folder))
            notes.write_progress(
                folder, {"epoch": 7.5, "epochs": 60, "images_per_second": 812.0, "seconds_left": 5400}
            )
    return folders


def seconds_of(call, times):
    """Says how long a call takes: the middle and the greatest of some times, and the processor's share of one."""
    taken, before = [], processor_seconds()
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    processor = (processor_seconds() - before) / times
    return f"{statistics.median(taken):.3f} s, at most {max(taken):.3f} s, {processor:.3f} s of the processor"


def processor_seconds():
    """Returns the processor's time that this process and those that it started have taken, in seconds."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="How often each is measured.")
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        place = pathlib.Path(temporary)
        complete = train(place / "complete", "--epochs=1", "--width=4", "--input_size=16")
        # As wide as by default: the state is as large as that of a real training.
        interrupted = train(place / "interrupted", "--epochs=60", until=directory.STATE)
        size = (interrupted / directory.STATE).stat().st_size
        folders = lay_out(place / "experiments", complete, interrupted, stack)
        statuses = [read_status(folder) for folder in folders]
        states = [status.state for status in statuses]
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        print(f"{len(folders)} members ({counts}); a saved state has {size / 1e6:.1f} MB")
        command = ["bash", "splitscript.sh", "--status", f"--data={DATA}", f"--runs={','.join(RUNS)}",
                   f"--experiments={place / 'experiments'}"]  # fmt: skip

        def run():
            output = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
            assert "40 running" in output, output

        print(f"reading the files: {seconds_of(lambda: [read_status(folder) for folder in folders], times)}")
        print(f"making the table:  {seconds_of(lambda: format_status(statuses), times)}")
        print(f"the whole command: {seconds_of(run, times)}")


if __name__ == "__main__":
    main()
