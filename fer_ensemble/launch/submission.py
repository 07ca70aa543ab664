"""Trains the members on a cluster: a job array with a task for each of them, then a job that combines them.

SLURM's queue is the only record of what was submitted: an array's name stands for the folder of the experiments,
the number of a task for the member.
"""

import dataclasses
import hashlib
import itertools
import pathlib
import re
import shlex

from fer_ensemble.launch.plan import PlannedMember, discard_members, ensemble_folds, module_path, training_command
from fer_ensemble.launch.slurm import BatchJob, Request, cancel_waiting, find_queued
from fer_ensemble.members.directory import is_complete, member_folder
from fer_ensemble.training.settings import FOLDS, TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

TASK_SCRIPT = pathlib.Path(__file__).with_name("slurm_task.sh")
LOGS = "slurm"  # folder, in that of the experiments, of what SLURM has to say itself, and of the predictions' logs

# In the script, where both SLURM's environment variables (SBATCH_TIMELIMIT) and sbatch's flags go before them.
# --open-mode: a task that is requeued keeps its log. --signal: seconds before the time limit, enough to save.
DEFAULTS = ("--requeue", "--open-mode=append", "--signal=USR1@120", "--nodes=1", "--ntasks=1", "--time=4:00:00")
# SLURM refuses these beside flags that say it in another way: --mem-per-cpu, --cpus-per-gpu.
REPLACEABLE = {"--cpus-per-task=2": ("--cpus-per-", "-c"), "--mem=8G": ("--mem",)}
PREDICTION_TIME = "--time=15"  # minutes: a short job finds a gap between the long ones


def array_name(experiments: str | pathlib.Path) -> str:
    """Returns the name of the arrays that train into a folder: the folder's own, and a hash of its path."""
    path = pathlib.Path(experiments).resolve()
    readable = re.sub(r"[^\w.-]", "_", path.name)
    return f"{readable}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def prediction_name(experiments: str | pathlib.Path) -> str:
    """Returns the name of the jobs that combine the members of a folder."""
    return f"{array_name(experiments)}-predict"


def task_number(settings: TrainingSettings) -> int:
    """Returns the number of a member's task, the same in every array.

    Example:

    >>> [task_number(TrainingSettings(model=model, fold=3)) for model in ("cnn", "resnet")]
    [3, 14]
    """
    models = TrainingSettings.__dataclass_fields__["model"].metadata["choices"]
    run = settings.replica * len(models) + models.index(settings.model)
    held_out = [*range(FOLDS), None, *itertools.combinations(range(FOLDS), 2)]
    return run * len(held_out) + held_out.index(settings.fold)


def make_array(members: list[PlannedMember], options: TrainingOptions, request: Request) -> BatchJob:
    """Returns the `BatchJob` that trains members, a task each.

    Args:
        members: List of `PlannedMember`.
        options: `TrainingOptions`.
        request: `Request`.
    """
    # What is to be overwritten is discarded before; a task that is requeued must go on, not start afresh.
    options = dataclasses.replace(options, overwrite=False)
    commands = {
        task_number(member.settings): [str(member.folder), *training_command(member.settings, options)]
        for member in members
    }
    cases = [f"    {number}) set -- {shlex.join(command)} ;;" for number, command in sorted(commands.items())]
    numbers = ",".join(map(str, sorted(commands)))
    flags = [f"--job-name={array_name(options.experiments)}", _output(options, "%A_%a"), *request.flags]
    last = f'exec bash {shlex.quote(str(TASK_SCRIPT))} "$@"'
    return BatchJob(
        [*flags, f"--array={numbers}{request.limit}"],
        _write_script(request, ["case $SLURM_ARRAY_TASK_ID in", *cases, "esac", last]),
    )


def make_prediction(command: list[str], arrays: list[str], options: TrainingOptions, request: Request) -> BatchJob:
    """Returns the `BatchJob` that combines the members once arrays have ended, however they end.

    Args:
        command: The prediction's command, a list.
        arrays: List of the arrays' job ids, none if there is nothing to wait for.
        options: `TrainingOptions`.
        request: `Request`.
    """
    flags = [f"--job-name={prediction_name(options.experiments)}", _output(options, "predict-%j"), *request.flags]
    after = [f"--dependency=afterany:{':'.join(arrays)}"] if arrays else []
    return BatchJob([*flags, PREDICTION_TIME, *after], _write_script(request, [f"exec {shlex.join(command)}"]))


def _output(options, name):
    return f"--output={pathlib.Path(options.experiments).resolve() / LOGS / name}.log"


def _write_script(request, lines):
    replaced = {
        flag for flag, others in REPLACEABLE.items() for given in request.flags if given.startswith(others)
    }
    defaults = [*DEFAULTS, *(flag for flag in REPLACEABLE if flag not in replaced)]
    head = ["#!/bin/bash", *(f"#SBATCH {flag}" for flag in defaults)]
    setup = [request.setup] if request.setup else []
    # Where it starts anyhow, unless --chdir was given: the paths of the data and the members are relative to it.
    change_folder = f"cd -- {shlex.quote(str(pathlib.Path.cwd()))} || exit 1"
    path = module_path()  # which SLURM does not hand on if it is told --export=NONE
    found = [] if path is None else [f"export PYTHONPATH={shlex.quote(path)}"]
    return "\n".join([*head, *setup, *found, change_folder, *lines, ""])


def submit_members(
    members: list[PlannedMember],
    prediction: list[str],
    options: TrainingOptions,
    request: Request,
    dry_run: bool,
) -> None:
    """Submits what is missing and not in SLURM's queue yet, and the prediction; or prints that.

    Args:
        members: List of `PlannedMember`, the complete ones, too.
        prediction: The prediction's command, a list.
        options: `TrainingOptions`.
        request: `Request`.
        dry_run: Whether to print the jobs instead, for which SLURM need not be there.

    Raises:
        UserError: If SLURM is not there, or refuses.
    """
    try:
        queued = find_queued(array_name(options.experiments))
    except ValueError:
        if not dry_run:
            raise
        print("SLURM's queue cannot be asked here: all unfinished members are shown")
        queued = {}
    missing = [member for member in members if not member.complete]
    to_submit = [member for member in missing if task_number(member.settings) not in queued]
    print(
        f"{options.experiments}: {len(members) - len(missing)} of {len(members)} members complete, "
        f"{len(missing) - len(to_submit)} in SLURM's queue, {len(to_submit)} to submit",
        flush=True,
    )
    submit, arrays = _show if dry_run else _submit, set(queued.values())
    if not dry_run:
        (pathlib.Path(options.experiments) / LOGS).mkdir(parents=True, exist_ok=True)
    if to_submit:
        array = make_array(to_submit, options, request)
        if options.overwrite and not dry_run:
            array.check()  # before anything is lost
            discard_members(to_submit)
        names = ", ".join(member.name for member in to_submit)
        arrays.add(submit(array, f"an array of {len(to_submit)}: {names}"))
    coming = {*queued, *(task_number(member.settings) for member in to_submit)}
    if not ensemble_folds([member.settings.fold for member in members]):
        return  # teachers: nothing combines them
    elsewhere = _find_elsewhere(members, coming, options)
    if elsewhere:
        print(f"no prediction: nothing is submitted for the other folds, {', '.join(elsewhere)}")
        return
    if not dry_run:  # the new one waits for the same arrays, too
        cancel_waiting(prediction_name(options.experiments))
    what = f"the prediction{', when all of these have ended' if arrays else ''}"
    submit(make_prediction(prediction, sorted(arrays), options, request), what)


def _show(job, what):
    print(f"\n# {what}\n{job}")
    return "ARRAY"


def _submit(job, what):
    number = job.submit()
    print(f"job {number}: {what}", flush=True)
    return number


def _find_elsewhere(members, coming, options):
    """Names the members that the prediction needs, but that are neither complete nor coming."""
    needed = {member.settings.run: member.settings for member in members}
    return [
        str(folder)
        for run, settings in needed.items()
        for fold in ensemble_folds([settings.fold])
        if not is_complete(folder := member_folder(options.experiments, fold, run))
        and task_number(dataclasses.replace(settings, fold=fold)) not in coming
    ]
