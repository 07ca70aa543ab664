"""What a card says: measured figures, and the words of `fer_ensemble.export.card_words`."""

import numpy as np

from fer_ensemble import __version__
from fer_ensemble.data.copies import find_copies
from fer_ensemble.data.dataset import PUBLIC_TEST, SPLITS, TRAINING, UNLABELLED, Dataset
from fer_ensemble.evaluation.network_scores import describe_network
from fer_ensemble.export import card_words
from fer_ensemble.export.source import Source
from fer_ensemble.scoring.calibration import calibration_bins, calibration_error, fit_calibration
from fer_ensemble.scoring.metrics import score, wilson_interval

PUBLIC = SPLITS[PUBLIC_TEST]
_SCORES = ("images", "accuracy", "interval", "top2", "balanced_accuracy", "macro_f1", "log_loss", "brier")


def make_card(source: Source, dataset: Dataset, probabilities: np.ndarray, file: dict, latency: dict) -> dict:
    """Makes the card of a single network.

    Args:
        source: `fer_ensemble.export.source.Source` of one network.
        dataset: `Dataset` with labels in PublicTest.
        probabilities: float32, shape `(images, classes)`: what the exported file says of PublicTest.
        file: Dictionary of `name`, `quantize`, `bytes` and `sha256` of the exported file.
        latency: Dictionary of `one` and `each_of_64` (milliseconds per face), `runtime`, `threads`, `processor`.

    Returns:
        Dictionary that JSON can hold; `fer_ensemble.classifier.shipped_card.format_card` writes it for people.
    """
    tested, facts = dataset.split(PUBLIC_TEST), source.facts
    labelled = dataset.labels[tested] != UNLABELLED
    tested, probabilities = tested[labelled], probabilities[labelled]
    labels = dataset.labels[tested].astype(np.int64)
    class_names, provenance = facts["class_names"], facts["provenance"]
    described = describe_network(probabilities, labels, class_names, facts["unsure_below"])
    groups = find_copies(dataset.images)
    copies = np.isin(groups[tested], groups[dataset.split(TRAINING)])
    settings = provenance.get("settings", {})
    return {
        "format_version": 1,
        "title": "The network that ships with fer_ensemble",
        "summary": (
            "A small convolutional network that tells the expression of one face, a grey picture of 48x48 pixels, "
            f"as probabilities of {len(class_names)} classes: {', '.join(class_names)}."
            + (" It averages what it says of the face and of its mirror image." if source.views == "flip" else "")
        ),
        "version": __version__,
        "architecture": {key: settings.get(key) for key in ("model", "width", "input_size")},
        "parameters": int(source.models[0].count_params()),
        "file": file,
        "source_sha256": facts["source_sha256"],
        "class_names": class_names,
        "scores": {
            "split": PUBLIC,
            **{key: described[key] for key in _SCORES},
            "without_copies": score(probabilities, labels, ~copies),
        },
        "classes": [
            _with_interval(one, described["confusion"][label][label])
            for label, one in enumerate(described["classes"])
        ],
        "confusion": described["confusion"],
        "calibration": {
            **{key: described["calibration"][key] for key in ("ece", "adaptive_ece", "chance_ece")},
            **facts["calibration"],
            **_describe_calibration(source, dataset.images[tested], labels),
        },
        "unsure": {
            "below": facts["unsure_below"],
            "share": described["risk"]["unsure"],
            "sure_accuracy": described["risk"]["sure_accuracy"],
            "aurc": described["risk"]["aurc"],
        },
        "latency": latency,
        "trained_on": describe_training(provenance, dataset),
        "label_noise": card_words.LABEL_NOISE,
        "not_tested": list(card_words.NOT_TESTED),
        "intended_use": list(card_words.INTENDED_USE),
        "misuse": list(card_words.MISUSE),
        "terms": list(card_words.TERMS),
        "provenance": provenance,
    }


def describe_training(provenance: dict, dataset: Dataset) -> str:
    """Says in a few sentences what a member was trained on."""
    settings = provenance["settings"]
    labelled = int((dataset.labels[dataset.split(TRAINING)] != UNLABELLED).sum())
    if settings["fold"] is not None:
        part = f"FER2013's Training without the images of fold {settings['fold']}"
    elif settings.get("holdout"):
        part = f"{100 * (1 - settings['holdout']):.0f} % of FER2013's Training"
    else:
        part = f"all {labelled:,} labelled images of FER2013's Training"
    start = "weights that were trained before" if settings.get("pretrained") else "random weights"
    if settings.get("pretrained_share"):
        start += f", of which it keeps {100 * settings['pretrained_share']:.0f} %"
    text = (
        f"On {part}, on no image of PublicTest or PrivateTest, for {settings['epochs']} epochs from {start}. "
        "Some test images have exact copies in Training; `scores.without_copies` in `card.json` leaves them out."
    )
    if settings.get("teacher"):
        share = settings["teacher_share"]
        text += (
            f" Its targets were to {100 * (1 - share):.0f} % the label, and to {100 * share:.0f} % what an "
            f"ensemble says of the image, "
            "asked of those of its members only that had not seen it."
        )
    if settings.get("extra_data"):
        extra = provenance["extra_data"]
        name = extra["name"].removesuffix(".h5")  # which it was converted to
        text += f" It learnt {extra['images']:,} further images by their labels, those of `{name}`."
    return text


def _with_interval(described, right):
    interval = list(wilson_interval(right, described["images"])) if described["images"] else None
    return {**described, "recall_interval": interval}


def _describe_calibration(source, faces, labels):
    """Says what the temperature was chosen on, and what halves of PublicTest say of it, if that is where."""
    chosen_on = source.facts["provenance"]["calibrated_on"]
    if chosen_on != PUBLIC:
        return {"chosen_on": chosen_on, "note": f"The temperature was chosen on {chosen_on}."}
    plain = source.average(faces)
    half = np.random.default_rng(0).permutation(len(labels)) % 2
    crossed = np.empty(plain.shape)
    for this in (0, 1):
        fitted = fit_calibration(plain[half != this], labels[half != this])
        crossed[half == this] = fitted.apply(plain[half == this])
    error = calibration_error(calibration_bins(crossed, labels))
    note = (
        f"{card_words.ON_PUBLIC} Chosen on one half of it and measured on the other, both ways, the error is "
        f"{100 * error:.2f} %, in float32."
    )
    return {"chosen_on": PUBLIC, "cross_fitted_ece": error, "note": note}
