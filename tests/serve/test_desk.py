"""Work in threads: given up by who waits, counted until it ends."""

import asyncio
import threading

import pytest

from fer_ensemble.serve.admission import Admission
from fer_ensemble.serve.desk import Desk

TIMEOUTS = (TimeoutError, asyncio.TimeoutError)  # two classes before Python 3.11


def test_work_that_takes_too_long_keeps_its_place_until_it_ends():
    admission, desk, go, began = Admission(10, 10), Desk(1), threading.Event(), threading.Event()

    async def scenario():
        while not began.is_set():  # a busy machine may not even have begun
            with admission.enter() as ticket, pytest.raises(TIMEOUTS):
                await asyncio.wait_for(desk.run(ticket, lambda: (began.set(), go.wait())), 0.05)
        assert (admission.requests, desk.working()) == (1, 1)
        go.set()
        while admission.requests:
            await asyncio.sleep(0.01)
        assert desk.working() == 0

    asyncio.run(scenario())
    desk.close()


def test_work_that_never_began_leaves_its_place_at_once():
    admission, desk, go = Admission(10, 10), Desk(1), threading.Event()

    async def scenario():
        async def ask(function):
            with admission.enter() as ticket:
                return await asyncio.wait_for(desk.run(ticket, function), 0.05)

        answers = await asyncio.gather(ask(go.wait), ask(lambda: "never"), return_exceptions=True)
        assert all(isinstance(answer, TIMEOUTS) for answer in answers)
        await asyncio.sleep(0)
        assert admission.requests <= 1
        go.set()
        while admission.requests:
            await asyncio.sleep(0.01)

    asyncio.run(scenario())
    desk.close()


def test_work_that_ends_after_the_server_troubles_nobody(caplog):
    admission, desk, go = Admission(10, 10), Desk(1), threading.Event()

    async def scenario():
        with admission.enter() as ticket:
            await asyncio.wait_for(desk.run(ticket, go.wait), 0.05)

    with pytest.raises(TIMEOUTS):
        asyncio.run(scenario())
    go.set()
    desk._pool.shutdown(wait=True)
    assert not caplog.text


def test_what_the_work_raises_is_raised():
    async def scenario():
        with Admission(1, 1).enter() as ticket:
            await Desk(1).run(ticket, lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(scenario())
