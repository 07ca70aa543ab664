"""The threads that do the work."""

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable

from fer_ensemble.serve.admission import Ticket


class Desk:
    """Runs work in threads, for the event loop.

    Args:
        threads: How many pieces of work run at a time; further ones wait.
    """

    def __init__(self, threads: int):
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="serve")
        self._threads = threads
        self._working = 0

    def working(self) -> int:
        """Returns how many pieces of work run at this moment."""
        return min(self._working, self._threads)

    async def run(self, ticket: Ticket, function: Callable, *arguments: object) -> object:
        """Returns what a function returns that runs in one of the threads.

        Cancelled, it does not wait any longer: what has begun goes on to its end, what has not never does.

        Args:
            ticket: The request's `Ticket`, held until the work has really ended.
            function: What is called.
            arguments: What it is called with.
        """
        loop = asyncio.get_running_loop()
        self._begin(ticket)
        work = self._pool.submit(function, *arguments)
        work.add_done_callback(lambda _: self._tell(loop, ticket))
        return await asyncio.wrap_future(work)

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
