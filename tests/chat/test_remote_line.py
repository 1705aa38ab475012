"""The places at a server: who has one, who waits, and whose turn it is."""

import asyncio
from dataclasses import replace

import pytest

from chat.models.remote import engine as engines
from chat.models.remote.dialects import DIALECTS
from chat.models.remote.engine import RemoteEngine
from chat.models.remote.line import Line
from chat.models.remote.servers import Server
from gpt.engine import EngineBusy
from tests.chat.test_remote import ASKED, BEFORE, at_once, engine_of, fake, text_of, tokens_of
from tests.support.fake_engine import TEXT

__all__ = ["at_once", "fake"]


def test_who_waits_is_bounded_and_one_account_has_half(fake):
    async def run():
        line = Line(at_once=1, most=4)
        server = Server(name="lab", url=fake.url)
        engine = RemoteEngine(server, DIALECTS["vllm"], "slow", line)
        ids = engine.tokenizer.encode(BEFORE)
        requests = [engine.submit(ids, ASKED, writer=("ada",))]
        await anext(requests[0])
        requests += [engine.submit(ids, ASKED, writer=("ada", at)) for at in range(2)]
        assert [each.ahead for each in requests] == [0, 0, 1]
        with pytest.raises(EngineBusy) as told:
            engine.submit(ids, ASKED, writer=("ada",))
        assert (told.value.ahead, told.value.own) == (2, 2)
        requests += [engine.submit(ids, ASKED, writer=(who,)) for who in ("bo", "cy")]
        with pytest.raises(EngineBusy) as told:
            engine.submit(ids, ASKED, writer=("di",))
        assert (told.value.ahead, told.value.own) == (4, 0)
        for each in requests:
            each.cancel()
        assert engine.waiting == 0

    asyncio.run(run())


def test_the_places_are_dealt_by_account_and_takes_and_dice_count_each(fake):
    async def run():
        engine = engine_of(fake, "slow")
        engine.line = Line(at_once=2, most=8)
        ids, several = engine.tokenizer.encode(BEFORE), replace(ASKED, n=4)
        requests = [engine.submit(ids, several, writer=("ada", 1))]
        assert (engine.active, engine.waiting) == (2, 2)
        with pytest.raises(EngineBusy):
            engine.submit(ids, replace(ASKED, n=8), writer=("ada", 2))
        requests += [engine.submit(ids, ASKED, writer=(who,)) for who in ("ada", "bo")]
        # Bo has nothing yet, so of the next two places one is his, though he came last.
        assert (requests[2].ahead, engine.waiting) == (0, 4)
        dice = [asyncio.ensure_future(engine.odds(ids, 5, writer=("cy",))) for _ in range(9)]
        await asyncio.sleep(0)
        refused = [each for each in dice if each.done()]
        assert [type(each.exception()) for each in refused] == [EngineBusy] * 7
        for each in (*requests, *dice):
            each.cancel()
        await asyncio.gather(*dice, return_exceptions=True)
        assert engine.waiting == 0
        while engine.active:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 5))


def test_one_that_is_cancelled_before_it_began_leaves_its_place(fake):
    async def run():
        engine = engine_of(fake, "slow")
        engine.submit([], ASKED).cancel()
        assert engine.active == 1
        await asyncio.sleep(0.01)
        assert (engine.active, engine.waiting) == (0, 0)

    asyncio.run(run())


def test_who_waits_to_ask_a_busy_server_again_leaves_the_place_to_others(fake, monkeypatch):
    monkeypatch.setattr(engines, "PAUSES_S", (60, 60))

    async def run():
        engine = engine_of(fake, "always-busy")
        engine.line = Line(at_once=1, most=4)
        request = engine.submit(engine.tokenizer.encode(BEFORE), ASKED, writer=("ada",))
        while "asked again" not in request.note:
            await asyncio.sleep(0.01)
        assert (engine.active, engine.waiting) == (0, 1)
        other = engine_of(fake, "fine")
        other.line = engine.line
        assert text_of(await tokens_of(other)) == TEXT
        request.cancel()
        await asyncio.sleep(0.01)
        assert (engine.active, engine.waiting) == (0, 0)

    asyncio.run(asyncio.wait_for(run(), 5))
