"""The card of a network, as people read it: what it can do, what nobody tested, what it is not for."""

import json
import os
import pathlib

from fer_ensemble.base.words import percent, percent_interval

CARD_JSON = "card.json"
CARD_TEXT = "card.md"


def read_card(folder: str | os.PathLike) -> dict | None:
    """Reads the card in the folder of a network; None where there is none."""
    path = pathlib.Path(folder) / CARD_JSON
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def format_card(card: dict) -> str:
    """Writes a card as Markdown.

    Args:
        card: Dictionary, as `fer_ensemble.export.card.make_card` makes it.

    Returns:
        Text with headings, lists and one table.
    """
    scores, latency = card["scores"], card["latency"]
    calibration, unsure = card["calibration"], card["unsure"]
    lines = [
        f"# {card['title']}",
        card["summary"],
        "## How good it is",
        f"On the {scores['images']:,} images of FER2013's {scores['split']}: **{percent(scores['accuracy'])}** "
        f"right (95 % interval {percent_interval(scores['interval'])}); among the two most probable classes "
        f"{percent(scores['top2'])}; mean recall of the classes {percent(scores['balanced_accuracy'])}; log-loss "
        f"{scores['log_loss']:.3f}.",
        _format_classes(card["classes"]),
        "## What its probabilities mean",
        f"Expected calibration error {percent(calibration['ece'])}; perfect probabilities would show "
        f"{percent(calibration['chance_ece'])} on so many images. {calibration['note']}",
        f"An answer below {unsure['below']:.3f} is called unsure: {percent(unsure['share'])} of these images are, "
        f"and of the others {percent(unsure['sure_accuracy'])} are right.",
        "## What the labels are worth",
        card["label_noise"],
        "## What it was trained on",
        card["trained_on"],
        "## Size and speed",
        f"{card['parameters']:,} parameters; `{card['file']['name']}`, {card['file']['quantize']}, has "
        f"{card['file']['bytes'] / 1e6:.2f} MB. "
        f"{latency['one']:.1f} ms for one face, {latency['each_of_64']:.1f} ms for each of 64, in "
        f"{latency['runtime']} with {latency['threads']} thread on {latency['processor']}.",
        "## What was not tested",
        _format_list(card["not_tested"]),
        "## What it is for",
        _format_list(card["intended_use"]),
        "## What it is not for",
        _format_list(card["misuse"]),
        "## Terms",
        _format_list(card["terms"]),
    ]
    return "\n\n".join(lines) + "\n"


def _format_classes(classes):
    rows = ["| class | images | recall | 95 % interval | precision |", "| --- | --- | --- | --- | --- |"]
    for one in classes:
        rows.append(
            f"| {one['name']} | {one['images']:,} | {percent(one['recall'])} | "
            f"{percent_interval(one['recall_interval'])} | {percent(one['precision'])} |"
        )
    return "\n".join(rows)


def _format_list(items):
    return "\n".join(f"- {item}" for item in items)
