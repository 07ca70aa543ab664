"""What `member.json` says of a member that a test writes itself."""

import dataclasses
from collections.abc import Sequence

from fer_ensemble.training.settings import TrainingSettings


def make_record(settings: TrainingSettings, class_names: Sequence[str], data: dict) -> dict:
    """Returns all fields but the hashes of the files, which `directory.write_record` adds."""
    return {
        "settings": dataclasses.asdict(settings),
        "class_names": list(class_names),
        "data": data,
        "folds": {"folds": 4, "seed": 0, "fingerprint": "f" * 64},
        "seed": 1,
        "precision": "float32",
        "device": "a CPU",
        "versions": {"fer_ensemble": "0.1.0", "keras": "3.15.1"},
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:05:05+00:00",
        "training_seconds": 60.0,
        "metrics": {"oof": 0.5, "PublicTest": 0.5},
    }
