import pytest

from fer_ensemble.launch.workers import (
    choose_workers_per_gpu,
    cpu_environments,
    find_gpus,
    parse_memory,
    worker_environments,
)


@pytest.mark.parametrize(
    ("visible", "gpus"),
    [("0", ["0"]), ("2, 3", ["2", "3"]), ("GPU-5a1f", ["GPU-5a1f"]), ("", []), ("-1", []), ("1,-1,2", ["1"])],
)
def test_the_visible_devices_decide_as_they_do_for_cuda(monkeypatch, visible, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert find_gpus() == gpus


def test_without_nvidia_smi_there_is_no_gpu(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_gpus() == []


def test_the_workers_of_one_gpu_are_not_neighbours():
    visible = [worker["CUDA_VISIBLE_DEVICES"] for worker in worker_environments(["0", "3"], 2)]
    assert visible == ["0", "3", "0", "3"]


@pytest.mark.parametrize(
    ("workers", "cores", "memory", "threads"),
    [
        (0, 2, 20_000, ["1", "1"]),
        (0, 16, 6_200, ["8", "8"]),  # memory for two
        (0, 8, 0, [None]),  # unknown memory
        (0, 1, 20_000, [None]),
        (3, 8, 0, ["3", "3", "3"]),
        (4, 2, 0, ["1", "1", "1", "1"]),
    ],
)
def test_the_workers_of_the_cpu_share_its_cores(workers, cores, memory, threads, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "5")
    environments = cpu_environments(workers, cores, memory)
    assert [environment.get("TF_NUM_INTRAOP_THREADS") for environment in environments] == threads
    assert [environment.get("OMP_NUM_THREADS") for environment in environments] == threads
    assert not any("TF_NUM_INTEROP_THREADS" in environment for environment in environments)


def test_without_a_gpu_the_workers_are_those_of_the_cpu():
    assert len(worker_environments([], 3, cpu_workers=2)) == 2


@pytest.fixture
def no_wishes(monkeypatch):
    for name in ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_PREALLOCATE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("workers", "share"), [(2, 0.45), (3, 0.3), (4, 0.225)])
def test_workers_of_one_gpu_share_nine_tenths_of_its_memory_under_jax(no_wishes, workers, share):
    environments = worker_environments(["0"], workers)
    assert [float(worker["XLA_CLIENT_MEM_FRACTION"]) for worker in environments] == [share] * workers


def test_a_worker_alone_has_what_jax_takes_by_itself(no_wishes):
    assert worker_environments(["0", "1"], 1) == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]


@pytest.mark.parametrize(
    "name", ["XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_PREALLOCATE"]
)
def test_what_a_person_says_of_jaxs_memory_stands(no_wishes, monkeypatch, name):
    monkeypatch.setenv(name, "0.2")
    assert worker_environments(["0"], 2) == [{"CUDA_VISIBLE_DEVICES": "0"}] * 2


@pytest.mark.parametrize(
    ("lines", "memory"),
    # As nvidia-smi writes them: a GPU of 2 GB, two of 15 and 140 GB, one that shares the machine's memory.
    [
        (["2004"], [2004]),
        (["15095", "143156"], [15095, 143156]),
        (["[N/A]"], []),
        (["2004", "[N/A]"], []),
        ([], []),
    ],
)
def test_the_memory_of_every_gpu_is_known_or_none_is(lines, memory):
    assert parse_memory(lines) == memory


@pytest.mark.parametrize(
    ("gpus", "memory", "cores", "workers"),
    [
        (1, [2004], 16, 1),  # a small GPU: one, whatever it has
        (1, [8100], 16, 1),  # 8100 // 4096
        (1, [15095], 16, 3),  # 15095 // 4096
        (1, [143156], 16, 4),  # at most 4
        (1, [143156], 4, 2),  # 2 cores each
        (1, [143156], 1, 1),
        (4, [24210] * 4, 16, 2),  # 16 cores for 4 GPUs are 4 for each
        (2, [24210, 8100], 64, 1),  # the smaller one decides
        (1, [], 16, 1),  # unknown memory
        (0, [], 16, 1),
    ],
)
def test_memory_and_cores_decide_how_many_share_a_gpu(gpus, memory, cores, workers):
    assert choose_workers_per_gpu(gpus, memory, cores) == workers


def test_where_nvidia_smi_cannot_be_asked_each_gpu_has_one_worker(no_wishes, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert worker_environments(["0", "3"], 0) == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "3"}]
