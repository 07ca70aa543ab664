"""What each command does first: nothing that is imported here takes time, so that a stop signal finds it ready."""

import _signal  # at hand at once, as `signal` is not

# Until there is a handler of ours, Ctrl-C ends the process without a word, as SIGTERM does. Python's own would
# show a traceback.
if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import sys

from fer_ensemble.base import stop_signals

EXIT_ERROR, EXIT_SIGNAL = 1, 128  # those of `fer_ensemble.base.errors`, which would have to be imported


def run_verb(verb: str, program: str | None = None) -> None:
    """Runs a verb of `fer_ensemble.commands.verbs.VERBS`, and ends the process with its exit code.

    Args:
        verb: Its name.
        program: What messages and `--help` call the command; None: what it was started as.
    """
    _run(lambda: _load_verb(verb), program)


def run_dispatcher() -> None:
    """Runs `fer-ensemble VERB ...`: the console script, and `python -m fer_ensemble`."""
    _run(_load_named_verb, "fer-ensemble")


def _run(load, program):
    stop_signals.raise_stopped()
    if program:
        sys.argv[0] = program
    try:
        # Nothing may be raised in the middle of an import: what is half imported would be told as broken.
        with stop_signals.deferred():
            from fer_ensemble.base import streams
            from fer_ensemble.commands.home import provide_home

            streams.guard()
            _check_folder()
            provide_home()
            run = load()
        sys.exit(run())
    except stop_signals.Stopped as stopped:
        streams.tell(stopped)
        sys.exit(EXIT_SIGNAL + stopped.signal)
    except ModuleNotFoundError as error:
        message = _explain_missing(error)
        if message is None:
            raise
        streams.tell(f"error: {message}")
        sys.exit(EXIT_ERROR)


def _load_verb(verb):
    from fer_ensemble.commands import edge, verbs

    module = verbs.import_verb(verb)
    return lambda: edge.run_module(module)


def _load_named_verb():
    from fer_ensemble.commands import verbs

    verb, arguments = verbs.choose_verb(sys.argv[1:])
    sys.argv[:] = [f"fer-ensemble {verb}" if verb else "fer-ensemble", *arguments]
    return _load_verb(verb) if verb else lambda: verbs.show_verbs(arguments)


def _check_folder():
    import os

    from fer_ensemble.base import streams

    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        streams.tell(
            "error: the folder that this was started in is gone. Go to another one, as by cd, and try again"
        )
        sys.exit(EXIT_ERROR)


def _explain_missing(error):
    import pathlib

    from fer_ensemble.base.packages import BASE, missing_package

    missing = missing_package(error.name, "this command")
    if missing is None or str(error.name).partition(".")[0] not in BASE:
        return missing
    repository = pathlib.Path(__file__).resolve().parents[2]
    if not (repository / "requirements.txt").is_file():
        return missing
    # A checkout whose packages are in an environment of their own, and another Python was taken.
    python = repository / ".venv" / "bin" / "python"
    if python.is_file():
        advice = f"Use the environment that has it: {python}"
    else:
        advice = f"`bash {repository / 'splitscript.sh'} --dry_run` makes an environment that has it: {python}"
    return f"{sys.executable} lacks the package {BASE[error.name.partition('.')[0]]}. {advice}"
