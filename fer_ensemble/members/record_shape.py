"""What a member's small JSON files hold: the shape that is looked for when they are read."""

import re

from fer_ensemble.data.classes import MAXIMUM_CLASSES, is_class_name

NUMBER = (int, float)
_NOTHING = type(None)

# What every record has, whoever wrote it.
RECORD_FIELDS = {
    "settings": dict,
    "class_names": list,
    "data": dict,
    "folds": dict,
    "files": dict,
}
# What a record has, too, if `train_member` wrote it: what the report tells.
WHOLE_RECORD_FIELDS = {
    **RECORD_FIELDS,
    "settings.model": str,
    "settings.replica": int,
    "settings.fold": (int, list, _NOTHING),
    "data.name": str,
    "data.images": int,
    "data.fingerprint": str,
    "folds.fingerprint": str,
    "started": str,
    "finished": str,
    "training_seconds": NUMBER,
    "precision": str,
    "device": str,
    "versions": dict,
    "metrics": dict,
}
# Of any note of a training, what is there; `progress.json` and `failure.json` may have more.
NOTE_FIELDS = {
    "state": str,
    "epoch": NUMBER,
    "epochs": NUMBER,
    "images_per_second": (*NUMBER, _NOTHING),
    "seconds_left": (*NUMBER, _NOTHING),
    "updated": NUMBER,
    "time": NUMBER,
    "host": str,
    "pid": int,
    "job": str,
    "error": str,
}


def check_shape(record: object, shape: dict, optional: bool = False) -> None:
    """Checks the fields of what was read from a JSON file.

    Args:
        record: What was read.
        shape: Dictionary from the fields, `data.name` being `name` in `data`, to their types.
        optional: Whether fields may be missing.

    Raises:
        ValueError: If a field is missing or of another type: which.
    """
    if not isinstance(record, dict):
        raise ValueError(f"one object is needed, not {_describe(record)}")
    for field, types in shape.items():
        value = record
        for name in field.split("."):
            if not isinstance(value, dict) or name not in value:
                if optional:
                    break
                raise ValueError(f"it has no {field}")
            value = value[name]
        else:
            if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
                raise ValueError(f"{field} cannot be {_describe(value)}")


def check_settings(settings: dict) -> None:
    """Raises ValueError unless each setting is a number, a text, true, false or None; the fold may be several."""
    for name, value in settings.items():
        values = value if name == "fold" and isinstance(value, list) and len(value) > 1 else [value]
        if not all(isinstance(one, str | int | float | _NOTHING) for one in values):
            raise ValueError(f"settings.{name[:40]} cannot be {_describe(value)}")


def check_class_names(names: object) -> None:
    """Raises ValueError unless `names` is a list of different names of classes."""
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"class_names cannot be {_describe(names)}")
    if len(set(names)) != len(names):
        raise ValueError("class_names has a name twice")
    if len(names) > MAXIMUM_CLASSES:
        raise ValueError(f"class_names has {len(names):,} names, more than {MAXIMUM_CLASSES}")
    for name in names:
        if not is_class_name(name):
            raise ValueError(f"class_names cannot have {_describe(name)}")


def check_hashes(files: dict) -> None:
    """Raises ValueError unless `files` goes from plain file names to SHA-256, 64 hex digits each."""
    for name, digest in files.items():
        if not is_plain_name(name) or not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise ValueError(f"files cannot hold {name[:40]!r}: {_describe(digest)}")


def is_plain_name(name: str) -> bool:
    """Whether a text is the name of a file that lies beside whatever names it, and leads nowhere else."""
    return bool(re.fullmatch(r"[^/\\:\0]+", name)) and name not in (".", "..")


def _describe(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
