"""The threads that do the work, and how long an answer may take."""

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable

from fer_ensemble.serve.admission import Ticket
from fer_ensemble.serve.refusals import busy


class Desk:
    """Runs work in threads, for the event loop.

    Args:
        threads: How many pieces of work run at a time; further ones wait.
        seconds: How long an answer may take, waiting included.
    """

    def __init__(self, threads: int, seconds: float):
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="serve")
        self._threads, self._seconds = threads, seconds
        self._working = 0

    def working(self) -> int:
        """Returns how many pieces of work run at this moment."""
        return min(self._working, self._threads)

    async def run(self, ticket: Ticket, function: Callable, *arguments: object) -> object:
        """Returns what a function returns that runs in one of the threads.

        Args:
            ticket: The request's `Ticket`, held until the work has really ended.
            function: What is called.
            arguments: What it is called with.

        Raises:
            Refused: If it takes too long.
        """
        loop = asyncio.get_running_loop()
        self._begin(ticket)
        work = self._pool.submit(function, *arguments)
        work.add_done_callback(lambda _: self._tell(loop, ticket))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(work), self._seconds)
        except (TimeoutError, asyncio.TimeoutError):  # two classes before Python 3.11
            raise busy() from None

    def close(self) -> None:
        """Ends the threads; what still waits is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, ticket):
        self._working += 1
        ticket.__enter__()

    def _tell(self, loop, ticket):
        with contextlib.suppress(RuntimeError):  # the server has ended in the meantime
            loop.call_soon_threadsafe(self._finish, ticket)

    def _finish(self, ticket):
        self._working -= 1
        ticket.__exit__()
