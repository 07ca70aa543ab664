"""SLURM's commands, as far as a job array of members needs them: the flags for sbatch, submitting, the queue."""

import dataclasses
import pathlib
import re
import shlex
import subprocess

from fer_ensemble.base.errors import UserError

LONGEST_ANSWER = 120  # seconds; SLURM's own programs give up after 10 to 100
MOST_BYTES = 1_000_000  # of a batch script
IN_QUEUE = "PENDING,RUNNING,SUSPENDED,COMPLETING,CONFIGURING"


@dataclasses.dataclass(frozen=True)
class Request:
    """What the flags ask of SLURM.

    Attributes:
        flags: List of flags for sbatch, those of a file before those of the command line.
        limit: How many tasks may run at a time, as sbatch has it: `%8`; or empty.
        setup: Lines of a file to run before anything else, such as `module load`.
    """

    flags: list[str]
    limit: str = ""
    setup: str = ""


@dataclasses.dataclass(frozen=True)
class BatchJob:
    """A batch script, and the list of flags that sbatch is given with it."""

    flags: list[str]
    script: str

    def __str__(self) -> str:
        return f"{shlex.join(['sbatch', *self.flags])} <<'END'\n{self.script}END"

    def check(self) -> None:
        """Raises UserError if SLURM would refuse the job."""
        _call("sbatch", "--test-only", *self.flags, script=self.script)

    def submit(self) -> str:
        """Returns the job's id.

        Raises:
            UserError: If SLURM refuses it, with its reasons, or answers something else.
        """
        answer = _call("sbatch", "--parsable", *self.flags, script=self.script).strip()
        job = answer.partition(";")[0]
        if not re.fullmatch(r"[0-9]{1,18}", job):
            raise UserError(f"SLURM's sbatch must answer with the job's number. Received: {answer[:100]!r}.")
        return job


def split_arguments(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Takes the flags for sbatch out of the command's arguments: from `--slurm` to `--`, or to the end.

    Returns:
        The other arguments; and those from `--slurm` on, an empty list if it is not among them.

    Example:

    >>> split_arguments(["--slurm", "--mem=8G", "--dry_run", "--", "--epochs=3"])
    (['--epochs=3', '--dry_run'], ['--slurm', '--mem=8G'])
    """
    begins = [number for number, word in enumerate(arguments) if word.partition("=")[0] == "--slurm"]
    if not begins:
        return arguments, []
    before, words = arguments[: begins[0]], arguments[begins[0] :]
    end = words.index("--") if "--" in words else len(words)
    # These mean ours, wherever they stand: sbatch's --help knows nothing of us.
    ours = [word for word in words[:end] if word in ("--dry_run", "--help")]
    return before + words[end + 1 :] + ours, [word for word in words[:end] if word not in ours]


def read_request(words: list[str], our_flags: set[str]) -> Request:
    """Reads the flags for sbatch.

    Args:
        words: What `split_arguments` returned: `--slurm` or `--slurm=FILE`, then flags. The file is the beginning
            of a batch script.
        our_flags: Names of the flags that belong behind `--`.

    Returns:
        `Request`.

    Raises:
        UserError: If a flag is one of ours, or one that is not for people to choose.
    """
    path = words[0].partition("=")[2]
    lines = _read_lines(pathlib.Path(path)) if path else []
    try:
        in_file = [shlex.split(line[8:], comments=True) for line in lines if line.startswith("#SBATCH ")]
    except ValueError as error:  # a quotation that does not end
        raise UserError(f"{path}: expected flags of sbatch behind #SBATCH. Received: others ({error}).") from error
    flags = [flag for line in in_file for flag in line] + words[1:]
    for flag in flags:
        name = flag.partition("=")[0]
        if name.startswith("--") and name[2:] in our_flags:
            raise UserError(
                f"{name} is no flag of sbatch: it goes behind `--`, as in `--slurm --mem=8G -- {flag}`."
            )
        if name in ("--job-name", "--wrap") or re.match("-J", flag):
            raise UserError(
                f"sbatch's {name} is not to be chosen: the job's name says which folder it trains into."
            )
    flags, limit = _take_limit(flags)
    setup = [line for line in lines if not line.startswith(("#SBATCH ", "#!"))]
    return Request(flags, limit, "\n".join(setup).strip("\n"))


def _read_lines(path):
    if path.exists() and not path.is_file():  # a pipe or device might never end
        problem = "a folder, pipe or device"
    elif path.stat().st_size > MOST_BYTES:
        problem = f"{path.stat().st_size:,} bytes"
    else:
        content = path.read_bytes()
        try:
            if b"\0" not in content:
                return content.decode("utf-8").splitlines()
        except UnicodeDecodeError:
            pass
        problem = "no text in UTF-8"
    raise UserError(f"--slurm must be the beginning of a batch script, a text file. Received: {path}, {problem}.")


def _take_limit(flags):
    """Takes `--array=%8` out of the flags, in each of the ways in which sbatch would read it."""
    kept, limit, words = [], "", iter(flags)
    for flag in words:
        match = re.fullmatch(r"(?:--array(?:=|$)|-a)(.*)", flag)
        if not match:
            kept.append(flag)
            continue
        limit = match[1] or next(words, "")
        if not re.fullmatch(r"%[1-9]\d*", limit):
            raise UserError(
                "`--array` must be the number of tasks that may run at a time, as in --array=%8: which members "
                f"need a task is seen from their folders. Received: {limit!r}."
            )
    return kept, limit


def find_queued(name: str) -> dict[int, str]:
    """Asks SLURM which tasks of the arrays of some name are waiting or running, whoever submitted them.

    Returns:
        Dictionary from the task's number to the array's job id.

    Raises:
        UserError: If SLURM cannot be asked.
    """
    # --array: a line for each task, also for those that wait together, which are otherwise one line, `12_[3-7]`.
    columns = ("--noheader", "--format=%F %K")
    return parse_queue(_call("squeue", "--array", f"--states={IN_QUEUE}", f"--name={name}", *columns))


def parse_queue(text: str) -> dict[int, str]:
    r"""Reads squeue's lines: the array's job id, the task's number.

    Example:

    >>> parse_queue("12 3\n12 4\n")
    {3: '12', 4: '12'}
    """
    return {int(task): array for array, task in map(str.split, text.splitlines())}


def cancel_waiting(name: str) -> None:
    """Takes our jobs of some name out of the queue if they have not begun."""
    _call("scancel", "--me", f"--name={name}", "--state=PENDING")


def _call(program, *arguments, script=None):
    """Returns what one of SLURM's programs prints."""
    try:
        answer = subprocess.run(
            [program, *arguments],
            input=script,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=LONGEST_ANSWER,
        )
    except FileNotFoundError as error:
        raise UserError(
            f"SLURM's {program} must be on the PATH for --slurm, but is not: is this a login node of the cluster? "
            "--dry_run shows what would be submitted."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"SLURM's {program} has not answered within {LONGEST_ANSWER} seconds. Try again when squeue answers."
        ) from error
    complaint = answer.stderr.strip()
    if "Invalid job array specification" in complaint:
        raise UserError(
            "The tasks' numbers, which grow with those of the runs, must be below SLURM's MaxArraySize (1001, "
            f"or as `scontrol show config` says): give runs of smaller numbers. Received: {complaint}"
        )
    if answer.returncode:
        raise UserError(complaint or f"SLURM's {program} ended with exit code {answer.returncode}")
    return answer.stdout
