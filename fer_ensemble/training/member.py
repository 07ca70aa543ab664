"""One member, from its settings to its complete directory."""

import dataclasses
import datetime
import sys
import zlib

import numpy as np

from fer_ensemble import __version__
from fer_ensemble.base import stop_signals
from fer_ensemble.base.atomic_files import hash_file, replacing, write_text
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.memory import check_memory
from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, SPLITS, UNLABELLED
from fer_ensemble.data.folds import MAXIMUM_FOLDS
from fer_ensemble.data.store import load_dataset, resolve_dataset, split_inputs
from fer_ensemble.members import directory, lock, notes, replacement
from fer_ensemble.scoring.metrics import loss_and_accuracy
from fer_ensemble.training.determinism import make_deterministic
from fer_ensemble.training.history import format_history
from fer_ensemble.training.material import gather_material
from fer_ensemble.training.settings import TrainingSettings, check_start, list_differences
from fer_ensemble.training.splits import split_training
from fer_ensemble.training.state import describe_position, read_notes
from fer_ensemble.training.training_options import TrainingOptions

# What a member's record says of the other files that it was made from.
SOURCES = ("pretrained", "teacher", "extra_data")

# What a complete member has no use for.
LEFT_BEHIND = (directory.STATE, directory.PROGRESS, directory.FAILURE)


def train_member(settings: TrainingSettings, options: TrainingOptions) -> None:
    """Trains a member, or goes on with it, or leaves it alone if it is complete.

    Args:
        settings: `TrainingSettings`.
        options: `TrainingOptions`.

    Raises:
        UserError: If the directory holds a member, or part of one, of other settings or data.
        HeldError: If another process trains this member.
        MemoryError: If the memory of the device or of the host does not suffice.
        fer_ensemble.base.stop_signals.Stopped: After a stop signal; its `where` tells what is saved.
    """
    folder = directory.member_folder(options.experiments, settings.fold, settings.run)
    check_start(settings, folder)
    path = resolve_dataset(options.data, options.classes)
    dataset = load_dataset(path, options.classes)
    own, held_out, folds = split_training(dataset, path, settings)
    identity = {
        "settings": dataclasses.asdict(settings),
        "class_names": list(dataset.class_names),
        "data": {
            "name": path.name,
            "images": len(dataset.images),
            "fingerprint": dataset.fingerprint,
            **({"made_splits": dataset.made_splits} if dataset.made_splits else {}),
        },
        "folds": folds,
    }  # and `pretrained`, of what it started from, once that is read
    with lock.held(folder):
        replacement.finish_replacement(folder)  # of a process that was killed while it moved the files
        if options.overwrite:
            _check_before_clearing(settings)
            replacement.begin_afresh(folder)
        work = replacement.work_folder(folder)
        if directory.is_complete(work):
            record = directory.read_record(folder)
            _check_same(folder, identity, record)
            _remove(folder, *LEFT_BEHIND)
            if directory.is_answered(folder, record, settings.tta):
                print(f"{folder} is complete: nothing to do (--overwrite trains it afresh)")
            else:
                _ask_again(folder, record, dataset, held_out, settings.tta)
            return
        saved = read_notes(work / directory.STATE)
        if saved:
            _check_same(work, identity, saved)
        started = {"started": _now()}
        if saved:
            started = {name: saved[name] for name in ("started", *SOURCES) if name in saved}
        (work / directory.FAILURE).unlink(missing_ok=True)
        notes.write_progress(work, _describe_start(saved, settings.epochs))
        try:
            _train(settings, options, work, dataset, path, own, held_out, {**identity, **started})
            replacement.finish_replacement(folder)
        except stop_signals.Stopped as stopped:
            position = describe_position(read_notes(work / directory.STATE), settings.epochs)
            complete = directory.is_complete(work)  # it came at the very end
            again = "the same command without --overwrite" if options.overwrite else "the same command"
            going_on = f"stands at {position}; {again} goes on from there"
            stopped.where = f"{folder} {'is complete' if complete else going_on}"
            raise
        except Exception as error:
            if is_out_of_memory(error):
                # An unfinished training cannot go on with other settings.
                begin_anew = " and --overwrite" if (work / directory.STATE).exists() else ""
                error = MemoryError(f"{folder}: {advise_smaller_batches(settings, begin_anew)}")
            notes.write_failure(work, error)
            raise error


def _train(settings, options, folder, dataset, path, own, held_out, identity):
    # Beside the data set itself: those to train on, once more on the device, and those held out.
    size = dataset.images[0].nbytes * (2 * len(own) + len(held_out))
    check_memory(size, f"{folder}: {len(own):,} images to train on, {len(held_out):,} held out")
    if settings.deterministic:
        make_deterministic()
    from fer_ensemble.models import device
    from fer_ensemble.training.checkpoint import Checkpoint
    from fer_ensemble.training.fit import TrainingData, fit_model

    initialize = None
    if settings.pretrained and ("pretrained" not in identity or settings.pretrained_share):
        facts, initialize = _start_from_pretrained(settings, identity, len(held_out) > 0)
        _keep_source(folder, settings, identity, "pretrained", facts)
    for leftover in folder.glob(".*"):  # half a file of a process that was killed while it wrote
        leftover.unlink()
    precision = device.choose_precision(settings.precision)
    seed = member_seed(settings)
    images, targets, sources = gather_material(settings, dataset, path, own)
    for name, facts in sources.items():
        _keep_source(folder, settings, identity, name, facts)
    print(
        f"{settings.run}, fold {directory.fold_name(settings.fold)}: {len(images):,} images to train on, "
        f"{len(held_out):,} held out, {settings.epochs} epochs, {precision} on {device.describe_device()}",
        flush=True,
    )
    held_out_labels = dataset.labels[held_out].astype(np.int64)
    data = TrainingData(images, targets, dataset.images[held_out], held_out_labels)
    model, history = fit_model(data, settings, seed, Checkpoint(folder, identity), options.tensorboard, initialize)
    if settings.pretrained_share:
        from fer_ensemble.training.pretrained import keep_share

        keep_share(model, initialize, settings.pretrained_share)
    # A kill after the last state may have come before its history was written.
    write_text(folder / directory.HISTORY, format_history(history))
    with replacing(folder / directory.MODEL) as temporary:
        # An uncompiled twin: looking at the held-out fold compiled the model, and people would load an optimiser.
        type(model)(model.input, model.output, name=model.name).save(temporary)
    metrics = _predict(folder, model, settings.tta, dataset, held_out)
    record = {
        **identity,
        "seed": seed,
        "precision": precision,
        "device": device.describe_device(),
        "versions": _describe_versions(),
        "finished": _now(),
        "training_seconds": round(sum(row["seconds"] for row in history), 1),
        "metrics": metrics,
    }
    _complete(folder, record)
    _remove(folder, *LEFT_BEHIND)


def _keep_source(folder, settings, identity, name, facts):
    """Keeps what the record is to say of a source; raises UserError if the training was begun with another one."""
    known = identity.setdefault(name, facts)
    # A teacher's calibration is fitted anew, and another kind of processor rounds its last digits otherwise.
    if {**known, "calibration": None} != {**facts, "calibration": None}:
        raise UserError(
            f"{folder} was begun with another --{name} than {getattr(settings, name)} is now. Give the old one, "
            "another --experiments folder, or --overwrite to start afresh."
        )


def _ask_again(folder, record, dataset, held_out, views):
    """Predicts with a finished member's network and other views; after a kill, the next call does it again."""
    from fer_ensemble.members.saved_network import load_network

    for name in (directory.MODEL, directory.HISTORY):
        directory.check_file(folder, record, name)
    print(f"{folder} is complete: predicting with --tta={views}", flush=True)
    metrics = _predict(folder, load_network(folder / directory.MODEL), views, dataset, held_out)
    _complete(folder, {**record, "settings": {**record["settings"], "tta": views}, "metrics": metrics})


def _predict(folder, model, views, dataset, held_out):
    """Writes a member's predictions, and returns its scores."""
    from fer_ensemble.members.predictions import predict_parts, write_predictions
    from fer_ensemble.members.views import VIEWS, average_views

    test_splits = {SPLITS[usage]: dataset.split(usage) for usage in (PUBLIC_TEST, PRIVATE_TEST)}
    parts = predict_parts(average_views(model, views), dataset, {"oof": held_out, **test_splits}, VIEWS[views])
    write_predictions(folder / directory.PREDICTIONS, parts, dataset.fingerprint)
    return {name: _score(parts[name]) for name in ("oof", SPLITS[PUBLIC_TEST])}


def _complete(folder, record):
    directory.write_record(folder, record, [directory.MODEL, directory.PREDICTIONS, directory.HISTORY])
    scores = ", ".join(f"{name} {score:.2%}" for name, score in record["metrics"].items() if score is not None)
    print(f"{folder.parent if folder.name == replacement.NEW else folder} is complete: {scores}")


def _start_from_pretrained(settings, identity, holds_out):
    from fer_ensemble.training.pretrained import find_pretrained, load_pretrained, may_know_held_out

    path = find_pretrained(settings)
    print(f"{settings.run}, fold {directory.fold_name(settings.fold)}: starts from {path}", flush=True)
    seen = holds_out and may_know_held_out(path, identity)
    if seen:
        print("note: what that was trained on may include images held out here; then they are no honest test")
    facts = {"file": path.name, "sha256": hash_file(path), "may_know_held_out": seen}
    class_names = identity["class_names"]
    return facts, lambda model: load_pretrained(model, path, settings, class_names)


def member_seed(settings: TrainingSettings) -> int:
    """Returns the seed of one member, an int below 2**31: another one for each model, replica and fold."""
    model = zlib.crc32(settings.model.encode())
    # No fold has that number; 0, or none at all, would give the random numbers of fold 0.
    fold = (MAXIMUM_FOLDS,) if settings.fold is None else np.atleast_1d(settings.fold)
    sequence = np.random.SeedSequence([settings.seed, model, settings.replica, *fold])
    return int(sequence.generate_state(1)[0] >> 1)


def _score(part):
    # PrivateTest is not for looking at: `predict.py` scores it, once.
    labelled = part.labels != UNLABELLED
    if not labelled.any():
        return None
    return loss_and_accuracy(part.probabilities[labelled], part.labels[labelled])[1]


def _check_same(folder, identity, saved):
    differences = list_differences(TrainingSettings(**identity["settings"]), saved["settings"])
    if identity["class_names"] != saved["class_names"]:
        differences.append(f"classes: {','.join(identity['class_names'])}, not {','.join(saved['class_names'])}")
    elif identity["data"]["fingerprint"] != saved["data"]["fingerprint"]:
        differences.append(f"data: {identity['data']['name']} is not what it was, {saved['data']['name']}")
    if differences:
        raise UserError(
            f"{folder} was begun with other settings ({'; '.join(differences)}). "
            "Give the same ones, another --experiments folder, or --overwrite to start afresh."
        )


def _check_before_clearing(settings):
    """Finds what would stop the training before anything is removed."""
    from fer_ensemble.models import device  # noqa: F401 - an unknown KERAS_BACKEND, a broken installation

    if settings.pretrained:
        from fer_ensemble.training.pretrained import find_pretrained

        find_pretrained(settings)
    if settings.extra_data:
        split_inputs(settings.extra_data)


def _remove(folder, *names):
    for name in names:
        (folder / name).unlink(missing_ok=True)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of Python, TensorFlow, JAX or PyTorch says that memory does not suffice."""
    names = ("ResourceExhaustedError", "OutOfMemoryError")
    return isinstance(error, MemoryError) or type(error).__name__ in names or "RESOURCE_EXHAUSTED" in str(error)


def advise_smaller_batches(settings: TrainingSettings, and_more: str = "") -> str:
    """Says what to give when memory does not suffice; `and_more` goes behind the smaller batch size."""
    return (
        f"too little memory for --batch_size={settings.batch_size}. Give --batch_size="
        f"{max(2, settings.batch_size // 2)}{and_more}, or less --width. "
        "Where members share a device, --workers_per_gpu=1 leaves more to each."
    )


def _describe_start(saved, epochs):
    # Keras takes seconds to start: others should know by then who trains this member.
    done = len(saved["history"]) if saved else 0
    return {"epoch": done, "epochs": epochs, "images_per_second": None, "seconds_left": None}


def _describe_versions():
    import h5py
    import keras

    backend = keras.backend.backend()
    return {
        "fer_ensemble": __version__,
        "python": sys.version.split()[0],
        "keras": keras.__version__,
        "backend": backend,
        backend: sys.modules[backend].__version__,
        "numpy": np.__version__,
        "h5py": h5py.__version__,
    }


def _now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
