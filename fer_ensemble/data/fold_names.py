"""What a network holds out of Training, in words: a fold, two of them, or none."""

import re

from fer_ensemble.base.errors import UserError

# What a member held out: a fold, two, or None for none of them.
Fold = int | tuple[int, int] | None


def fold_name(fold: Fold) -> str:
    """Writes what a member held out: `2`, `0+1` for both of these folds, `none` where it trained on all."""
    if fold is None:
        return "none"
    return "+".join(map(str, fold)) if isinstance(fold, tuple) else str(fold)


def parse_fold(text: str) -> Fold:
    """Reads what `fold_name` writes; `0,1` is `0+1`, too.

    Raises:
        UserError: If it is neither none nor numbers.

    Example:

    >>> [parse_fold(text) for text in ("2", "0+1", "none")]
    [2, (0, 1), None]
    """
    if text == "none":
        return None
    numbers = re.split(r"[+,]", text)
    if not all(re.fullmatch(r"\d{1,9}", number) for number in numbers):
        raise UserError(f"A fold must be a number, several such as 0+1, or none. Received: {text!r}.")
    folds = tuple(sorted(map(int, numbers)))
    return folds if len(folds) > 1 else folds[0]
