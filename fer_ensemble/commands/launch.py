"""Trains the members of the ensemble, then combines them: 4 runs (2 CNNs, 2 ResNets) x 4 folds = 16 networks.

On this machine: one or more members at a time on each GPU, or on the CPU. Finished members are skipped, so
giving the same command again is how an interrupted or failed training goes on. Each member has its own log,
EXPERIMENTS/exp_FOLD/RUN/train.log. Flags for model_train.py are passed on to it; without --data (and without
--flagfile), those of the bundled sample come first: drawn faces, minutes instead of hours.

Examples (`fer-ensemble launch` where the package is installed):

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

import os
import pathlib
import shlex
import signal
import subprocess
import sys

from absl import flags

from fer_ensemble.base.errors import EXIT_ERROR, EXIT_HELD, EXIT_SIGNAL, UserError
from fer_ensemble.base.stop_signals import Stopped
from fer_ensemble.commands import edge
from fer_ensemble.launch.display import Display
from fer_ensemble.launch.local import Job, run_jobs
from fer_ensemble.launch.plan import (
    CHECKOUT,
    check_data,
    discard_members,
    ensemble_folds,
    module_environment,
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
from fer_ensemble.members.directory import is_complete, member_folder, run_name
from fer_ensemble.training.settings import FOLDS, RUNS, TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions
from fer_ensemble.training.variations import VARY_HELP

SAMPLE_FLAGS = pathlib.Path(__file__).parents[1] / "assets" / "sample.flags"
MOST_WORKERS = 1024
LOG_NAME = "train.log"
SHOWN_FAILURES, SHOWN_LINES = 3, 10


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("runs", ",".join(RUNS), "The runs: architecture and number of each.")
    flags.DEFINE_string(
        "folds",
        ",".join(map(str, range(FOLDS))),
        "The folds that each run holds out, one for each member. none: one member of each run, on all of "
        "Training; pairs: six of each run that hold out two folds, as teachers (--teacher).",
    )
    flags.DEFINE_integer(
        "workers_per_gpu",
        0,
        "Members that train on one GPU at a time; 0: up to 4, for each of which there must be 4 GiB of the GPU's "
        "free memory and 2 CPU cores.",
        lower_bound=0,
        upper_bound=MOST_WORKERS,
    )
    flags.DEFINE_integer(
        "cpu_workers",
        0,
        "Members that train at a time where there is no GPU, each on its share of the cores; 0: one for each "
        "core, as far as there are 3 GiB of free memory for each.",
        lower_bound=0,
        upper_bound=MOST_WORKERS,
    )
    flags.DEFINE_multi_string("vary", [], VARY_HELP)
    flags.DEFINE_boolean("dry_run", False, "Check everything, print what would be done, and do nothing.")
    flags.DEFINE_boolean("status", False, "Print how each member stands, and do nothing.")
    flags.DEFINE_boolean("watch", False, "With --status: print it anew every two seconds.")
    edge.define_flags(TrainingSettings, skip=("model", "fold", "replica"))
    edge.define_flags(TrainingOptions)


def complete_arguments(arguments: list[str]) -> list[str]:
    """Puts the sample's flags before arguments that name no data, and takes out those that are sbatch's."""
    given, _ = split_arguments(arguments)
    return list_sample_flags(given) + given


def main(arguments: list[str]) -> int:
    """Trains, then predicts; returns the exit code."""
    if arguments:
        raise UserError(f"{edge.program()} takes flags only. Received: {edge.brief(arguments)}")
    values = flags.FLAGS
    given, slurm = split_arguments(sys.argv[1:])
    sample = list_sample_flags(given)
    request = read_request(slurm, set(values)) if slurm else None
    runs, folds = parse_runs(values.runs), parse_folds(values.folds)
    settings = edge.settings_from_flags(TrainingSettings, model="cnn", fold=folds[0], replica=0)
    options = edge.settings_from_flags(TrainingOptions)
    if values.status:
        names = [run_name(model, replica) for model, replica in runs]
        folders = [member_folder(options.experiments, fold, name) for fold in folds for name in names]
        show_status(folders, values.watch)
        return 0
    members = plan_members(runs, folds, settings, options, values.vary)
    prediction = prediction_command(runs, folds, options)
    if sample:
        print(f"no --data given: the bundled sample, with {' '.join(sample)}")
    if request:
        return _submit(request, members, prediction, options, given, values.dry_run)
    workers = worker_environments(find_gpus(), values.workers_per_gpu, values.cpu_workers)
    to_train = [member for member in members if not member.complete]
    print(
        f"{options.experiments}: {len(members) - len(to_train)} of {len(members)} members complete, "
        f"{len(to_train)} to train, {_describe(workers)}",
        flush=True,
    )
    check_data(members, _load_data(options, values.dry_run))
    if values.dry_run:
        _print_plan(members, prediction, options)
        return 0
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
    return _predict(prediction, members, options, given)


def list_sample_flags(given: list[str]) -> list[str]:
    """Returns the flags of the bundled sample if the arguments name no data, else none of them."""
    if {_flag_name(argument) for argument in given} & {"data", "flagfile"}:
        return []
    lines = [line.strip() for line in SAMPLE_FLAGS.read_text(encoding="utf-8").splitlines()]
    # Of a checkout they are trained inside, wherever we are called from. People's own paths start where they are.
    here = os.path.relpath(CHECKOUT) if CHECKOUT else "."
    return [
        line.replace("=", f"={here}/", 1) if _flag_name(line) == "experiments" and here != "." else line
        for line in lines
        if line.startswith("--")
    ]


def _flag_name(argument):
    return argument.lstrip("-").partition("=")[0] if argument.startswith("-") else None


def _describe(workers):
    gpus = dict.fromkeys(worker["CUDA_VISIBLE_DEVICES"] for worker in workers if "CUDA_VISIBLE_DEVICES" in worker)
    device = f"GPU {', '.join(gpus)}" if gpus else "the CPU"
    return f"{len(workers)} worker{'s' if len(workers) > 1 else ''} on {device}"


def _print_plan(members, prediction, options):
    for member in members:
        state = "complete" if member.complete else "to train"
        print(f"{member.name}  {state}  {shlex.join(training_command(member.settings, options))}")
    print(f"then  {shlex.join(prediction)}")


def _submit(request, members, prediction, options, given, dry_run):
    check_data(members, _load_data(options, dry_run))
    submit_members(members, prediction, options, request, dry_run)
    if not dry_run:
        folder, name = options.experiments, array_name(options.experiments)
        print(f"logs: {folder}/exp_FOLD/RUN/{LOG_NAME}, of the prediction: {folder}/{LOGS}/predict-JOB.log")
        print(f"state: {_resume(['--status', *given])}, and in the queue: squeue --name={name},{name}-predict")
    return 0


def _load_data(options, dry_run):
    from fer_ensemble.data.store import load_dataset

    # The workers would all convert it; done here, they find it converted, and what is wrong with it comes first.
    return load_dataset(options.data, options.classes, keep=not dry_run)


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
    if CHECKOUT and edge.program() != "fer-ensemble launch":
        return shlex.join(["bash", os.path.relpath(CHECKOUT / "splitscript.sh"), *kept])
    return shlex.join(["fer-ensemble", "launch", *kept])


def _predict(prediction, members, options, given):
    runs = dict.fromkeys(member.settings.run for member in members)
    folds = ensemble_folds([member.settings.fold for member in members])
    if not folds:
        print(f"The teachers are complete. A student of theirs: --teacher={options.experiments}")
        return 0
    needed = [member_folder(options.experiments, fold, run) for run in runs for fold in folds]
    missing = [str(folder) for folder in needed if not is_complete(folder)]
    if missing:
        print(f"The chosen members are complete. The prediction waits for the other folds: {', '.join(missing)}")
        return 0
    print(shlex.join(["python", *prediction[1:]]), flush=True)
    process = subprocess.Popen(prediction, env=module_environment())
    try:
        code = process.wait()
    except Stopped as stopped:
        process.terminate()
        process.wait()
        print(f"stopped by {stopped.signal.name}. To go on: {_resume(given)}")
        return EXIT_SIGNAL + stopped.signal
    if code < 0:
        print(f"the prediction failed ({_explain(code)})")
    return code if code >= 0 else EXIT_SIGNAL - code
