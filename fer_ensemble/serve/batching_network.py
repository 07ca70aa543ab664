"""Faces of several requests go through the network together."""

import concurrent.futures
import queue
import threading
import time
from collections.abc import Callable

import numpy as np

from fer_ensemble.base.network_protocol import Network

MOST_FACES = 256  # in one batch, unless one request alone brings more


class BatchingNetwork:
    """A network that may be asked from many threads, and answers those who ask within a few milliseconds at once.

    It is what it wraps in all else: a `Network` of `fer_ensemble.classifier`.

    Args:
        network: The network that answers. It is called from one thread.
        milliseconds: How long a face waits for others. One that nobody else can join does not wait.
        expected: Function that returns how many threads may ask for something at the moment; a batch of so many
            is complete. None: it waits in any case.
    """

    def __init__(self, network: Network, milliseconds: float = 4.0, expected: Callable[[], float] | None = None):
        self._network, self._seconds = network, milliseconds / 1000
        self._expected = expected or (lambda: float("inf"))
        self._asked = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._answer_all, name="network", daemon=True)
        self._thread.start()

    def __getattr__(self, name: str) -> object:
        return getattr(self._network, name)

    def predict(self, faces: np.ndarray) -> np.ndarray:
        """Returns the probabilities, float32 `(faces, classes)`, of uint8 faces `(faces, 48, 48)`."""
        return self.submit(faces).result()

    def submit(self, faces: np.ndarray) -> concurrent.futures.Future:
        """Returns a `concurrent.futures.Future` of what `predict` returns."""
        if not self._thread.is_alive():
            raise RuntimeError("the network is closed")
        answer = concurrent.futures.Future()
        self._asked.put((np.asarray(faces), answer))
        return answer

    def close(self) -> None:
        """Answers what was asked so far, and ends the thread."""
        self._asked.put(None)
        self._thread.join()

    def _answer_all(self):
        while (asked := self._asked.get()) is not None:
            batch, more = self._gather(asked)
            self._answer(batch)
            if not more:
                return

    def _gather(self, first):
        """Returns what is asked within the time, and whether more may come."""
        batch, faces = [first], len(first[0])
        end = time.monotonic() + self._seconds
        while faces < MOST_FACES:
            try:
                left = end - time.monotonic() if len(batch) < self._expected() else 0
                asked = self._asked.get(timeout=left) if left > 0 else self._asked.get_nowait()
            except queue.Empty:
                return batch, True
            if asked is None:
                return batch, False
            batch.append(asked)
            faces += len(asked[0])
        return batch, True

    def _answer(self, batch):
        batch = [one for one in batch if one[1].set_running_or_notify_cancel()]  # who asked may have given up
        if not batch:
            return
        try:
            probabilities = self._network.predict(np.concatenate([faces for faces, _ in batch]))
        except BaseException as error:
            for _, answer in batch:
                answer.set_exception(error)
            return
        start = 0
        for faces, answer in batch:
            answer.set_result(probabilities[start : start + len(faces)])
            start += len(faces)
