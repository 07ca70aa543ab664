import pytest

from fer_ensemble.launch.workers import find_gpus, worker_environments


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


def test_without_a_gpu_there_is_one_worker_with_nothing_changed():
    assert worker_environments([], 3) == [{}]
