"""What the commands share: flags made from a settings class, errors in one line, exit codes."""

import dataclasses
import errno
import functools
import os
import sys

from absl import app, flags

from fer_ensemble.base import stop_signals
from fer_ensemble.base.errors import EXIT_ERROR, EXIT_HELD, EXIT_SIGNAL, TOLD_ERRORS, HeldError
from fer_ensemble.data.fold_names import Fold, parse_fold

# Flags defined through this module belong to the command that asked for them, and show in its --help.
flags.disclaim_key_flags()


_FULL = " - make room, then give the same command again: what is finished is whole, and it goes on from there"
_ADVICE = {
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


def define_flags(settings, skip=()):
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


def settings_from_flags(settings, **fixed):
    """Builds the settings dataclass from the parsed flags; `fixed` gives fields that are no flags."""
    names = [field.name for field in dataclasses.fields(settings) if field.name not in fixed]
    return settings(**{name: flags.FLAGS[name].value for name in names}, **fixed)


def run(main):
    """Runs `main(arguments)` under absl: expected errors become one line on stderr, and exit code 1.

    Args:
        main: Function of the list of arguments that are not flags; returns an exit code or None.

    Those of `TOLD_ERRORS` are something the user can mend; any other is a fault of ours and shows its traceback,
    as `--verbosity=1` does for all. A stop signal (see `fer_ensemble.base.stop_signals`) becomes one line and exit
    code 128 + its number: 130 for Ctrl-C, 143 for SIGTERM, 138 for SIGUSR1 on Linux.
    """
    app.run(lambda argv: _call(main, argv[1:]), flags_parser=_parse_flags)


def _call(main, arguments):
    try:
        stop_signals.heed()
        return main(arguments)
    except stop_signals.Stopped as stopped:
        return _tell(stopped, EXIT_SIGNAL + stopped.signal)
    except HeldError as error:
        return _fail(error, EXIT_HELD)
    except BrokenPipeError:  # the reader of our output left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except TOLD_ERRORS as error:
        if flags.FLAGS.verbosity > 0:
            raise
        return _fail(f"{error}{_ADVICE.get(getattr(error, 'errno', None), '')}", EXIT_ERROR)


def _parse_flags(argv):
    try:
        return app.parse_flags_with_usage(argv) if _wants_help(argv) else flags.FLAGS(argv)
    except SystemExit:
        sys.exit(0)  # absl ends --help with 1; asking for help is no failure
    except flags.Error as error:
        sys.exit(_fail(f"{error} (see --help)", EXIT_ERROR))
    except OSError as error:  # a --flagfile that is not there
        sys.exit(_fail(error, EXIT_ERROR))


def _wants_help(argv):
    return any(argument.lstrip("-").split("=")[0].startswith("help") for argument in argv[1:])


def _fail(message, code):
    return _tell(f"error: {message}", code)


def _tell(message, code):
    line = " ".join(str(message).split())
    print(f"{os.path.basename(sys.argv[0])}: {line}", file=sys.stderr)  # noqa: PTH119
    return code
