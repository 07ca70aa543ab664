"""What the commands share: flags made from a settings class, errors in one line, exit codes."""

import dataclasses
import errno
import functools
import pathlib
import sys
import types
from collections.abc import Callable, Collection
from typing import Any

from absl import app, command_name, flags

from fer_ensemble.base import stop_signals, streams
from fer_ensemble.base.errors import EXIT_ERROR, EXIT_HELD, EXIT_SIGNAL, EXPECTED_ERRORS, HeldError, UserError
from fer_ensemble.base.packages import missing_package
from fer_ensemble.commands.flag_files import check_flag_files
from fer_ensemble.data.fold_names import Fold, parse_fold

# Flags defined through this module belong to the command that asked for them, and show in its --help.
flags.disclaim_key_flags()

MOST_SHOWN = 200  # letters of arguments that were not expected
_ABSL_FLAGS = {*flags.FLAGS, "help", "helpshort", "helpfull", "helpxml"}
_HELP = {"-h", "-?", *(dash + name for dash in ("-", "--") for name in ("help", "helpshort", "helpfull"))}
_FULL = " - make room, then give the same command again: what is finished is whole, and it goes on from there"
_FOLDER = " - there must be a folder, but is something else: choose another place"
_ADVICE = {
    errno.EEXIST: _FOLDER,
    errno.ENOTDIR: _FOLDER,
    errno.EISDIR: " - there must be a file, but is a folder: move it elsewhere, or name a file",
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: " - make the place writable, or choose another, then give the same command again",
}


class _FoldParser(flags.ArgumentParser):
    """Reads a fold, or several: `2`, `0,1`, `none`."""

    syntactic_help = "a fold, two such as 0,1, or none"

    def parse(self, argument):
        return parse_fold(argument) if isinstance(argument, str) else argument


def define_flags(settings: type, skip: Collection[str] = ()) -> None:
    """Defines an absl flag for each field of a settings dataclass: its name, default, help text and choices."""
    for field in dataclasses.fields(settings):
        if field.name in skip:
            continue
        text = field.metadata["help"]
        choices = field.metadata.get("choices")
        if choices and field.type is str:  # absl knows no choice of numbers: the settings check them
            flags.DEFINE_enum(field.name, field.default, choices, text)
        else:
            define = {
                bool: flags.DEFINE_boolean,
                int: flags.DEFINE_integer,
                float: flags.DEFINE_float,
                str: flags.DEFINE_string,
                Fold: functools.partial(flags.DEFINE, _FoldParser()),
            }[field.type]
            define(field.name, field.default, text)


def settings_from_flags(settings: type, **fixed: object) -> Any:
    """Builds the settings dataclass from the parsed flags; `fixed` gives fields that are no flags."""
    names = [field.name for field in dataclasses.fields(settings) if field.name not in fixed]
    return settings(**{name: flags.FLAGS[name].value for name in names}, **fixed)


def program() -> str:
    """Returns what the command was called as: `model_train.py`, `fer-ensemble train`."""
    return pathlib.PurePath(sys.argv[0]).name


def brief(arguments: list[str]) -> str:
    """Returns arguments as one line that fits the eye, for messages."""
    line = " ".join(arguments)
    return line if len(line) <= MOST_SHOWN else f"{line[:MOST_SHOWN]}..."


def run_module(module: types.ModuleType) -> None:
    """Runs a verb (see `fer_ensemble.commands.verbs`): its flags, its docstring as `--help`, its `main`."""
    module.define_flags()
    for name in set(flags.FLAGS) - _ABSL_FLAGS:  # so that --help shows them, wherever they were defined
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])
    sys.modules["__main__"].__doc__ = module.__doc__  # what absl prints first
    complete = getattr(module, "complete_arguments", list)
    run(module.main, complete(sys.argv[1:]))


def run(main: Callable[[list[str]], int | None], arguments: list[str] | None = None) -> None:
    """Runs `main(arguments)` under absl: expected errors become one line on stderr, and exit code 1.

    Args:
        main: Function of the list of arguments that are not flags; returns an exit code or None.
        arguments: What is parsed for flags; None: `sys.argv[1:]`.

    Those of `EXPECTED_ERRORS` are something the user can mend; any other is a fault of ours and shows its
    traceback, as `--verbosity=1` does for all. A stop signal (see `fer_ensemble.base.stop_signals`) becomes one
    line and exit code 128 + its number: 130 for Ctrl-C, 143 for SIGTERM, 138 for SIGUSR1 on Linux. What cannot be
    printed costs nothing else (see `fer_ensemble.base.streams`).
    """
    streams.guard()
    argv = [sys.argv[0], *(sys.argv[1:] if arguments is None else arguments)]
    try:
        app.run(lambda argv: _call(main, argv[1:]), argv, flags_parser=_parse_flags)
    except SystemExit as ended:
        stop_signals.only_note()
        sys.exit(streams.finish(ended.code))


def _call(main, arguments):
    try:
        stop_signals.raise_stopped()
        # absl names the process after the command. SLURM does not find, nor signal, one whose name has a blank.
        command_name.set_kernel_process_name(sys.argv[0].rpartition("/")[2].replace(" ", "-"))
        with stop_signals.recognised():
            return main(arguments)
    except stop_signals.Stopped as stopped:
        return _tell(stopped, EXIT_SIGNAL + stopped.signal)
    except HeldError as error:
        return _fail(error, EXIT_HELD)
    except EXPECTED_ERRORS as error:
        if flags.FLAGS.verbosity > 0:
            raise
        return _fail(f"{error}{_ADVICE.get(getattr(error, 'errno', None), '')}", EXIT_ERROR)
    except ModuleNotFoundError as error:
        missing = missing_package(error.name, "this command")
        if missing is None or flags.FLAGS.verbosity > 0:
            raise
        return _fail(missing, EXIT_ERROR)


def _parse_flags(argv):
    try:
        check_flag_files(argv[1:])
        if any(argument in _HELP for argument in argv[1:]):
            return _show_help(argv)
        return flags.FLAGS(argv)
    except flags.Error as error:
        sys.exit(_fail(f"{error} (see --help)", EXIT_ERROR))
    except UserError as error:
        sys.exit(_fail(error, EXIT_ERROR))
    except UnicodeDecodeError:
        sys.exit(_fail("a --flagfile within a --flagfile must be text in UTF-8, but is not", EXIT_ERROR))
    except ValueError as error:  # --noflip=3
        sys.exit(_fail(f"{error} (see --help)", EXIT_ERROR))
    except OSError as error:  # a --flagfile that is not there
        sys.exit(_fail(error, EXIT_ERROR))


def _show_help(argv):
    # Where it stands among other flags, their values need not be right.
    asked = "--helpfull" if {"--helpfull", "-helpfull"} & set(argv) else "--help"
    try:
        return app.parse_flags_with_usage([argv[0], asked])
    except SystemExit:
        sys.exit(0)  # absl ends --help with 1; asking for help is no failure


def _fail(message, code):
    return _tell(f"error: {message}", code)


def _tell(message, code):
    streams.tell(message)
    return code
