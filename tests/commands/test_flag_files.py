import pathlib
import textwrap

import numpy as np
import pytest

from fer_ensemble.data.contents import make_dataset
from fer_ensemble.data.dataset import VOTE_NAMES
from fer_ensemble.data.store import load_dataset, write_dataset

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FLAG_FILES = sorted(
    path.relative_to(REPOSITORY)
    for path in [*(REPOSITORY / "experiments").rglob("*.flags"), *(REPOSITORY / "fer_ensemble").rglob("*.flags")]
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The bundled sample with votes."""
    sample = load_dataset(REPOSITORY / "fer_ensemble" / "assets" / "sample.csv.gz", keep=False)
    votes = np.full((len(sample.images), len(VOTE_NAMES)), 1, np.uint8)
    path = tmp_path_factory.mktemp("data") / "votes.h5"
    parts = (sample.images, sample.labels, sample.usage, sample.rows, sample.class_names)
    write_dataset(make_dataset(*parts, votes), path)
    return path


@pytest.mark.parametrize("path", FLAG_FILES, ids=lambda path: path.stem)
def test_both_commands_take_every_flag_file(python, tmp_path, path, data):
    # The data are what is missing: everything before them is in order.
    one = python("model_train.py", f"--flagfile={path}", "--data=missing.csv", f"--experiments={tmp_path}")
    assert one.returncode == 1 and "missing.csv" in one.stderr, one.stderr
    flags = [f"--flagfile={path}", f"--data={data}", f"--experiments={tmp_path}", "--dry_run"]
    several = python("-m", "fer_ensemble.launch", *flags)
    assert several.returncode == 0, several.stderr
    model = [line for line in path.read_text().splitlines() if line.startswith("--model=")]
    lines = [line for line in several.stdout.splitlines() if "fer_ensemble train" in line]
    assert lines and all(flag in line for flag in model for line in lines)


# absl keeps its flags in one place for the whole process: so one of its own.
ANY_FLAG_FILE = textwrap.dedent(
    """
    import contextlib, io, pathlib, sys
    from absl import flags
    from hypothesis import given, strategies as st
    from fer_ensemble.commands import edge, train
    from tests.any_bytes import few, within_memory

    path = pathlib.Path(sys.argv[1])
    train.define_flags()
    names = st.sampled_from((*flags.FLAGS, "flagfile", "no", "undefok", "help"))
    values = st.text(max_size=9) | st.integers().map(str) | st.just(str(path)) | st.just("none")
    flag = st.builds("{}{}={}".format, st.sampled_from(("--", "-", "", "--no")), names, values)
    lines = st.lists(flag | st.text(max_size=20), max_size=5).map("\\n".join)

    @few
    @given(st.binary(max_size=99) | lines.map(lambda text: text.encode("utf-8", "replace")))
    def check(content):
        path.write_bytes(content)
        flags.FLAGS.unparse_flags()
        said = io.StringIO()
        with within_memory(), contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            try:
                assert edge._parse_flags(["tool", f"--flagfile={path}"]) is not None
                edge.settings_from_flags(train.TrainingSettings)
            except edge.UserError:
                return
            except SystemExit as ended:
                assert ended.code in (0, 1)
                assert b"help" in content or said.getvalue().count("\\n") == 1, said.getvalue()

    check()
    """
)


def test_whatever_a_flag_file_holds_it_is_flags_or_one_line(python, tmp_path):
    result = python("-c", ANY_FLAG_FILE, tmp_path / "any.flags")
    assert result.returncode == 0, result.stderr
