"""Which values of which settings a sweep tries: reading `--search`."""

import dataclasses
import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fer_ensemble.base.errors import UserError
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.variations import READERS

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FORMS = "log:LOW:HIGH, uniform:LOW:HIGH, int:LOW:HIGH or choice:A,B,..."
KINDS = {float: ("uniform", "log", "choice"), int: ("int", "log", "choice"), bool: ("choice",), str: ("choice",)}
# Trials that hold out other images cannot be compared.
NOT_SEARCHED = ("fold", "fold_seed", "holdout")


@dataclasses.dataclass(frozen=True)
class Range:
    """The values of one setting that are tried.

    Attributes:
        name: Field of `TrainingSettings`.
        kind: `log` or `uniform` (floats; `log` whole numbers, too), `int` or `choice`.
        values: The two ends, which belong to it; or the choices.
    """

    name: str
    kind: str
    values: tuple

    def __str__(self) -> str:
        return f"{self.kind}:{(',' if self.kind == 'choice' else ':').join(map(format_value, self.values))}"

    def distribution(self) -> "BaseDistribution":
        """Returns it as Optuna has it."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.kind == "choice":
            return CategoricalDistribution(self.values)
        numbers = IntDistribution if isinstance(self.values[0], int) else FloatDistribution
        return numbers(*self.values, log=self.kind == "log")


def parse_search(texts: Sequence[str], settings: TrainingSettings) -> list[Range]:
    """Reads what is to be tried.

    Args:
        texts: List of `NAME=KIND:VALUES`, as in `learning_rate=log:1e-4:1e-1`.
        settings: The `TrainingSettings` that the trials share but for these: the values must go with them.

    Returns:
        List of `Range`.

    Raises:
        UserError: If one cannot be read, is not of its setting's kind, or goes beyond its setting's range.

    Example:

    >>> [str(one) for one in parse_search(["learning_rate=log:1e-4:1e-1"], TrainingSettings())]
    ['log:0.0001:0.1']
    """
    if not texts:
        raise UserError("sweep.py takes at least one setting to try, as in --search=learning_rate=log:1e-4:1e-1.")
    ranges = [_parse(text, settings) for text in texts]
    names = [one.name for one in ranges]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"`search` must name each setting once. Received: {name} {names.count(name)} times.")
    return ranges


def format_value(value: object) -> str:
    """Writes a setting's value as a flag takes it: `0.0001`, `true`, `cnn`."""
    return (
        str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    )


def _parse(text, settings):
    name, equals, rest = text.partition("=")
    kind, colon, numbers = rest.partition(":")
    if not (equals and colon):
        raise UserError(f"`search` must be NAME={FORMS}. Received: {text!r}.")
    field = TrainingSettings.__dataclass_fields__.get(name)
    if field is None:
        close = difflib.get_close_matches(name, TrainingSettings.__dataclass_fields__, 1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UserError(f"`search` must name a setting of model_train.py. Received: {name!r}.{hint}")
    kinds = KINDS.get(field.type, ())
    if name in NOT_SEARCHED or not kinds:
        raise UserError(f"`search` cannot try `{name}`: its trials could not be compared.")
    if kind not in kinds:
        raise UserError(f"`search` takes {' or '.join(kinds)} for `{name}`. Received: {text!r}.")
    parts = numbers.split("," if kind == "choice" else ":")
    try:
        values = tuple(READERS[field.type](part.strip()) for part in parts)
    except (ValueError, KeyError):
        wanted = {bool: "true or false", int: "whole numbers", float: "numbers"}[field.type]
        raise UserError(f"`search` takes {wanted} for `{name}`. Received: {text!r}.") from None
    for value in values:
        try:
            dataclasses.replace(settings, **{name: value})
        except ValueError as error:
            raise UserError(f"--search={text}: {error}") from None
    if kind == "choice" and len(set(values)) < len(values):
        raise UserError(f"`search` must name each choice once. Received: {text!r}.")
    if kind != "choice" and not (len(values) == 2 and values[0] < values[1]):
        raise UserError(f"`search` takes a lower and a higher end, {kind}:LOW:HIGH. Received: {text!r}.")
    if kind == "log" and values[0] <= 0:
        raise UserError(f"`search` takes ends above 0 for log:LOW:HIGH. Received: {text!r}.")
    return Range(name, kind, values)
