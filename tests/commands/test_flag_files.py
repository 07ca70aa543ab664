import pathlib

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FLAG_FILES = sorted(
    path.relative_to(REPOSITORY)
    for path in [*(REPOSITORY / "experiments").rglob("*.flags"), *(REPOSITORY / "fer_ensemble").rglob("*.flags")]
)


@pytest.mark.parametrize("path", FLAG_FILES, ids=lambda path: path.stem)
def test_both_commands_take_every_flag_file(python, tmp_path, path):
    # The data are what is missing: everything before them is in order.
    one = python("model_train.py", f"--flagfile={path}", "--data=missing.csv", f"--experiments={tmp_path}")
    assert one.returncode == 1 and "missing.csv" in one.stderr, one.stderr
    several = python("-m", "fer_ensemble.launch", f"--flagfile={path}", f"--experiments={tmp_path}", "--dry_run")
    assert several.returncode == 0, several.stderr
    model = [line for line in path.read_text().splitlines() if line.startswith("--model=")]
    lines = [line for line in several.stdout.splitlines() if "fer_ensemble train" in line]
    assert lines and all(flag in line for flag in model for line in lines)
