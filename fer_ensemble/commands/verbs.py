"""The verbs of `fer-ensemble`: a module of this folder for each, whose docstring is its `--help`.

A verb's module has `define_flags()`, which defines its absl flags and imports nothing heavy, and
`main(arguments)`, which is given the arguments that are no flags and returns an exit code or None. It may have
`complete_arguments(arguments)`, which is given all arguments and returns those that are to be read.
"""

import difflib
import importlib
import importlib.util
import types

from fer_ensemble.base import streams
from fer_ensemble.base.errors import EXIT_ERROR

# In the order in which people meet them.
VERBS = {
    "label": "find the faces in pictures and videos, and name their expressions",
    "serve": "a page on this machine to drop pictures on, or to look into the camera; and HTTP",
    "about": "what is installed here, and the network that ships",
    "launch": "train all members of an ensemble, here or on a cluster, then score it",
    "train": "train one member, or go on with it",
    "predict": "combine the members, score them, and write the report",
    "sweep": "try settings, better ones as it goes on",
    "evaluate": "how a network or an ensemble stands blur, light, size and crop",
    "compare": "put networks and ensembles side by side, on one page",
    "export": "take a network along: ONNX, LiteRT, SavedModel, Keras",
    "data": "read a data set as people have it, check it, and write it as one file",
    "draw_sample": "draw the faces of the bundled sample",
}
MOST_SHOWN = 40  # letters of what is no verb
_ELSEWHERE = {"predict": "predict_options"}

_HEAD = """\
Reads facial expressions from faces: with the network that ships, or with an ensemble of your own.

Three things to begin with:

{examples}

Verbs (fer-ensemble VERB --help tells the rest):

{verbs}
"""
_EXAMPLES = {
    "label": ("fer-ensemble label party.jpg", "the faces in a picture, and what they express"),
    "serve": ("fer-ensemble serve", "the same as a page in the browser"),
    "launch": ("fer-ensemble launch --dry_run", "what training an ensemble would do; then without --dry_run"),
    "about": ("fer-ensemble about", "what is installed here"),
    "predict": ("fer-ensemble predict --help", "what can be known of an ensemble"),
}


def is_there(verb: str) -> bool:
    """Returns whether the verb's module exists."""
    return importlib.util.find_spec(_module_name(verb)) is not None


def import_verb(verb: str) -> types.ModuleType:
    """Returns the module of a verb."""
    return importlib.import_module(_module_name(verb))


def _module_name(verb):
    return f"fer_ensemble.commands.{_ELSEWHERE.get(verb, verb)}"


def choose_verb(arguments: list[str]) -> tuple[str | None, list[str]]:
    """Finds out what `fer-ensemble` is asked for.

    Returns:
        The verb, None where help is asked for, or there is none of that name; and the arguments for it.

    Example:

    >>> choose_verb(["data", "faces.csv"]), choose_verb(["help", "data"]), choose_verb(["draw-sample", "--seed=1"])
    (('data', ['faces.csv']), ('data', ['--help']), ('draw_sample', ['--seed=1']))
    >>> choose_verb(["--help"])
    (None, ['--help'])
    """
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if verb == "help" and rest:
        verb, rest = rest[0], ["--help"]
    verb = verb.replace("-", "_") if not verb.startswith("-") else verb
    if verb in VERBS and is_there(verb):
        return verb, rest
    return None, arguments


def show_verbs(arguments: list[str]) -> int:
    """Prints the verbs, the version, or what is wrong with the arguments; returns the exit code."""
    first = arguments[0] if arguments else "--help"
    if first in ("help", "--help", "-h", "-?", "--helpshort", "--helpfull"):
        print(format_verbs(), end="")
        return 0
    if first in ("version", "--version", "-V"):
        from fer_ensemble import __version__

        print(f"fer-ensemble {__version__}")
        return 0
    streams.tell(f"error: {_refuse(first)}")
    return EXIT_ERROR


def _refuse(word):
    word = word if len(word) <= MOST_SHOWN else f"{word[:MOST_SHOWN]}..."
    if word.startswith("-"):
        return f"expected a verb before the flags. Received: {word}. See fer-ensemble --help"
    near = difflib.get_close_matches(word, [verb for verb in VERBS if is_there(verb)], 1, cutoff=0)
    return f"there is no verb {word!r}. Did you mean {near[0]}? See fer-ensemble --help"


def format_verbs() -> str:
    """Returns the text of `fer-ensemble --help`."""
    there = [verb for verb in VERBS if is_there(verb)]
    examples = [_EXAMPLES[verb] for verb in _EXAMPLES if verb in there][:3]
    width = max(len(command) for command, _ in examples)
    return _HEAD.format(
        examples="\n".join(f"  {command:{width}}  {text}" for command, text in examples),
        verbs="\n".join(f"  {verb:{max(map(len, there))}}  {VERBS[verb]}" for verb in there),
    )
