"""Measures all that needs a GPU in one command, on any backend.

In this order, each as far as the time allows: the GPU's matmul peak; training images/s of both architectures,
widths 32 and 64; 1, 2, 4 and 8 workers on the GPU; a prediction of 16 members; a full run of 16 members; then
training again with other precisions, batch sizes, and one step per call. What no longer fits is named as skipped.

It writes OUTPUT/gpu.json and OUTPUT/gpu.md, anew after each measurement, and says so and ends with 0 where there
is no GPU. Every part runs in a process of its own; their output is in OUTPUT/*.log. The networks are fed and
trained by the project's own code; their training images are repeated up to the number of FER2013's three folds.

Examples:

  python bench/gpu.py --data=fer2013.csv
  KERAS_BACKEND=jax python bench/gpu.py --minutes=25 --full_run=experiments/quick.flags
  python bench/gpu.py --data=fer2013.csv --only=full_run --output=bench/gpu-full-run
  python bench/gpu.py --device=cpu --minutes=3    to try the command: tiny sizes, one member as the full run
"""

import json
import os
import pathlib
import statistics
import sys
import time

from absl import flags

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gpu_measurements import MEASUREMENTS, SIZES, list_trainings, measure_part, read_rows, write_row  # noqa: E402
from gpu_tables import format_results  # noqa: E402

from fer_ensemble.base.atomic_files import write_text  # noqa: E402
from fer_ensemble.base.errors import EXIT_SIGNAL, UserError  # noqa: E402
from fer_ensemble.base.stop_signals import Stopped  # noqa: E402
from fer_ensemble.commands import edge  # noqa: E402
from fer_ensemble.data.bundled import SAMPLE, find_bundled  # noqa: E402
from fer_ensemble.launch.local import Job, run_jobs  # noqa: E402
from fer_ensemble.launch.workers import find_gpus, worker_environments  # noqa: E402

SECONDS_TO_END = 10  # kept for ending what runs at the end of the time
PARTS = ("training", "workers", "prediction", "full_run", "more_training")

MINUTES = flags.DEFINE_float("minutes", 10.0, "It ends within this time.", lower_bound=0.5)
DATA = flags.DEFINE_string("data", SAMPLE, "The data set, as for model_train.py.")
OUTPUT = flags.DEFINE_string("output", "bench/gpu", "Folder for the results; what is in it from before is lost.")
FULL_RUN = flags.DEFINE_string("full_run", "experiments/quick.flags", "Flag file of the full run.")
DEVICE = flags.DEFINE_enum("device", "gpu", tuple(SIZES), "cpu: to try the command itself, with tiny sizes.")
ONLY = flags.DEFINE_list("only", list(PARTS), f"The parts to measure, of {', '.join(PARTS)}; in this order.")
PART = flags.DEFINE_string("part", "", "Used by the command itself: one measurement, as JSON.")


def main(arguments):
    if arguments:
        raise UserError(f"gpu.py takes flags only. Received: {' '.join(arguments)}")
    if PART.value:
        return measure_part(json.loads(PART.value), DATA.value, pathlib.Path(OUTPUT.value))
    gpus = find_gpus()
    if DEVICE.value == "gpu" and not gpus:
        print(
            "no GPU here: nothing measured. (nvidia-smi names none; where there is one but not that tool, set "
            "CUDA_VISIBLE_DEVICES=0. --device=cpu tries the command itself.)"
        )
        return 0
    if not set(ONLY.value) <= set(PARTS):
        raise UserError(f"`only` must be among {', '.join(PARTS)}. Received: {','.join(ONLY.value)}.")
    for path in (DATA.value, FULL_RUN.value):
        if not find_bundled(pathlib.Path(path)).exists():
            raise UserError(f"There is no {path}.")
    try:
        return Bench(gpus[:1] if DEVICE.value == "gpu" else [], pathlib.Path(OUTPUT.value).resolve()).run()
    except Stopped as stopped:
        print(f"stopped by {stopped.signal.name}; what was measured until then is in {OUTPUT.value}")
        return EXIT_SIGNAL + stopped.signal


class Bench:
    """Runs the parts one after the other, each in processes of its own, and keeps the results written.

    Args:
        gpus: The name of the GPU in a list; an empty list for the CPU.
        output: Folder of the results.
    """

    def __init__(self, gpus, output):
        self._gpus, self._output = gpus, output
        self._sizes = SIZES["gpu" if gpus else "cpu"]
        self._deadline = time.time() + 60 * MINUTES.value - SECONDS_TO_END
        self._skipped = []
        output.mkdir(parents=True, exist_ok=True)
        for path in [output / MEASUREMENTS, *output.glob("bench-*.log"), *output.glob("ready-*")]:
            path.unlink(missing_ok=True)

    def run(self):
        """Measures; returns the exit code."""
        sizes = self._sizes
        self._measure("device", {"kind": "device"})
        devices = [row for row in read_rows(self._output) if row["kind"] == "device"]
        if not devices:
            return 1
        if self._gpus and not devices[0]["gpus"]:
            print(f"Keras sees no GPU here: nothing measured. Its messages are in {self._output}/bench-device.log")
            return 0
        first, others = list_trainings(sizes)
        if "training" in ONLY.value:
            self._measure("training", {"kind": "training", "trainings": first})
        for workers in sizes.workers if "workers" in ONLY.value else ():
            self._measure_workers(workers, first[-1])
        if "prediction" in ONLY.value:
            self._measure("prediction", {"kind": "prediction"})
        if "full_run" in ONLY.value:
            self._run_all_members()
        if "more_training" in ONLY.value:
            self._measure("more training", {"kind": "training", "trainings": others})
        print(f"written to {self._output / 'gpu.json'} and {self._output / 'gpu.md'}")
        return 0

    def _measure(self, name, part):
        self._run_jobs(name, [self._job(name, part)], self._environments(1))

    def _measure_workers(self, workers, training):
        name = f"{workers} worker{'s' if workers > 1 else ''}"
        jobs = [
            self._job(
                f"{name}, number {number}",
                {"kind": "worker", "workers": workers, "worker": number, "training": training},
            )
            for number in range(workers)
        ]
        self._run_jobs(name, jobs, self._environments(workers))

    def _run_all_members(self):
        experiments, began = self._output / "full-run", time.time()
        own = [
            f"--flagfile={FULL_RUN.value}",
            f"--data={DATA.value}",
            f"--experiments={experiments}",
            "--overwrite",
        ]
        if not self._gpus:
            own += ["--width=4", "--input_size=16", "--epochs=1", "--optimizer=sgd", "--runs=cnn_0", "--folds=0"]
        launch = [sys.executable, "-m", "fer_ensemble.launch", *own]
        # All visible GPUs, and as many workers as the launcher chooses.
        environment = {} if self._gpus else self._environments(1)[0]
        ended = self._run_jobs("full run", [Job("full run", launch, self._log("full run"))], [environment])
        records = [path for path in experiments.glob("exp_*/*/member.json") if path.stat().st_mtime >= began]
        if records:
            seconds = [json.loads(path.read_text())["training_seconds"] for path in records]
            row = {"kind": "full run", "ended": ended, "members": len(records), "seconds": time.time() - began}
            write_row(self._output, {**row, "training_seconds_of_a_member": statistics.mean(seconds)})
        self._write()

    def _environments(self, workers):
        if self._gpus:
            return worker_environments(self._gpus, workers)
        return [{"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}] * workers

    def _job(self, name, part):
        own = [f"--data={DATA.value}", f"--output={self._output}"]
        part = json.dumps({**part, "device": DEVICE.value, "until": self._deadline})
        program = [sys.executable, str(pathlib.Path(__file__).resolve())]
        return Job(name, [*program, *own, f"--part={part}"], self._log(name))

    def _log(self, name):
        return self._output / f"bench-{name.replace(', ', '-').replace(' ', '-')}.log"

    def _run_jobs(self, name, jobs, environments):
        """Runs one part; returns whether it came to its end."""
        left = self._deadline - time.time()
        if left < 5:
            self._skip(f"{name}: no time left")
            return False
        print(f"{name} ({left:.0f} s left)", flush=True)
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environments = [{**environment, "PYTHONPATH": path} for environment in environments]
        self._runs, ended_by_us = [], False
        try:
            run_jobs(jobs, environments, self._watch, grace=SECONDS_TO_END / 2)
        except TimeoutError as error:
            self._skip(f"{name}: {error}")
            ended_by_us = True
        finally:
            self._write()
        for run in self._runs:
            if run.exit_code and (run.exit_code > 0 or not ended_by_us):
                last = run.read_last_lines(1) or ["it said nothing"]
                self._skip(f"{run.job.name}: {last[0]} (exit code {run.exit_code}; {run.job.log})")
        return not any(run.exit_code for run in self._runs)

    def _watch(self, runs):
        self._runs = list(runs)
        self._write()
        if time.time() > self._deadline:
            raise TimeoutError("stopped, as the time is over")
        if any(run.exit_code for run in runs) and any(run.exit_code is None for run in runs):
            raise TimeoutError("stopped, as one of its workers failed")  # the others would wait for it

    def _skip(self, line):
        print(f"  {line}", flush=True)
        self._skipped.append(line)

    def _write(self):
        rows = read_rows(self._output)
        skipped = [*self._skipped, *(row["skipped"] for row in rows if "skipped" in row)]
        results = {"rows": [row for row in rows if "skipped" not in row], "skipped": skipped}
        write_text(self._output / "gpu.json", json.dumps(results, indent=2) + "\n")
        write_text(self._output / "gpu.md", format_results(**results, device=DEVICE.value))


if __name__ == "__main__":
    edge.run(main)
