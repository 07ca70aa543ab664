import os
import pathlib
import subprocess
import sys

import pytest

from fer_ensemble.base.errors import UserError
from fer_ensemble.launch import slurm
from fer_ensemble.launch.plan import plan_members
from fer_ensemble.launch.slurm import BatchJob, parse_queue, read_request, split_arguments
from fer_ensemble.launch.submission import array_name, make_array, make_prediction, task_number
from fer_ensemble.training.settings import TrainingSettings
from fer_ensemble.training.training_options import TrainingOptions

REPOSITORY = pathlib.Path(__file__).parents[2]
OURS = {"data", "epochs", "dry_run"}


@pytest.fixture
def options(tmp_path):
    return TrainingOptions(data="own.csv", experiments=str(tmp_path / "my experiments"), overwrite=True)


def make_job(options, *flags):
    members = plan_members([("cnn", 0), ("resnet", 1)], [0, 3], TrainingSettings(epochs=7), options)
    return make_array(members, options, read_request(["--slurm", *flags], OURS))


def bash(script, **environment):
    return subprocess.run(
        ["bash", "-s"],
        input=script,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=1800,
    )


def defaults(job):
    return [line.removeprefix("#SBATCH ") for line in job.script.splitlines() if line.startswith("#SBATCH")]


def test_flags_from_slurm_to_the_dashes_are_those_of_sbatch():
    command = ["--slurm", "--partition=gpu", "-t", "60", "--", "--data=x.csv", "--epochs=3"]
    assert split_arguments(command) == (["--data=x.csv", "--epochs=3"], ["--slurm", "--partition=gpu", "-t", "60"])
    assert split_arguments(["--epochs=3", "--slurm=a.sh"]) == (["--epochs=3"], ["--slurm=a.sh"])
    assert split_arguments(["--data=x.csv", "--", "x"]) == (["--data=x.csv", "--", "x"], [])


def test_the_file_is_the_beginning_of_a_batch_script(tmp_path):
    file = tmp_path / "cluster.sh"
    file.write_text(
        "#!/bin/bash\n#SBATCH --account='a b' -p gpu  # ours\n#SBATCH --array=%4\n\nmodule load cuda\n"
    )
    request = read_request([f"--slurm={file}", "--mem=1G"], OURS)
    assert request.flags == ["--account=a b", "-p", "gpu", "--mem=1G"]
    assert (request.limit, request.setup) == ("%4", "module load cuda")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a folder, pipe or device"),
        (bytes(range(256)), "no text in UTF-8"),
        (b" " * 1_000_001, "1,000,001 bytes"),
        (b"#SBATCH --account='a\n", "flags of sbatch behind #SBATCH. Received: others .No closing quotation"),
    ],
    ids=["a pipe", "binary", "large", "a quotation without end"],
)
def test_a_file_that_is_no_batch_script_is_told(content, message, tmp_path):
    file = tmp_path / "cluster.sh"
    os.mkfifo(file) if content is None else file.write_bytes(content)
    with pytest.raises(UserError, match=message) as told:
        read_request([f"--slurm={file}"], OURS)
    assert str(file) in str(told.value)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("head -c 3000 /dev/urandom", "must answer with the job's number. Received: "),
        ("exec sleep 600", "sbatch has not answered within 1 seconds"),
    ],
    ids=["garbage", "nothing"],
)
def test_what_sbatch_answers_is_checked(program, message, tmp_path, monkeypatch):
    (tmp_path / "sbatch").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(slurm, "LONGEST_ANSWER", 1 if "sleep" in program else 60)
    with pytest.raises(UserError, match=message):
        BatchJob([], "#!/bin/sh\n").submit()


@pytest.mark.parametrize("flags", [["--array=%8"], ["--array", "%8"], ["-a", "%8"], ["-a%8"]])
def test_the_limit_of_the_array_is_read_in_every_spelling(flags):
    request = read_request(["--slurm", *flags, "--mem=1G"], OURS)
    assert (request.limit, request.flags) == ("%8", ["--mem=1G"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data=x.csv"], "--data is no flag of sbatch: it goes behind `--`"),
        (["--job-name=mine"], "--job-name is not to be chosen"),
        (["-Jmine"], "-Jmine is not to be chosen"),
        (["--array=0-15%4"], "`--array` must be the number of tasks .* Received: '0-15%4'"),
        (["--array"], "Received: ''"),
    ],
)
def test_flags_that_cannot_be_are_refused(flags, message):
    with pytest.raises(ValueError, match=message):
        read_request(["--slurm", *flags], OURS)


def test_every_member_of_an_ensemble_has_a_number_of_its_own():
    settings = [
        TrainingSettings(model=model, replica=replica, fold=fold)
        for model in ("cnn", "resnet")
        for replica in (0, 1)
        for fold in (0, 1, 2, 3, None)
    ]
    numbers = set(map(task_number, settings))
    assert len(numbers) == 20 and min(numbers) == 0 and max(numbers) < 1000  # SLURM's own limit is 1,001


def test_the_name_stands_for_the_folder_wherever_it_is_seen_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = array_name("a, b/quick")
    assert name == array_name(tmp_path / "a, b" / "quick")
    assert name.startswith("quick-")
    assert name != array_name("b/quick")
    assert "," not in array_name("a, b")  # squeue would take it for two names


def test_each_task_gets_the_command_of_its_member(options):
    job = make_job(options, "--array=%2")
    assert "--array=0,3,121,124%2" in job.flags
    script = job.script.replace("exec bash", "printf '%s\\n'")
    for task, model, fold, replica in (("0", "cnn", 0, 0), ("124", "resnet", 3, 1)):
        _, folder, *command = bash(script, SLURM_ARRAY_TASK_ID=task).stdout.splitlines()
        assert folder == f"{options.experiments}/exp_{fold}/{model}_{replica}"
        assert command[:4] == [sys.executable, "-m", "fer_ensemble", "train"]
        flags = {f"--model={model}", f"--fold={fold}", f"--replica={replica}", "--epochs=7", "--data=own.csv"}
        assert set(command[4:]) == {*flags, f"--experiments={options.experiments}"}  # and no --overwrite


def test_flags_go_before_the_defaults_that_they_contradict(options):
    assert {"--requeue", "--cpus-per-task=2", "--mem=8G"} < set(defaults(make_job(options)))
    job = make_job(options, "--mem-per-cpu=2G", "-c", "2", "--time=60")
    assert {"--mem-per-cpu=2G", "-c", "2", "--time=60"} < set(job.flags)
    assert not {flag for flag in defaults(job) if flag.startswith(("--mem", "--cpus"))}


def test_the_prediction_waits_for_the_arrays_however_they_end(options):
    request = read_request(["--slurm", "--partition=gpu", "--array=%2"], OURS)
    job = make_prediction(["python", "predict.py"], ["12", "14"], options, request)
    assert {"--partition=gpu", "--dependency=afterany:12:14"} < set(job.flags)
    assert not [flag for flag in job.flags if flag.startswith("--array")]
    assert job.script.endswith("exec python predict.py\n")
    assert not [flag for flag in make_prediction([], [], options, request).flags if "dependency" in flag]


def test_a_pending_array_that_is_asked_for_by_task_is_read():
    assert parse_queue("") == {}
    assert parse_queue("12 3\n12 15\n14 0\n") == {3: "12", 15: "12", 0: "14"}


def launch(folder, *flags, path=""):
    return subprocess.run(
        [sys.executable, "-m", "fer_ensemble.launch", *flags],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PATH": path},
        capture_output=True,
        text=True,
        timeout=1800,
    )


def test_the_dry_run_needs_no_slurm_and_prints_what_bash_accepts(tmp_path):
    answer = launch(
        tmp_path, "--slurm", "--partition=gpu", "--array=%8", "--dry_run", "--", "--data=data/sample.csv.gz"
    )
    assert answer.returncode == 0, answer.stderr
    warning, head, jobs = answer.stdout.split("\n", 2)
    assert warning == "SLURM's queue cannot be asked here: all unfinished members are shown"
    assert head == "experiments: 0 of 16 members complete, 0 in SLURM's queue, 16 to submit"
    assert list(tmp_path.iterdir()) == []
    # A function in sbatch's place is given what sbatch would be.
    given = bash('sbatch() { printf "<%s>" "$@"; cat >/dev/null; }\n' + jobs).stdout
    assert f"<--output={tmp_path}/experiments/slurm/%A_%a.log><--partition=gpu><--array=0,1,2,3,11,12," in given
    assert given.count("<--partition=gpu>") == 2


def test_without_slurm_it_says_so_in_one_line(tmp_path):
    answer = launch(tmp_path, "--slurm", "--", f"--data={REPOSITORY / 'data' / 'sample.csv.gz'}")
    assert answer.returncode == 1
    assert "SLURM's squeue must be on the PATH for --slurm, but is not" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def run_task(tmp_path):
    """Returns a function that runs the script of a task, whose command is bash.

    `scontrol` and `srun` only note how they were called, and srun runs its command; tests/slurm has the real ones.
    """
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "scontrol").write_text(f'#!/bin/bash\necho "scontrol $*" >>{tmp_path}/called\n')
    (programs / "srun").write_text(
        f'#!/bin/bash\necho "srun $*" >>{tmp_path}/called\nwhile [[ $1 == --* ]]; do shift; done\n"$@"\n'
    )
    for program in programs.iterdir():
        program.chmod(0o755)

    def run(command, **variables):
        answer = subprocess.run(
            ["bash", REPOSITORY / "fer_ensemble/launch/slurm_task.sh", tmp_path / "member", "bash", "-c", command],
            env={
                "PATH": f"{programs}:{os.environ['PATH']}", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3",
                "SLURM_CPUS_PER_TASK": "5", **variables,
            },
            timeout=1800,
        )  # fmt: skip
        return answer.returncode, (tmp_path / "called").read_text()

    return run


@pytest.mark.parametrize(
    ("command", "code", "requeued"),
    [
        ("exit 0", 0, False),
        ("exit 1", 1, False),
        ("exit 75", 0, True),  # another process holds the member
        ("exit 143", 0, True),
        ("touch {member}/state.npz; exit 138", 0, True),
        ("mkdir {member}/new; touch {member}/new/state.npz; exit 138", 0, True),  # a complete one, trained afresh
        ("exit 138", 138, False),  # it would go on for ever: no progress between its start and its time limit
    ],
)
def test_a_task_is_requeued_when_it_has_to_go_on_later(run_task, tmp_path, command, code, requeued):
    answer, called = run_task(command.format(member=tmp_path / "member"))
    assert answer == code
    assert ("scontrol requeue 12_3" in called) == requeued


@pytest.mark.parametrize("program", ["scontrol", "srun"])
def test_a_controller_that_is_away_is_asked_again(run_task, tmp_path, program):
    path = tmp_path / "programs" / program
    script = path.read_text()
    away = f"[[ -e {tmp_path}/away ]] || {{ touch {tmp_path}/away; exit 1; }}"
    path.write_text(script.replace("\n", f"\n{away}\n", 1))
    shorten_pauses(tmp_path)
    code, called = run_task(f"echo began >>{tmp_path}/began; exit 143")
    assert code == 0
    assert called.count("srun") == called.count("scontrol requeue 12_3") == 1
    assert (tmp_path / "began").read_text() == "began\n"


def test_a_task_that_cannot_begin_fails_with_its_error(run_task, tmp_path):
    srun = tmp_path / "programs" / "srun"
    srun.write_text(srun.read_text().replace('"$@"', 'echo "srun: error: no" >&2; exit 4'))
    shorten_pauses(tmp_path)
    code, called = run_task(f"touch {tmp_path}/began", TMPDIR=str(tmp_path / "programs"))
    assert code == 4
    assert called.count("srun") == 4
    assert "scontrol" not in called
    assert (tmp_path / "member" / "train.log").read_text().count("srun: error: no") == 4
    assert not (tmp_path / "began").exists()
    assert {path.name for path in srun.parent.iterdir()} == {"scontrol", "srun", "sleep"}  # nothing is left behind


def shorten_pauses(tmp_path):
    sleep = tmp_path / "programs" / "sleep"
    sleep.write_text("#!/bin/bash\n")
    sleep.chmod(0o755)


def test_a_task_says_where_it_runs(run_task, tmp_path):
    run_task("exit 0", SLURMD_NODENAME="node7", SLURM_JOB_GPUS="2")
    assert "SLURM task 12_3 on node7, GPU 2: bash -c" in (tmp_path / "member" / "train.log").read_text()


def test_a_task_starts_as_many_threads_as_it_has_processors(run_task, tmp_path):
    _, called = run_task("echo threads: $OMP_NUM_THREADS $TF_NUM_INTRAOP_THREADS")
    assert "--cpus-per-task=5" in called
    assert "threads: 5 5" in (tmp_path / "member" / "train.log").read_text()
