"""The commands that are tortured, what must be whole after each of them, and what must come of all."""

import dataclasses
import gzip
import hashlib
import json
import pathlib
import re
import shutil

import numpy as np
import onnx.numpy_helper
import optuna
import pandas
import tensorflow as tf
from optuna.storages.journal import JournalFileBackend
from torture_faults import REPOSITORY

from fer_ensemble.data.store import read_dataset
from fer_ensemble.ensemble import ensemble_file
from fer_ensemble.members import directory
from fer_ensemble.members.predictions import read_predictions

MODEL, RUN = "cnn4", "cnn4_0"
SETTINGS = ["--deterministic", "--width=4", "--input_size=16", "--epochs=3", "--batch_size=32", "--dropout=0.1"]
SETTINGS += ["--optimizer=sgd", "--warmup=0"]
KINDS = ("ingesting", "training", "launching", "predicting", "sweeping", "exporting")
MAKING = KINDS[:3]  # the members
EXPORTS = {"onnx": "network.onnx", "savedmodel": "network_savedmodel"}


class Loss(Exception):
    """Something that was complete is not any more, or not what it was."""


@dataclasses.dataclass(frozen=True)
class Task:
    """A command.

    Attributes:
        name: Different for each of a round.
        kind: One of `KINDS`.
        arguments: Of Python.
        faults: How often it is struck, at the most: it may be faster than the fault.
    """

    name: str
    kind: str
    arguments: list[str]
    faults: int


def list_tasks(folder: pathlib.Path) -> list[Task]:
    """Lists the tasks of a round, in their order, and writes what the first of them read.

    Half of the bundled sample becomes a data set; two members are trained, the launcher trains the others and has
    them predict; the ensemble predicts another data set; a member is exported, twice, in the place of another one;
    there is a sweep.
    """
    sample = gzip.decompress((REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz").read_bytes())
    header, *rows = sample.splitlines(keepends=True)
    for name, kept in (("data", rows[::2]), ("other", rows[1::4])):
        (folder / f"{name}.csv").write_bytes(b"".join([header, *kept]))
    experiments, data = folder / "experiments", folder / "data.h5"
    common = [*SETTINGS, f"--data={data}", f"--experiments={experiments}"]
    convert = ["-m", "fer_ensemble.data"]
    train = ["model_train.py", f"--model={MODEL}", *common]
    launch = ["-m", "fer_ensemble.launch", f"--runs={RUN}", "--cpu_workers=1", *common]
    predict = ["predict.py", f"--ensemble={experiments}", f"--runs={RUN}", f"--data={folder / 'other.h5'}"]
    sweep = ["sweep.py", f"--model={MODEL}", "--search=learning_rate=log:1e-3:1e-1", "--trials=2", *common]
    export = ["-m", "fer_ensemble", "export", str(directory.member_folder(experiments, 0, RUN)), f"--data={data}"]
    return [
        *(
            Task(name, "ingesting", [*convert, f"{folder / name}.csv", f"--output={folder / name}.h5"], 5)
            for name in ("data", "other")
        ),
        *(Task(f"fold {fold}", "training", [*train, f"--fold={fold}"], 9) for fold in (0, 1)),
        Task("launch", "launching", launch, 4),
        *(
            Task(split, "predicting", [*predict, f"--splits={split}", f"--output={folder / split}"], 8)
            for split in ("PublicUse", "PrivateUse")
        ),
        *(
            Task(kind, "exporting", [*export, f"--format={kind}", f"--output={folder / name}"], 8)
            for kind, name in EXPORTS.items()
        ),
        Task("sweep", "sweeping", sweep, 3),
    ]


class Checks:
    """Looks at the folder of a round after each attempt.

    Attributes:
        number: How many members were found whole.
    """

    def __init__(self, folder: pathlib.Path, exports: dict | None = None):
        self._folder = folder
        self._exports = exports  # from the name of an export to the digests that it may have
        self._complete = {}  # from the path of what was complete to its digest
        self.number = 0

    def run(self) -> None:
        """Raises `Loss`, or what a reader raises, if something is not whole."""
        for record in self._folder.glob("**/exp_*/*/member.json"):
            directory.check_files(record.parent)
            for path in record.parent.glob("predictions*.h5"):
                read_predictions(path)
            self._keep(record, digest(record))
            self.number += 1
        for path in self._folder.glob("[!.]*.h5"):  # a hidden one is what a kill in a write left behind
            self._keep(path, read_dataset(path).fingerprint)
        saved = self._folder / "experiments" / ensemble_file.NAME
        if saved.exists():
            ensemble_file.read_record(saved.parent)
            self._keep(saved, digest(saved))
        for number, value in read_trials(self._folder).items():
            self._keep(f"trial {number}", value)
        for path in self._complete:
            if isinstance(path, pathlib.Path) and not path.exists():
                raise Loss(f"{path} was complete, and is not any more")
        for name in EXPORTS.values() if self._exports else ():
            if describe_export(self._folder / name) not in self._exports[name]:
                raise Loss(f"{self._folder / name} is neither the old export nor the new one")

    def _keep(self, path, value):
        if self._complete.setdefault(path, value) != value:
            raise Loss(f"{path} was complete, and was changed")


def digest(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def describe_export(path: pathlib.Path) -> str:
    """Returns a digest of the numbers of the network in an export; of nothing whole, why."""
    if path.is_dir():
        try:
            json.loads((path / "fer_ensemble.json").read_text())
            (path / "saved_model.pb").stat()
            variables = tf.train.load_checkpoint(path / "variables" / "variables")
        except (OSError, ValueError, tf.errors.OpError) as error:
            return str(error)
        arrays = [variables.get_tensor(name) for name in variables.get_variable_to_shape_map()]
    else:
        arrays = [onnx.numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer]
    # Names, order, seeds of dropout and how far shapes are worked out differ from export to export.
    numbers = sorted(array.tobytes() for array in map(np.asarray, arrays) if array.dtype.kind == "f")
    return hashlib.sha256(b"".join(numbers)).hexdigest()


def read_trials(folder: pathlib.Path) -> dict[int, float]:
    """Returns the values of a sweep's complete trials, by their numbers."""
    journal = folder / "experiments" / "sweep" / "journal.log"
    if not journal.exists() or not journal.stat().st_size:
        return {}
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    studies = storage.get_all_studies()
    trials = storage.get_all_trials(studies[0]._study_id) if studies else []
    return {one.number: one.value for one in trials if one.state == optuna.trial.TrialState.COMPLETE}


def compare(folder: pathlib.Path, calm: pathlib.Path) -> None:
    """Raises `Loss` if the results of a round are not, to the bit, those of the round without faults."""
    for name in ("data.h5", "other.h5"):
        if read_dataset(folder / name).fingerprint != read_dataset(calm / name).fingerprint:
            raise Loss(f"{folder / name} is not {calm / name}")
    for path in sorted(calm.glob("**/predictions*.h5")):
        ours, theirs = read_predictions(find_same(path, folder, calm))[0], read_predictions(path)[0]
        for part in theirs:
            if not np.array_equal(ours[part].probabilities, theirs[part].probabilities):
                raise Loss(f"{folder / path.relative_to(calm)} has other probabilities than {path}")
    for pattern in ("**/predictions.csv", "**/oof.csv", "**/best.flags"):
        for path in sorted(calm.glob(pattern)):
            if plain(folder / path.relative_to(calm), folder) != plain(path, calm):
                raise Loss(f"{folder / path.relative_to(calm)} is not {path}")
    ours, theirs = (json.loads((one / "experiments" / ensemble_file.NAME).read_text()) for one in (folder, calm))
    for name in ("weights", "calibrations", "unsure_below"):
        if ours.get(name) != theirs.get(name):
            raise Loss(f"{folder / 'experiments' / ensemble_file.NAME}: {name} are not those of {calm}")
    if read_trials(folder) != read_trials(calm):
        raise Loss(f"the sweep of {folder} is not that of {calm}")
    trials = pandas.read_csv(folder / "experiments" / "sweep" / "trials.csv")
    if len(trials) != len(pandas.read_csv(calm / "experiments" / "sweep" / "trials.csv")):
        raise Loss(f"the sweep of {folder} has other trials than that of {calm}")
    for name in EXPORTS.values():
        if describe_export(folder / name) != describe_export(calm / name):
            raise Loss(f"{folder / name} is not {calm / name}")


def find_same(path: pathlib.Path, folder: pathlib.Path, calm: pathlib.Path) -> pathlib.Path:
    """Returns the file of a round that holds the same predictions as one of the round without faults.

    The names of those of other data have a digest of the network's file, which says when it was saved.
    """
    place = (folder / path.relative_to(calm)).parent
    found = list(place.glob("predictions-*.h5" if "-" in path.name else path.name))
    if len(found) != 1:
        raise Loss(f"{place} has {len(found)} files of the predictions that {path} holds")
    return found[0]


def plain(path: pathlib.Path, folder: pathlib.Path) -> str:
    """Returns a text without the folder of its round; what is calm was made in that of another one, and moved."""
    return re.sub(rf"{re.escape(str(folder.parent))}/round_\d+", "", path.read_text())


def put_members(calm: pathlib.Path, folder: pathlib.Path) -> None:
    """Puts what the first tasks, up to launching, make in a round without faults."""
    for name in ("data.h5", "other.h5"):
        shutil.copy2(calm / name, folder / name)
    others = shutil.ignore_patterns("sweep", "predictions-*.h5")
    shutil.copytree(calm / "experiments", folder / "experiments", ignore=others)


def put_old_exports(calm: pathlib.Path, folder: pathlib.Path) -> None:
    """Puts other exports where the round is to write its own."""
    for name in EXPORTS.values():
        old = calm.with_name("old") / name
        (shutil.copytree if old.is_dir() else shutil.copy2)(old, folder / name)
