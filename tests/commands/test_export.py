"""`fer-ensemble export` and `fer-ensemble about` as they are typed."""

import json
import pathlib
import re
import shutil

import pytest

ASSETS = pathlib.Path(__file__).parents[2] / "fer_ensemble" / "assets"


@pytest.fixture
def verb(python):
    return lambda *arguments, **environment: python("-m", "fer_ensemble", *arguments, **environment)


def test_a_member_is_exported_and_the_file_told_about(verb, tiny_member, tmp_path):
    pytest.importorskip("tf2onnx")
    output = tmp_path / "out" / "network.onnx"
    answer = verb("export", tiny_member, f"--output={output}")
    assert answer.returncode == 0, answer.stderr
    compared, written = answer.stdout.splitlines()
    assert compared.startswith("500 faces: largest difference of a probability ")
    assert compared.endswith("0 decisions changed")
    assert written.startswith(f"written: {output}, 0.")
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    facts = json.loads(verb("about", output, "--json").stdout)
    assert facts["class_names"] == ["happy", "surprise", "neutral"]
    assert "class_names: happy, surprise, neutral" in verb("about", output).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["export"],
            "expected one MODEL: shipped, the folder of a member, or that of an ensemble. Received: none.",
        ),
        (["export", "nowhere"], "There is no folder nowhere to export."),
        (["export", "shipped", "--asset"], "`asset` needs --data"),
        (["export", "shipped", "--format=tflite"], "--format=tflite"),
        (["about", "a", "b"], "takes one MODEL, or none. Received: a b"),
        (["about", "nowhere.onnx"], "nowhere.onnx"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(arguments, message, verb):
    pytest.importorskip("tf2onnx")
    answer = verb(*arguments)
    assert answer.returncode == 1
    # The tests' own TensorFlow may have told this process to show its messages, which then come first.
    assert message in answer.stderr.splitlines()[-1] and "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "There is no folder nowhere to export."),
        (["nowhere", "--tta=flip"], "There is no folder nowhere to export."),
        (["nowhere", "--asset"], "nowhere/member.json"),
        (["nowhere", "--asset", "--quantize=float16"], "Received: --format=onnx --quantize=float16."),
        (["shipped", "--output=network.txt"], "`output` must end in .onnx for onnx."),
        (["shipped", "--quantize=int8_weights"], "`quantize` must be among none, float16, int8 for onnx."),
    ],
)
def test_what_is_wrong_is_told_before_data_are_read_or_keras_is_imported(arguments, message, python, tmp_path):
    pytest.importorskip("tf2onnx")
    data = pathlib.Path(shutil.copy(ASSETS / "sample.csv.gz", tmp_path))
    answer = python("-X", "importtime", "-m", "fer_ensemble", "export", *arguments, f"--data={data}")
    assert answer.returncode == 1 and message in answer.stderr.splitlines()[-1]
    imported = set(re.findall(r"\| +(\w+)$", answer.stderr, re.MULTILINE))
    assert "numpy" in imported and not imported & {"keras", "tensorflow"}
    assert list(tmp_path.iterdir()) == [data]  # not converted


def test_on_jax_alone_export_says_what_it_takes(verb):
    answer = verb("export", "shipped", KERAS_BACKEND="jax")
    assert answer.returncode == 1
    assert "Networks are exported by TensorFlow. Received: KERAS_BACKEND=jax." in answer.stderr


def test_about_prints_the_card_for_people_and_for_programs(verb):
    text = verb("about").stdout
    assert text.startswith((ASSETS / "card.md").read_text(encoding="utf-8"))
    assert "# What is installed here" in text
    facts = json.loads(verb("about", "--json").stdout)
    assert facts["card"] == json.loads((ASSETS / "card.json").read_text(encoding="utf-8"))
    assert facts["packages"]["base"]["numpy"]
