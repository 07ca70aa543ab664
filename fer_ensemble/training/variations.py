"""Settings of some runs only, in words: `resnet_1 weight_decay=0.05`."""

import dataclasses
import re
from collections.abc import Sequence

from fer_ensemble.base.errors import UserError
from fer_ensemble.training.settings import TrainingSettings

VARY_HELP = (
    "Settings of some runs only, which go before the others: the name of an architecture or run, then name=value, "
    "with blanks between them, as in --vary='resnet_1 weight_decay=0.05 mixup=0.2'. May be given several times; "
    "what is said last of a setting counts."
)
# These are what a run is, or what all members of an ensemble share.
_FIXED = ("model", "fold", "replica", "fold_seed", "holdout")


def vary_settings(settings: TrainingSettings, variations: Sequence[str]) -> TrainingSettings:
    """Returns a member's settings, changed by what the variations say of its run.

    Args:
        settings: `TrainingSettings`.
        variations: List of texts as `VARY_HELP` describes them.

    Raises:
        UserError: If a variation names no run, no setting, or no value for it; also where it is for another run.

    Example:

    >>> vary_settings(TrainingSettings(model="cnn"), ["cnn width=48", "cnn_1 width=64"]).width
    48
    """
    for text in variations:
        run, *pairs = text.split() or [""]
        models = TrainingSettings.__dataclass_fields__["model"].metadata["choices"]
        match = re.fullmatch(rf"({'|'.join(models)})(_\d+)?", run)
        if not match or not pairs:
            raise UserError(
                f"`vary` must be the name of an architecture or run (such as {models[0]} or {models[0]}_1), then "
                f"name=value, with blanks between them. Received: {text!r}."
            )
        changes = dict(_parse(pair) for pair in pairs)
        changed = dataclasses.replace(settings, model=match[1], **changes)
        if run in (settings.model, settings.run):
            settings = changed
    return settings


def _parse(pair):
    name, _, value = pair.partition("=")
    field = TrainingSettings.__dataclass_fields__.get(name)
    if field is None or name in _FIXED:
        raise UserError(f"`vary` takes settings of the training, name=value. Received: {pair!r}.")
    try:
        return name, READERS[field.type](value)
    except (ValueError, KeyError):
        raise UserError(f"`vary`: {name} takes another kind of value. Received: {value!r}.") from None


# From what people write to a setting's value.
READERS = {int: int, float: float, str: str, bool: lambda value: {"true": True, "false": False}[value.lower()]}
