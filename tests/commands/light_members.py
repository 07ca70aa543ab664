"""Finished members of random predictions, written in no time, and predict.py on them."""

import hashlib
import json

import numpy as np
import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands.predict import report_ensemble
from fer_ensemble.commands.predict_options import PredictOptions
from fer_ensemble.members import directory
from fer_ensemble.members.predictions import Predictions, write_predictions
from fer_ensemble.training.settings import TrainingSettings
from tests.member_records import make_record

CLASSES = ("happy", "sad", "neutral")
RUNS = ("cnn_0", "resnet_0")
ALL_RUNS = ",".join(RUNS)
IMAGES = 40  # held out by each fold; as many in each test split
FINGERPRINT = hashlib.sha256(b"data").hexdigest()
HISTORY = "epoch,loss,accuracy,val_loss,val_accuracy\n1,1.5,0.4,1.4,0.5\n2,1.2,0.5,,\n"
ALL_LABELS = np.random.default_rng(0).integers(0, 3, 6 * IMAGES).astype(np.int8)


def make_part(generator, rows, skill=1.0):
    """Predictions of some images by a network that knows something of their labels."""
    labels = ALL_LABELS[rows]
    logits = generator.normal(0, 1, (len(rows), 3)) + skill * np.eye(3)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(rows, labels, np.zeros(len(rows), bool), probabilities.astype(np.float32))


def make_member(folder, fold, run, **settings):
    """Writes one finished member, and returns its folder."""
    generator = np.random.default_rng([int(run[-1]), fold, len(run)])
    model, replica = run.rsplit("_", 1)
    member = directory.member_folder(folder, fold, run)
    member.mkdir(parents=True)
    rows = np.arange(6 * IMAGES).reshape(6, IMAGES)
    parts = {"oof": rows[fold], "PublicTest": rows[4], "PrivateTest": rows[5]}
    parts = {name: make_part(generator, chosen) for name, chosen in parts.items()}
    write_predictions(member / directory.PREDICTIONS, parts, FINGERPRINT)
    (member / directory.MODEL).write_bytes(f"{run}, {fold}".encode())
    (member / directory.HISTORY).write_text(HISTORY)
    chosen = TrainingSettings(model=model, replica=int(replica), fold=fold)
    data = {"name": "faces.h5", "images": 6 * IMAGES, "fingerprint": FINGERPRINT}
    record = make_record(chosen, CLASSES, data)
    record["settings"].update(settings)  # unchecked
    directory.write_record(member, record, [directory.MODEL, directory.PREDICTIONS, directory.HISTORY])
    return member


def make_ensemble(folder):
    """Writes all members, and returns the folder."""
    for run in RUNS:
        for fold in range(4):
            make_member(folder, fold, run)
    return folder


def change_record(member, **changes):
    """Changes fields of a member's record; `None` takes one away."""
    path = member / directory.RECORD
    record = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: value for name, value in record.items() if value is not None}))


def seal(member):
    """Makes a member's files, whatever became of them, those that its record names."""
    record = json.loads((member / directory.RECORD).read_text())
    names = record.pop("files")
    directory.write_record(member, record, names)


def predict(folder, **options):
    report_ensemble(PredictOptions(ensemble=str(folder), **{"runs": ALL_RUNS, **options}))


def list_files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def expect_one_line(folder, message, member, **options):
    """Asks for the scores of an ensemble, and is told what is wrong before anything is written."""
    before = list_files(folder)
    with pytest.raises(UserError) as told:
        predict(folder, **options)
    assert message in str(told.value) and member in str(told.value)
    assert len(str(told.value)) < 900
    assert list_files(folder) == before
