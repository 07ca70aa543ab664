"""Work in threads: given up when it takes too long, counted until it ends."""

import asyncio
import threading

import pytest

from fer_ensemble.serve.admission import Admission
from fer_ensemble.serve.desk import Desk
from fer_ensemble.serve.refusals import Refused


def test_work_that_takes_too_long_keeps_its_place_until_it_ends():
    admission, desk, go, began = Admission(10, 10), Desk(1, 0.05), threading.Event(), threading.Event()

    async def scenario():
        while not began.is_set():  # a busy machine may not even have begun
            with admission.enter() as ticket, pytest.raises(Refused) as refused:
                await desk.run(ticket, lambda: (began.set(), go.wait()))
        assert refused.value.status == 503
        assert (admission.requests, desk.working()) == (1, 1)
        go.set()
        while admission.requests:
            await asyncio.sleep(0.01)
        assert desk.working() == 0

    asyncio.run(scenario())
    desk.close()


def test_work_that_never_began_leaves_its_place_at_once():
    admission, desk, go = Admission(10, 10), Desk(1, 0.05), threading.Event()

    async def scenario():
        async def ask(function):
            with admission.enter() as ticket:
                return await desk.run(ticket, function)

        answers = await asyncio.gather(ask(go.wait), ask(lambda: "never"), return_exceptions=True)
        assert [type(answer) for answer in answers] == [Refused, Refused]
        await asyncio.sleep(0)
        assert admission.requests <= 1
        go.set()
        while admission.requests:
            await asyncio.sleep(0.01)

    asyncio.run(scenario())
    desk.close()


def test_work_that_ends_after_the_server_troubles_nobody(caplog):
    admission, desk, go = Admission(10, 10), Desk(1, 0.05), threading.Event()

    async def scenario():
        with admission.enter() as ticket:
            await desk.run(ticket, go.wait)

    with pytest.raises(Refused):
        asyncio.run(scenario())
    go.set()
    desk._pool.shutdown(wait=True)
    assert not caplog.text


def test_what_the_work_raises_is_raised():
    async def scenario():
        with Admission(1, 1).enter() as ticket:
            await Desk(1, 60).run(ticket, lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(scenario())
