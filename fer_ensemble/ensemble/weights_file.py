"""Weights of the runs as a JSON file, which people write."""

import os
import pathlib

import numpy as np

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.json_files import read_json

MOST_BYTES = 1 << 20


def read_weights(path: str | os.PathLike, run_names: list[str]) -> np.ndarray:
    """Reads the weights of the runs from a JSON file such as `{"cnn_0": 1.0, "resnet_0": 2.5}`.

    Args:
        path: Path of the file.
        run_names: Names of the runs, in the order of the result.

    Returns:
        Float64 array of shape `(runs,)`, none negative, rescaled to sum to 1.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it is not JSON, or does not give each run, and nothing else, a finite
            weight that is not negative; or if all are 0.
    """
    path = pathlib.Path(path)
    example = f'Write one such as {{"{run_names[0]}": 1.0, ...}}, with one weight per run.'
    try:
        named = read_json(path, "a JSON file of weights", example, MOST_BYTES)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file of weights {path}. {example}") from None
    if not isinstance(named, dict):
        raise UserError(f"{path} must hold one object. Received: {type(named).__name__}. {example}")
    missing = [name for name in run_names if name not in named]
    unknown = [name for name in named if name not in run_names]
    if missing or unknown:
        raise UserError(
            f"{path} must give one weight per run ({', '.join(run_names)}). "
            f"Missing: {', '.join(missing) or 'none'}. Unknown: {', '.join(unknown)[:200] or 'none'}."
        )
    weights = np.array([_weight(path, name, named[name]) for name in run_names])
    if not weights.any():
        raise UserError(f"{path} must give at least one run a weight above 0. Received: all 0.")
    if weights.max() > 1e300:  # of numbers near the largest there are, the sum is none
        weights = weights / weights.max()
    return weights / weights.sum()


def _weight(path, name, value):
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= float(value) < np.inf:
            return float(value)
    except OverflowError:  # an integer of more than 308 digits
        pass
    raise UserError(
        f"The weight of {name} in {path} must be a finite number, 0 or more. Received: {str(value)[:60]}."
    )
