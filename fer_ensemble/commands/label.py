"""Finds the faces in pictures and videos, and names their expressions.

A face's probabilities are calibrated and sum to 1; "unsure" marks an answer whose probability is low. That there
is no face is an answer, too. Nothing is sent anywhere.

Examples:

  fer-ensemble label party.jpg                          a table
  fer-ensemble label holidays/ --csv=faces.csv          a row for each face; the same command goes on after a stop
  fer-ensemble label *.jpg --annotate=seen/ --crops=faces/
  fer-ensemble label party.jpg --explain=why/           what in each face spoke for its expression
  find . -name '*.jpg' | fer-ensemble label - --jsonl=faces.jsonl
  fer-ensemble label me.jpg --json                      for programs
  fer-ensemble label face_48x48.png --faces=whole       a picture that is one face
  fer-ensemble label clip.mp4 --csv=faces.csv --annotate=seen/ --report=seen/    pip install 'fer-ensemble[video]'
  fer-ensemble label party.jpg --model=experiments/     an ensemble, or any .onnx file of fer-ensemble export
"""

import dataclasses
import pathlib

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.setting_fields import check_settings, setting
from fer_ensemble.commands import edge


@dataclasses.dataclass(frozen=True)
class LabelOptions:
    """What `fer-ensemble label` is told; each field is a flag."""

    model: str = setting(
        "", "The network: an .onnx or .keras file, or the folder of an ensemble; empty: the one that ships."
    )
    csv: str = setting("", "CSV file for all that is found. If it is there, the command goes on where it stopped.")
    jsonl: str = setting("", "JSON lines file for all that is found, a line for each face; goes on as --csv does.")
    overwrite: bool = setting(False, "Begin --csv and --jsonl anew.")
    json: bool = setting(False, "Print JSON instead of a table.")
    annotate: str = setting("", "Folder for the pictures and videos with boxes and labels drawn into them.")
    crops: str = setting("", "Folder for the faces, 48x48, in a folder for each expression.")
    explain: str = setting(
        "",
        "Folder for an explanation of each face of a picture: red what spoke for the expression, blue against it.",
    )
    report: str = setting("", "Folder for a page on each video: expressions over time.")
    faces: str = setting(
        "detect",
        "detect: search for faces; whole: each picture is one face that fills it.",
        choices=("detect", "whole"),
    )
    boxes: str = setting(
        "", "CSV file with the columns file, left, top, width, height: where the faces are, in pixels."
    )
    unsure_below: float = setting(
        None, "Probability below which an answer is unsure. By default the network's own."
    )
    detection_size: int = setting(
        640, "Longest side of a picture while it is searched. Larger finds smaller faces, as in crowds; slower."
    )
    least_score: float = setting(0.6, "Faces that the detector is less sure of are left out, 0 to 1.")
    every: str = setting("0.2", "How often a video is looked at: 0.2 or 2s, seconds; 5, frames.")
    smooth: float = setting(0.0, "Seconds over which a video's probabilities are smoothed; 0: not.", least=0)
    batch_size: int = setting(64, "Faces that are classified at once.", least=1)
    threads: int = setting(0, "Threads to work with; 0: as many as there are cores.", least=0, most=1024)

    def __post_init__(self):
        from fer_ensemble.faces.video import Every

        check_settings(self)
        Every.parse(self.every)
        if self.faces == "whole" and self.boxes:
            raise UserError(
                "`boxes` are for pictures that are not `faces` as a whole. Received both. Leave one out."
            )
        for one, other, kind in (("csv", "jsonl", "files"), ("crops", "explain", "folders")):
            paths = [getattr(self, name) for name in (one, other)]
            if all(paths) and len({pathlib.Path(path).resolve() for path in paths}) == 1:
                raise UserError(f"`{one}` and `{other}` must be two {kind}. Received: {paths[0]} for both.")


def define_flags() -> None:
    """Defines the flags of this command."""
    edge.define_flags(LabelOptions)


def main(arguments: list[str]) -> int:
    """Labels what the arguments name."""
    options = edge.settings_from_flags(LabelOptions)
    from fer_ensemble.commands.label_run import label

    return label(arguments, options)
