"""Where an ensemble comes from: its members' settings, versions, devices and times."""

import dataclasses
import itertools
from collections.abc import Sequence

from fer_ensemble.data.fold_names import fold_name
from fer_ensemble.members.directory import run_name
from fer_ensemble.training.settings import TrainingSettings

# What a member is, not how its settings read: they stand in the other columns of the table.
IDENTITY = ("model", "fold", "replica")


def describe_provenance(records: Sequence[dict]) -> dict:
    """Gathers the settings and circumstances of all members from their records.

    Returns:
        Dict: `shared`, the settings that are the same in all members; `varied`, a dict from each other setting to
        its value in each run, as text where the run's members differ; `versions` and `devices`; `began` and
        `ended`, in UTC. What a record does not know yet had its default.
    """
    shared, varied = {}, {}
    for name, runs in _settings_by_run(records).items():
        values = [value for folds in runs.values() for value in folds.values()]
        if len(set(values)) == 1:
            shared[name] = values[0]
        else:
            varied[name] = {run: _join_distinct(folds.values()) for run, folds in runs.items()}
    return {
        "shared": shared,
        "varied": varied,
        "versions": _distinct([record["versions"] for record in records]),
        "devices": sorted({f"{record['device']}, {record['precision']}" for record in records}),
        "began": min(record["started"] for record in records)[:16].replace("T", " "),
        "ended": max(record["finished"] for record in records)[:16].replace("T", " "),
    }


def differing_settings(records: Sequence[dict]) -> dict[str, dict[str, dict]]:
    """Finds the runs whose members were not trained alike, as those of one run should be.

    Returns:
        Dict from such a run to a dict from each setting in which its members differ to the value in each fold.
    """
    differing = {}
    for name, runs in _settings_by_run(records).items():
        for run, folds in runs.items():
            if len(set(folds.values())) > 1:
                differing.setdefault(run, {})[name] = folds
    return differing


def _settings_by_run(records):
    """A dict from each setting to a dict from the run to a dict from the fold to its value."""
    found = {}
    for record in records:
        settings = dataclasses.asdict(TrainingSettings()) | record["settings"]
        run, fold = run_name(settings["model"], settings["replica"]), fold_name(settings["fold"])
        for name, value in settings.items():
            if name not in IDENTITY:
                found.setdefault(name, {}).setdefault(run, {})[fold] = value
    return found


def _join_distinct(values):
    distinct = list(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else " / ".join(map(str, distinct))


def _distinct(dicts):
    """One dict from each key to its values in all of them, each once."""
    keys = dict.fromkeys(itertools.chain.from_iterable(dicts))
    return {key: ", ".join(sorted({str(one[key]) for one in dicts if key in one})) for key in keys}
