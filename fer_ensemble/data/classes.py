"""The names of the classes, as people write them."""

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import CLASS_NAMES

_VARIANTS = {
    "angry": ("anger",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "happy": ("happiness", "joy"),
    "sad": ("sadness",),
    "surprise": ("surprised",),
    "neutral": ("neutrality",),
}
_CLASS_OF_NAME = {name: own for own, variants in _VARIANTS.items() for name in (own, *variants)}


def find_class(name):
    """Returns the class name of `CLASS_NAMES` that `name` ("Happiness", "anger", ...) stands for, or None."""
    return _CLASS_OF_NAME.get(name.strip().lower())


def parse_classes(classes, class_names=CLASS_NAMES):
    """Returns the classes to keep, in their new order.

    Args:
        classes: Names, or one comma-separated string of them; usual variants are understood. Nothing keeps all.
        class_names: The names there are.

    Returns:
        Tuple of names out of `class_names`.

    Raises:
        UserError: If a name is unknown or occurs twice, or there is only one.
    """
    given = [name.strip() for name in (classes.split(",") if isinstance(classes, str) else classes)]
    given = [name for name in given if name]
    if not given:
        return tuple(class_names)
    kept = []
    for name in given:
        known = name if name in class_names else find_class(name)
        if known not in class_names:
            raise UserError(f"`classes` must be among {', '.join(class_names)}. Received: {name!r}.")
        kept.append(known)
    if len(set(kept)) < max(2, len(kept)):
        raise UserError(f"`classes` must be at least two different names. Received: {', '.join(given)}.")
    return tuple(kept)
