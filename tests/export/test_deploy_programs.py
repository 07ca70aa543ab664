"""The programs of docs/deploy.md are run as they stand there, and give what `load().predict` gives."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fer_ensemble.classifier.classifier import load
from fer_ensemble.data.dataset import CLASS_NAMES
from fer_ensemble.data.drawn_faces import draw_face

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).parents[2]
NETWORK = ROOT / "fer_ensemble" / "assets" / "network.onnx"
RUNTIME = "onnxruntime-web@1.30.0"
RUN = """
import { readFileSync } from "node:fs";
import { load } from "./expressions.mjs";
const facts = JSON.parse(readFileSync("network.json", "utf8"));
const predict = await load(new Uint8Array(readFileSync("network.onnx")), facts);
console.log(JSON.stringify(await predict(new Uint8Array(readFileSync("faces.bin")))));
"""


@pytest.fixture(scope="module")
def classifier():
    return load(NETWORK)


@pytest.fixture(scope="module")
def faces():
    random = np.random.default_rng(0)
    return np.stack([draw_face(name, random) for name in CLASS_NAMES])


def read_program(language, beginning):
    """Returns the program of docs/deploy.md in that language that begins with these words."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    programs = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return next(program for program in programs if program.startswith(beginning))


def check_answers(answers, faces, classifier):
    expected = classifier.predict(faces)
    np.testing.assert_allclose([one["probabilities"] for one in answers], expected, atol=1e-4)
    for one, row in zip(answers, expected, strict=True):
        sure = row.max() >= classifier.unsure_below
        assert one["answer"] == (classifier.class_names[row.argmax()] if sure else "unsure")


def test_the_python_program_gives_the_same_probabilities(classifier, faces, tmp_path):
    (tmp_path / "label_faces.py").write_text(read_program("python", '"""python label_faces.py'))
    for number, face in enumerate(faces):
        Image.fromarray(face).save(tmp_path / f"{number}.png")
    names = [f"{number}.png" for number in range(len(faces))]
    printed = subprocess.run(
        [sys.executable, "label_faces.py", NETWORK, *names],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=1800,
    ).stdout  # fmt: skip
    answers = [json.loads(line) for line in printed.splitlines()]
    assert [one["file"] for one in answers] == names
    check_answers(answers, faces, classifier)


def test_the_javascript_program_gives_the_same_probabilities(classifier, faces, tmp_path):
    install_runtime(tmp_path)
    (tmp_path / "expressions.mjs").write_text(read_program("js", "// expressions.mjs"))
    (tmp_path / "run.mjs").write_text(RUN)
    (tmp_path / "network.json").write_text(json.dumps(classifier.about))
    (tmp_path / "faces.bin").write_bytes(faces.tobytes())
    shutil.copy(NETWORK, tmp_path / "network.onnx")
    printed = subprocess.run(
        ["node", "run.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=1800
    ).stdout
    check_answers(json.loads(printed), faces, classifier)


def install_runtime(folder):
    """Puts onnxruntime-web where Node finds it: that of ONNXRUNTIME_WEB, a node_modules folder, or by npm."""
    if not shutil.which("node"):
        pytest.skip("Node is not installed (Debian: apt install nodejs)")
    if os.environ.get("ONNXRUNTIME_WEB"):
        (folder / "node_modules").symlink_to(os.environ["ONNXRUNTIME_WEB"])
        return
    if not shutil.which("npm"):
        pytest.skip(
            "npm, which fetches onnxruntime-web, is not installed; or name a node_modules in ONNXRUNTIME_WEB"
        )
    installed = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", RUNTIME],
        cwd=folder, capture_output=True, text=True, timeout=1800,
    )  # fmt: skip
    if installed.returncode != 0:
        pytest.skip(f"{RUNTIME} cannot be fetched here: {installed.stderr.strip()[-200:]}")
