"""What the demonstration store holds: two visits, three conversations, and how they branched.

Everything is fixed, times and ids too: the clock moves only between the steps of the story.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ...domain.clock import FrozenClock
from ...domain.moment import to_micros

if TYPE_CHECKING:
    from ...services.storage import Storage

MARK: Final = "ropewalk demo"
"""Noted on the first session as `made_by`: by this a demonstration is told from other stores."""

FIRST: Final = "trip"
"""The id of the first session, which carries the mark."""

BEGIN: Final = datetime(2025, 6, 15, 9, 0, tzinfo=UTC)

_SECOND: Final = 1_000_000
_STEP: Final = 20 * _SECOND

# Nano-dollars for a token that a model reads, and for one that it writes.
_PRICES: Final = {"sparrow-2": (150, 600), "albatross-1": (2_500, 10_000)}


def clock() -> FrozenClock:
    """Return the clock of the story: it stands still until it is moved."""
    return FrozenClock(to_micros(BEGIN), tick=0)


async def tell(storage: Storage, time: FrozenClock) -> None:
    """Write the story into an empty store that was opened with this clock."""
    teller = _Teller(storage, time)
    await storage.sessions.create(
        id=FIRST,
        title="A weekend in Rome",
        user_id="ada",
        tags=["travel"],
        metadata={"made_by": MARK, "lang": "en"},
    )
    await _trains(teller)
    await _cheaper(teller)
    await _by_night(teller)
    await _reworded(teller)
    await _booking(teller)
    await _hotel(teller)
    await _refund(teller)


class _Teller:
    """Writes one thing after the other, each at a time of its own."""

    def __init__(self, storage: Storage, time: FrozenClock) -> None:
        self.storage = storage
        self._time = time
        self._numbers: dict[str, int] = {}

    def later(self, seconds: int = 20) -> None:
        """Let time pass."""
        self._time.advance(seconds * _SECOND)

    def _next(self, prefix: str) -> str:
        self._time.advance(_STEP)
        self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return f"{prefix}-{self._numbers[prefix]:02}"

    async def say(self, thread: str, *lines: str) -> None:
        """Let user and assistant speak in turn, the user first."""
        for index, line in enumerate(lines):
            await self.storage.history.add_message(
                id=self._next(f"msg-{thread}"),
                thread_id=thread,
                role="assistant" if index % 2 else "user",
                content=line,
            )

    async def tool(
        self, thread: str, name: str, took: dict[str, Any], gave: object, error: str | None = None
    ) -> None:
        """Let a tool be called."""
        await self.storage.history.add_tool_call(
            id=self._next(f"tool-{thread}"),
            thread_id=thread,
            tool_name=name,
            tool_input=took,
            tool_output=gave,
            error=error,
            duration=0.4,
        )

    async def ask(self, thread: str, model: str, prompt: int, completion: int) -> None:
        """Note the call of a model that led to what the assistant said last."""
        history = self.storage.history
        said = await history.messages(thread)
        call = self._next(f"call-{thread}")
        common: dict[str, Any] = {"thread_id": thread, "model": model}
        await history.add_llm_request(
            id=f"{call}-ask",
            provider="demo",
            messages=[{"role": each.role, "content": each.content} for each in said[:-1]],
            **common,
        )
        self.later(1)
        await history.add_llm_response(
            id=f"{call}-answer",
            request_id=f"{call}-ask",
            content=said[-1].content,
            response_time=1.0,
            **common,
        )
        self.later(1)
        common |= {"prompt_tokens": prompt, "completion_tokens": completion, "provider": "demo"}
        await history.add_token_usage(id=f"{call}-tokens", **common)
        self.later(1)
        reading, writing = _PRICES[model]
        await history.add_cost(
            id=f"{call}-cost",
            prompt_cost=Decimal(prompt * reading).scaleb(-9),
            completion_cost=Decimal(completion * writing).scaleb(-9),
            **common,
        )

    async def save(self, thread: str, step: str, state: dict[str, Any]) -> str:
        """Keep where the workflow stands."""
        header = await self.storage.checkpoints.save(
            thread,
            state,
            id=self._next(f"cp-{thread}"),
            workflow_id="planner",
            metadata={"step": step},
        )
        return header.id

    async def fork(
        self,
        thread: str,
        id: str,
        *,
        name: str,
        title: str,
        at: str | None = None,
        before: str | None = None,
    ) -> None:
        """Let a thread go another way, a moment after the last thing that happened."""
        self.later()
        await self.storage.threads.fork(thread, id=id, name=name, title=title, at=at, before=before)


def _plan(steps: Sequence[str], budget: str, **more: object) -> dict[str, Any]:
    return {
        "goal": "a weekend in Rome",
        "plan": list(steps),
        "budget": Decimal(budget),
        "leaves_at": datetime(2025, 6, 27, 8, 10, tzinfo=UTC),
        **more,
    }


async def _trains(teller: _Teller) -> None:
    storage = teller.storage
    await storage.threads.create(id="rome", session_id=FIRST, title="trains to Rome")
    await teller.say(
        "rome",
        "find me a train from Milan to Rome on Friday the 27th",
        "morning or evening?",
        "in the morning, and two seats side by side",
        "I look for trains that leave before ten",
    )
    await teller.ask("rome", "sparrow-2", 820, 120)
    await teller.save("rome", "understood", _plan(["search"], "260.00"))
    await teller.tool(
        "rome",
        "search_trains",
        {"from": "Milan", "to": "Rome", "day": "2025-06-27"},
        [{"leaves": "08:10", "price": "89.90"}, {"leaves": "09:15", "price": "74.90"}],
    )
    await teller.say(
        "rome",
        "what did you find?",
        "08:10 for 89.90 EUR and 09:15 for 74.90 EUR, both with free seats",
        "the one at ten past eight",
        "12A and 12B are side by side",
    )
    await teller.ask("rome", "albatross-1", 1_460, 210)
    await teller.save(
        "rome",
        "chosen",
        _plan(["search", "book"], "260.00", seats={"12A", "12B"}, train=("FR", 9521)),
    )


async def _cheaper(teller: _Teller) -> None:
    await teller.fork(
        "rome", "rome-cheaper", at="cp-rome-01", name="cheaper", title="anything cheaper?"
    )
    await teller.say(
        "rome-cheaper",
        "is there anything cheaper?",
        "a regional train takes longer and costs 39 EUR",
        "how much longer?",
        "four hours more, with one change in Bologna",
    )
    await teller.tool(
        "rome-cheaper",
        "search_trains",
        {"from": "Milan", "to": "Rome", "class": "regional"},
        [{"leaves": "06:20", "price": "39.00", "changes": 1}],
    )
    await teller.ask("rome-cheaper", "sparrow-2", 940, 95)
    await teller.save("rome-cheaper", "found", _plan(["search", "compare"], "120.00"))
    await teller.say(
        "rome-cheaper",
        "and if I leave on Thursday?",
        "then there is a night train for 49 EUR",
        "without a change?",
        "without any",
    )


async def _by_night(teller: _Teller) -> None:
    await teller.fork("rome-cheaper", "rome-by-night", name="by-night", title="the night train")
    await teller.say(
        "rome-by-night",
        "tell me about the night train",
        "it leaves at 23:05 and arrives at 06:40",
        "are there beds?",
        "couchettes for four, 12 EUR more",
        "then rather not",
        "I keep it in mind",
        "what did it cost in all?",
        "61 EUR with the couchette",
    )
    await teller.ask("rome-by-night", "albatross-1", 1_210, 160)
    await teller.save("rome-by-night", "declined", _plan(["search", "compare"], "90.00"))


async def _reworded(teller: _Teller) -> None:
    await teller.fork(
        "rome", "rome-reworded", before="msg-rome-03", name="reworded", title="in the evening"
    )
    await teller.say(
        "rome-reworded",
        "in the evening, and a seat at the window",
        "I look for trains that leave after five",
        "direct ones only",
        "17:10 and 18:30 are direct",
        "the later one",
        "3D is at the window, facing forward",
    )
    await teller.ask("rome-reworded", "sparrow-2", 700, 88)
    await teller.save("rome-reworded", "understood", _plan(["search"], "260.00", seats={"3D"}))


async def _booking(teller: _Teller) -> None:
    storage = teller.storage
    teller.later()
    await storage.threads.snapshot("rome", "before booking", description="nothing is paid yet")
    await teller.say("rome", "book them", "I book 12A and 12B for Saturday the 28th")
    await teller.tool(
        "rome", "book", {"train": "FR 9521", "day": "2025-06-28"}, None, "the card was declined"
    )
    await teller.save("rome", "wrong day", _plan(["search", "book", "pay"], "80.20"))
    await teller.say("rome", "stop, it is Friday!", "I am sorry, I go back to where we were")
    teller.later()
    await storage.threads.restore("rome", "before booking")
    await teller.say(
        "rome",
        "book them, for Friday the 27th",
        "12A and 12B on the 27th, 179.80 EUR for both",
        "yes, please",
        "booked; the tickets are in your mail",
    )
    await teller.tool(
        "rome", "book", {"train": "FR 9521", "day": "2025-06-27"}, {"code": "QX7P4M", "paid": True}
    )
    await teller.ask("rome", "albatross-1", 1_890, 240)
    await teller.save(
        "rome",
        "booked",
        _plan(
            ["search", "book", "travel"],
            "80.20",
            seats={"12A", "12B"},
            train=("FR", 9521),
            ticket=b"QX7P4M",
        ),
    )
    await teller.storage.threads.update("rome", status="completed")


async def _hotel(teller: _Teller) -> None:
    await teller.storage.threads.create(id="hotel", session_id=FIRST, title="where to sleep")
    await teller.say(
        "hotel",
        "a quiet hotel near Termini, two nights",
        "up to which price?",
        "110 EUR a night",
        "three are free; the quietest one faces a courtyard",
        "with breakfast?",
        "yes, until half past ten",
        "reserve it",
        "reserved, free of charge until the day before",
    )
    await teller.tool(
        "hotel", "search_hotels", {"near": "Termini", "nights": 2, "below": 110}, ["Aurora", "Pace"]
    )
    await teller.ask("hotel", "sparrow-2", 1_020, 134)
    await teller.save("hotel", "reserved", {"hotel": "Pace", "nights": 2, "price": Decimal(98)})


async def _refund(teller: _Teller) -> None:
    storage = teller.storage
    teller.later(3_600)
    await storage.sessions.create(id="help", title="My refund", user_id="ben", tags=["support"])
    await storage.threads.create(id="refund", session_id="help", title="a refund for order 7")
    await teller.say(
        "refund",
        "I want my money back for order 7",
        "what was wrong with it?",
        "it came too late",
        "I see: nine days after the promised date",
        "so?",
        "I ask for a refund of 42.50 EUR",
        "how long will it take?",
        "three days, once it is approved",
    )
    await teller.tool("refund", "find_order", {"order": 7}, {"price": "42.50", "days_late": 9})
    await teller.ask("refund", "albatross-1", 900, 180)
    await teller.save("refund", "checked", {"order": 7, "refund": Decimal("42.50"), "tone": "dry"})
    await teller.fork("refund", "refund-kinder", name="kinder", title="in kinder words")
    await teller.say(
        "refund-kinder",
        "say it in kinder words",
        "I am sorry about the delay; the full 42.50 EUR are on their way back to you",
        "much better",
        "I keep this tone",
    )
    await teller.ask("refund-kinder", "sparrow-2", 610, 72)
    await teller.save(
        "refund-kinder", "reworded", {"order": 7, "refund": Decimal("42.50"), "tone": "kind"}
    )
    await teller.say("refund", "is it done?", "it is: the money arrives within three days")
    teller.later()
    await storage.threads.merge("refund-kinder", into="refund")
    await storage.sessions.close("help")
