"""A small ensemble of real networks that nobody trained: 2 runs of 4 folds, with all that training leaves."""

import shutil

import numpy as np
import pytest

from fer_ensemble.data.dataset import PRIVATE_TEST, PUBLIC_TEST, SPLITS, TRAINING
from fer_ensemble.members import directory
from fer_ensemble.members.predictions import predict_parts, write_predictions

COLUMNS = "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,images_per_second,seconds"
HISTORY = f"{COLUMNS}\n1,1.5,0.4,1.4,0.5,0.1,9,2\n"


@pytest.fixture(scope="session")
def untrained(tiny_dataset, tiny_settings, tmp_path_factory):
    """The folder of the members. Copy what you change."""
    import dataclasses

    from fer_ensemble.models import add_softmax, build_model
    from fer_ensemble.models.device import keras

    folder = tmp_path_factory.mktemp("untrained")
    generator = np.random.default_rng(0)
    training = tiny_dataset.split(TRAINING)
    labelled = training[tiny_dataset.labels[training] >= 0]
    tests = {SPLITS[usage]: tiny_dataset.split(usage) for usage in (PUBLIC_TEST, PRIVATE_TEST)}
    for model in ("cnn", "resnet"):
        keras.utils.set_random_seed(1)
        settings = dataclasses.replace(tiny_settings, model=model)
        network = add_softmax(build_model(settings, len(tiny_dataset.class_names)))
        for fold in range(4):
            network.set_weights(
                [w + generator.normal(0, 0.05, w.shape).clip(-0.1, 0.1) for w in network.get_weights()]
            )
            member = directory.member_folder(folder, fold, f"{model}_0")
            member.mkdir(parents=True)
            network.save(member / directory.MODEL)
            parts = predict_parts(network, tiny_dataset, {"oof": labelled[fold::4], **tests})
            write_predictions(member / directory.PREDICTIONS, parts, tiny_dataset.fingerprint)
            (member / directory.HISTORY).write_text(HISTORY)
            record = {
                "settings": dataclasses.asdict(dataclasses.replace(settings, fold=fold)),
                "class_names": list(tiny_dataset.class_names),
                "data": {
                    "name": "tiny.h5",
                    "images": len(tiny_dataset.images),
                    "fingerprint": tiny_dataset.fingerprint,
                },
                "folds": {"folds": 4, "seed": 0, "fingerprint": "f" * 64},
                "seed": fold,
                "precision": "float32",
                "device": "a CPU",
                "versions": {"fer_ensemble": "0", "keras": keras.__version__},
                "started": "2026-01-01T00:00:00+00:00",
                "finished": "2026-01-01T00:00:02+00:00",
                "training_seconds": 2.0,
                "metrics": {"oof": 0.3, "PublicTest": 0.3},
            }
            directory.write_record(member, record, [directory.MODEL, directory.PREDICTIONS, directory.HISTORY])
    return folder


@pytest.fixture
def members_folder(untrained, tmp_path):
    """A copy of the members' folder that a test may change."""
    return shutil.copytree(untrained, tmp_path / "members")
