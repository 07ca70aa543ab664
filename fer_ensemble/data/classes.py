"""The names of the classes, as people write them."""

from collections.abc import Collection, Iterable

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.data.dataset import CLASS_NAMES, UNLABELLED

MAXIMUM_CLASSES = 100
MAXIMUM_NAME = 60  # characters

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


def find_class(name: str) -> str | None:
    """Returns the class name of `CLASS_NAMES` that `name` ("Happiness", "anger", ...) stands for, or None."""
    return _CLASS_OF_NAME.get(name.strip().lower())


def is_class_name(name: str) -> bool:
    """Whether a class can be called so: `MAXIMUM_NAME` printable characters, none of them a comma."""
    return name.isprintable() and "," not in name and 0 < len(name) <= MAXIMUM_NAME


def parse_classes(classes: str | Iterable[str], class_names: tuple[str, ...] = CLASS_NAMES) -> tuple[str, ...]:
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
        if isinstance(classes, str) and classes:
            raise UserError(f"`classes` must be names with commas between them. Received: {classes!r}.")
        return tuple(class_names)
    kept = []
    for name in given:
        known = next((known for known in (name, name.lower(), find_class(name)) if known in class_names), None)
        if known is None:
            raise UserError(f"`classes` must be among {', '.join(class_names)}. Received: {name!r}.")
        kept.append(known)
    if len(set(kept)) < max(2, len(kept)):
        raise UserError(f"`classes` must be at least two different names. Received: {', '.join(given)}.")
    return tuple(kept)


def order_classes(names: Collection[str]) -> tuple[str, ...]:
    """Returns the names of the classes of a data set, in label order.

    Args:
        names: The names that occur, as from `ClassNumbers`.

    Returns:
        Tuple: `CLASS_NAMES` if there are no others, also where some of them do not occur; else the names that
        occur, those of `CLASS_NAMES` first and in their order, the others sorted, numbers by their value.
    """
    own = set(names) - set(CLASS_NAMES)
    if not own:
        return CLASS_NAMES
    known = [name for name in CLASS_NAMES if name in names]
    numbers = sorted((name for name in own if name.isdecimal()), key=int)
    return (*known, *numbers, *sorted(own - set(numbers)))


class ClassNumbers:
    """Numbers the classes as their names come.

    Attributes:
        names: The names so far, in the order of their first appearance.
    """

    def __init__(self, source: str):
        self.names = []
        self._source = source
        self._numbers = {}

    def number(self, name: str) -> int:
        """Returns the number of a class, for one of the seven whatever variant of its name is given.

        Raises:
            ValueError: If it cannot be the name of a class.
            UserError: If there are more than `MAXIMUM_CLASSES`.
        """
        own = find_class(name) or name.strip().lower()
        if own not in self._numbers:
            if not is_class_name(own):
                raise ValueError(
                    f"expected the name of a class, of at most {MAXIMUM_NAME} printable characters, no comma. "
                    f"Received: {name[:40]!r}."
                )
            if len(self.names) == MAXIMUM_CLASSES:
                raise UserError(
                    f"{self._source}: expected at most {MAXIMUM_CLASSES} classes. Received: more, as "
                    f"{', '.join(self.names[:3])}. Sort the faces by class, one folder or name for each."
                )
            self._numbers[own] = len(self.names)
            self.names.append(own)
        return self._numbers[own]

    def finish(self, numbers: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Puts the classes in order.

        Args:
            numbers: Integer array of what `number` returned, or -1.

        Returns:
            `(labels, class_names)`: int8 positions in `class_names`, which are as from `order_classes`.
        """
        class_names = order_classes(self.names)
        positions = np.array([*(class_names.index(name) for name in self.names), UNLABELLED], np.int8)
        return positions[numbers], class_names
