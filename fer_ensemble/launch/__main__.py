"""Trains the members of the ensemble, then combines them: 4 runs (2 CNNs, 2 ResNets) x 4 folds = 16 networks.

On this machine: one or more members at a time on each GPU, or on the CPU. Finished members are skipped, so
giving the same command again is how an interrupted or failed training goes on. Each member has its own log,
EXPERIMENTS/exp_FOLD/RUN/train.log. Flags for model_train.py are passed on to it; without --data (and without
--flagfile), those of experiments/sample.flags come first: drawn sample faces, minutes instead of hours.

Examples:

  bash splitscript.sh                                        the bundled sample, to see that everything works
  bash splitscript.sh --data=fer2013.csv                     the real data
  bash splitscript.sh --data=fer2013.csv --epochs=60 --dry_run    what that would do
  bash splitscript.sh --data=fer2013.csv --runs=cnn_0 --folds=0   one member of it
  bash splitscript.sh --data=fer2013.csv --status --watch    how each member stands
  CUDA_VISIBLE_DEVICES=0,1 bash splitscript.sh --data=fer2013.csv --workers_per_gpu=2

On a cluster with SLURM, the flags from --slurm to -- are those of sbatch: what one member needs. The members
become the tasks of a job array, of which --array=%8 runs 8 at a time, and a job with the prediction follows. The
same command again submits what is neither complete nor in the queue. --slurm=FILE reads the beginning of a batch
script first: #SBATCH lines, and commands such as `module load`.

  bash splitscript.sh --slurm --partition=gpu --gres=gpu:1 --time=2:00:00 --array=%8 -- --data=fer2013.csv
  bash splitscript.sh --slurm --dry_run -- --data=fer2013.csv     the batch scripts, without submitting them
"""

import functools
import os
import shlex
import signal
import subprocess
import sys

from absl import flags

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.stop_signals import Stopped
from fer_ensemble.commands import edge
from fer_ensemble.commands.edge import EXIT_ERROR, EXIT_HELD, EXIT_SIGNAL, define_flags, settings_from_flags
from fer_ensemble.launch.display import Display
from fer_ensemble.launch.local import Job, run_jobs
from fer_ensemble.launch.plan import (
    REPOSITORY,
    check_data,
    discard_members,
    ensemble_folds,
    parse_folds,
    parse_runs,
    plan_members,
    prediction_command,
    training_command,
)
from fer_ensemble.launch.slurm import read_request, split_arguments
from fer_ensemble.launch.status import show_status
from fer_ensemble.launch.submission import LOGS, array_name, submit_members
from fer_ensemble.launch.workers import find_gpus, worker_environments
from fer_ensemble.members.directory import is_complete, member_folder
from fer_ensemble.training.settings import FOLDS, RUNS, TrainingOptions, TrainingSettings
from fer_ensemble.training.variations import VARY_HELP

SAMPLE_FLAGS = REPOSITORY / "experiments" / "sample.flags"
LOG_NAME = "train.log"
SHOWN_FAILURES, SHOWN_LINES = 3, 10

if __name__ == "__main__":
    sys.argv[0] = "fer_ensemble.launch"  # what --help and the errors call it; absl would say __main__.py

CHOSEN_RUNS = flags.DEFINE_string("runs", ",".join(RUNS), "The runs: architecture and number of each.")
CHOSEN_FOLDS = flags.DEFINE_string(
    "folds",
    ",".join(map(str, range(FOLDS))),
    "The folds that each run is trained on; none: one member of each run, on all of Training.",
)
WORKERS_PER_GPU = flags.DEFINE_integer(
    "workers_per_gpu",
    0,
    "Members that train on one GPU at a time; 0: up to 4, for each of which there must be 4 GiB of the GPU's free "
    "memory and 2 CPU cores.",
    lower_bound=0,
)
CPU_WORKERS = flags.DEFINE_integer(
    "cpu_workers",
    0,
    "Members that train at a time where there is no GPU, each on its share of the cores; 0: one for each core, as "
    "far as there are 3 GiB of free memory for each.",
    lower_bound=0,
)
VARY = flags.DEFINE_multi_string("vary", [], VARY_HELP)
DRY_RUN = flags.DEFINE_boolean("dry_run", False, "Print what would be done, and do nothing.")
STATUS = flags.DEFINE_boolean("status", False, "Print how each member stands, and do nothing.")
WATCH = flags.DEFINE_boolean("watch", False, "With --status: print it anew every two seconds.")
define_flags(TrainingSettings, skip=("model", "fold", "replica"))
define_flags(TrainingOptions)


def main(sample, given, slurm, arguments):
    """Trains, then predicts.

    Args:
        sample: The flags of the bundled sample, if they were put before those that were given.
        given: The command's arguments as they were given, but for those from `--slurm` to `--`.
        slurm: Those.
        arguments: Those of them that are no flags.

    Returns:
        The exit code.
    """
    if arguments:
        raise UserError(f"splitscript.sh takes flags only. Received: {' '.join(arguments)}")
    request = read_request(slurm, set(flags.FLAGS)) if slurm else None
    runs, folds = parse_runs(CHOSEN_RUNS.value), parse_folds(CHOSEN_FOLDS.value)
    settings = settings_from_flags(TrainingSettings, model="cnn", fold=folds[0], replica=0)
    options = settings_from_flags(TrainingOptions)
    if STATUS.value:
        run_names = [f"{model}_{replica}" for model, replica in runs]
        folders = [member_folder(options.experiments, fold, run) for fold in folds for run in run_names]
        show_status(folders, WATCH.value)
        return 0
    members = plan_members(runs, folds, settings, options, VARY.value)
    prediction = prediction_command(runs, folds, options)
    if sample:
        print(f"no --data given: the bundled sample, with {' '.join(sample)}")
    if request:
        return _submit(request, members, prediction, options, given)
    workers = worker_environments(find_gpus(), WORKERS_PER_GPU.value, CPU_WORKERS.value)
    to_train = [member for member in members if not member.complete]
    print(
        f"{options.experiments}: {len(members) - len(to_train)} of {len(members)} members complete, "
        f"{len(to_train)} to train, {_describe(workers)}",
        flush=True,
    )
    if DRY_RUN.value:
        _print_plan(members, prediction, options)
        return 0
    _prepare_data(members, options)
    if options.overwrite:
        discard_members(to_train)
    if to_train:
        try:
            with Display(members, len(workers)) as display:
                begun = run_jobs(_list_jobs(to_train, options), workers, display)
        except Stopped as stopped:
            print(f"stopped by {stopped.signal.name}, and so are the workers. To go on: {_resume(given)}")
            return EXIT_SIGNAL + stopped.signal
        missing = [run for run, member in zip(begun, to_train, strict=True) if not _is_done(run, member)]
        if missing:
            return _report_missing(missing, len(members), given)
    return _predict(prediction, members, options)


def add_sample_flags(given):
    """Returns the flags of the bundled sample if the arguments name no data, else none of them."""
    if {_flag_name(argument) for argument in given} & {"data", "flagfile"}:
        return []
    here = os.path.relpath(REPOSITORY)
    lines = [line.strip() for line in SAMPLE_FLAGS.read_text(encoding="utf-8").splitlines()]
    return [
        # The sample is in the repository, wherever we are called from. People's own paths start where they are.
        line.replace("=", f"={here}/", 1) if _flag_name(line) in ("data", "experiments") and here != "." else line
        for line in lines
        if line.startswith("--")
    ]


def _flag_name(argument):
    return argument.lstrip("-").partition("=")[0] if argument.startswith("-") else None


def _describe(workers):
    gpus = dict.fromkeys(worker["CUDA_VISIBLE_DEVICES"] for worker in workers if "CUDA_VISIBLE_DEVICES" in worker)
    place = f"GPU {', '.join(gpus)}" if gpus else "the CPU"
    return f"{len(workers)} worker{'s' if len(workers) > 1 else ''} on {place}"


def _print_plan(members, prediction, options):
    for member in members:
        state = "complete" if member.complete else "to train"
        print(f"{member.name}  {state}  {shlex.join(training_command(member.settings, options))}")
    print(f"then  {shlex.join(prediction)}")


def _submit(request, members, prediction, options, given):
    prepare = functools.partial(_prepare_data, members, options)
    submit_members(members, prediction, options, request, DRY_RUN.value, prepare)
    if not DRY_RUN.value:
        folder, name = options.experiments, array_name(options.experiments)
        print(f"logs: {folder}/exp_FOLD/RUN/{LOG_NAME}, of the prediction: {folder}/{LOGS}/predict-JOB.log")
        print(f"state: {_resume(['--status', *given])}, and in the queue: squeue --name={name},{name}-predict")
    return 0


def _prepare_data(members, options):
    from fer_ensemble.data.store import load_dataset

    # The workers would all convert it; done here, they find it converted.
    check_data(members, load_dataset(options.data, options.classes))


def _list_jobs(members, options):
    return [
        Job(member.name, training_command(member.settings, options), member.folder / LOG_NAME)
        for member in members
    ]


def _is_done(run, member):
    return run.exit_code == 0 and is_complete(member.folder)


def _report_missing(missing, members, given):
    failed = [run for run in missing if run.exit_code != EXIT_HELD]
    for number, run in enumerate(failed):
        print(f"\n{run.job.name} failed ({_explain(run.exit_code)}). Its log, {run.job.log}", end="")
        print(", ends:" if number < SHOWN_FAILURES else "")
        for line in run.read_last_lines(SHOWN_LINES) if number < SHOWN_FAILURES else []:
            print(f"    {line}")
    for run in missing:
        if run.exit_code == EXIT_HELD:
            print(f"\n{run.job.name} was left alone: another process is training it.")
    names = ", ".join(run.job.name for run in missing)
    print(f"\n{len(missing)} of {members} members are missing, so there is no prediction: {names}")
    print(f"To go on: {_resume(given)}", flush=True)
    return EXIT_ERROR if failed else EXIT_HELD


def _explain(exit_code):
    if exit_code == -signal.SIGKILL:
        return "killed by SIGKILL: out of memory? Then give a smaller --batch_size"
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}" if exit_code else "exit code 0, but it is not complete"


def _resume(given):
    # With --overwrite again, what is complete by now would be lost; the old members are discarded already.
    kept = [argument for argument in given if _flag_name(argument) != "overwrite"]
    return shlex.join(["bash", os.path.relpath(REPOSITORY / "splitscript.sh"), *kept])


def _predict(prediction, members, options):
    runs = dict.fromkeys(member.settings.run for member in members)
    folds = ensemble_folds([member.settings.fold for member in members])
    needed = [member_folder(options.experiments, fold, run) for run in runs for fold in folds]
    missing = [str(folder) for folder in needed if not is_complete(folder)]
    if missing:
        print(f"The chosen members are complete. The prediction waits for the other folds: {', '.join(missing)}")
        return 0
    print(shlex.join(["python", "predict.py", *prediction[2:]]), flush=True)
    return subprocess.run(prediction, check=False).returncode


if __name__ == "__main__":
    given, slurm = split_arguments(sys.argv[1:])
    sample = add_sample_flags(given)
    sys.argv[1:] = sample + given
    edge.run(functools.partial(main, sample, given, slurm))
