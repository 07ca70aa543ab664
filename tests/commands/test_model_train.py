"""What model_train.py refuses, before it imports Keras; what it trains is in tests/training/test_member.py."""

import h5py
import pytest


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--fold=4"], "`fold` must be 0..3, two of these such as 0,1, or none. Received: 4."),
        (["--fold=some"], "--fold=some"),
        (["--fold=2", "--holdout=0.2"], "`holdout` must be 0 beside a fold, which is held out already."),
        (["--fold=none", "--schedule=plateau"], "`schedule` plateau needs held-out images"),
        (["--clip_norm=1", "--clip_value=1"], "`clip_norm` or `clip_value` must be 0"),
        (["--model=vgg"], "should be one of <cnn|resnet|resnet9|"),
        (["--learning_rate=-0.1"], "`learning_rate` must be at least 0. Received: -0.1."),
        (["--learning_rate=0"], "`learning_rate` must be above 0."),
        (["--learning_rate=nan"], "`learning_rate` must be a finite number."),
        (["--epochs=many"], "--epochs=many"),
        (["--learning_rte=0.1"], "Unknown command line flag 'learning_rte'"),
        (["--flagfile={folder}/none.flags"], "none.flags"),
        (["--data={folder}/none.csv"], "none.csv does not exist"),
        (["--data={folder}/other.h5"], "expected an HDF5 file of the format"),
        (["--data={folder}/text.csv"], "expected a CSV with the columns emotion,pixels,Usage"),
        (["--classes=angry,joyful"], "joyful"),
        (["--experiments={folder}/text.csv"], "Not a directory"),
        (["data.csv"], "takes flags only"),
    ],
)
def test_bad_input_gets_one_line(run_command, tmp_path, flags, message):
    (tmp_path / "text.csv").write_text("no,face\n1,2\n")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = [1, 2, 3]
    answer = run_command(
        "model_train.py", f"--experiments={tmp_path}", *(flag.format(folder=tmp_path) for flag in flags)
    )
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    assert message in answer.stderr
    assert answer.stdout == ""


def test_help_teaches(run_command):
    answer = run_command("model_train.py", "--help")
    assert answer.returncode == 0
    assert "Examples:" in answer.stdout
    assert "--label_smoothing: Share of each label spread evenly over all classes." in answer.stdout
