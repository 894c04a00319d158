"""`History`: append what happened, read it along a thread's line, in pages or as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from ..domain.errors import Invalid
from ..domain.history import (
    Cost,
    Entry,
    EntryKind,
    LLMRequest,
    LLMResponse,
    Message,
    TokenUsage,
    ToolCall,
)
from ..domain.money import Money, to_nanos
from ..domain.query import NEWEST_FIRST, OLDEST_FIRST
from ..stores.base import Find, check_metadata
from ..stores.history import HistoryStore
from . import manager
from .appending import ENTRY, Appender, Common
from .lineage import along, page_along
from .manager import created_between
from .statistics import Statistics

if TYPE_CHECKING:
    from datetime import datetime

    from ..domain.change import Change
    from ..domain.page import Page
    from .desk import Desk
    from .lineage import Lineage


class History(Statistics):
    """Everything an agent's work leaves behind, append-only: six kinds of entries.

    Responsible for what was said, called, used and paid, and for its sums. An entry belongs to
    a thread, a session, or both; a thread's session is filled in.
    """

    def __init__(self, desk: Desk, lineage: Lineage) -> None:
        """Work at `desk`, asking `lineage` for a thread's line."""
        store = HistoryStore(desk.backend, desk.sealer, space=desk.space)
        super().__init__(store)
        self._desk = desk
        self._lineage = lineage
        self._append = Appender(desk, store, lineage).append

    async def add_message(
        self,
        *,
        role: str,
        content: Any = "",  # noqa: ANN401 (text, or parts as the model has them)
        name: str | None = None,
        tool_call_id: str | None = None,
        **common: Unpack[Common],
    ) -> Message:
        """Append a message and return it.

        Every `add_...` also takes what `Common` names: a parent (`thread_id`, `session_id` or
        both), `metadata`, `id`, `created_at` (an aware datetime) and `idempotency_key`: a second
        call with the same key returns the first entry and writes nothing, and raises `Conflict`
        if it says something else. Raises `NotFound` for an unknown thread, and `Invalid` without
        a thread and a session.
        """
        own = {"role": role, "content": content, "name": name, "tool_call_id": tool_call_id}
        return await self._append(Message, own, common)

    async def add_tool_call(
        self,
        *,
        tool_name: str,
        tool_input: Any = None,  # noqa: ANN401 (whatever the tool takes)
        tool_output: Any = None,  # noqa: ANN401 (whatever the tool gives)
        error: str | None = None,
        duration: float | None = None,
        **common: Unpack[Common],
    ) -> ToolCall:
        """Append a tool call with what it took and gave; `duration` in seconds."""
        own = {
            "tool_name": tool_name,
            "tool_input": tool_input,
            "tool_output": tool_output,
            "error": error,
            "duration": duration,
        }
        return await self._append(ToolCall, own, common)

    async def add_llm_request(
        self,
        *,
        model: str,
        provider: str = "unknown",
        messages: Any = (),  # noqa: ANN401 (as the model has them)
        parameters: Mapping[str, Any] | None = None,
        estimated_tokens: int | None = None,
        **common: Unpack[Common],
    ) -> LLMRequest:
        """Append what is sent to a model."""
        own = {
            "model": model,
            "provider": provider,
            "messages": messages,
            "parameters": check_metadata(parameters, field="parameters"),
            "estimated_tokens": estimated_tokens,
        }
        return await self._append(LLMRequest, own, common)

    async def add_llm_response(
        self,
        *,
        model: str,
        content: Any = "",  # noqa: ANN401 (as the model has it)
        request_id: str | None = None,
        finish_reason: str = "stop",
        token_usage: Mapping[str, Any] | None = None,
        response_time: float = 0.0,
        **common: Unpack[Common],
    ) -> LLMResponse:
        """Append what a model answered; `response_time` in seconds."""
        own = {
            "model": model,
            "content": content,
            "request_id": request_id,
            "finish_reason": finish_reason,
            "token_usage": check_metadata(token_usage, field="token_usage"),
            "response_time": response_time,
        }
        return await self._append(LLMResponse, own, common)

    async def add_token_usage(
        self,
        *,
        model: str,
        prompt_tokens: int,
        completion_tokens: int,
        total_tokens: int | None = None,
        provider: str = "unknown",
        source: str = "api",
        confidence: float = 1.0,
        **common: Unpack[Common],
    ) -> TokenUsage:
        """Append the tokens that a call used; the total is their sum unless it is given."""
        own = {
            "model": model,
            "provider": provider,
            "prompt_tokens": _tokens(prompt_tokens, field="prompt_tokens"),
            "completion_tokens": _tokens(completion_tokens, field="completion_tokens"),
            "total_tokens": prompt_tokens + completion_tokens
            if total_tokens is None
            else _tokens(total_tokens, field="total_tokens"),
            "source": source,
            "confidence": confidence,
        }
        return await self._append(TokenUsage, own, common)

    async def add_cost(
        self,
        *,
        model: str,
        total_cost: object = None,
        prompt_cost: object = 0,
        completion_cost: object = 0,
        currency: str = "USD",
        provider: str = "unknown",
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        total_tokens: int | None = None,
        **common: Unpack[Common],
    ) -> Cost:
        """Append what a call cost, in whole units of `currency`.

        Amounts are a `Decimal`, an int or a text such as "0.0123", with at most nine digits
        behind the point; a float raises `Invalid`. The total is the sum of the two parts unless
        it is given.
        """
        prompt = to_nanos(prompt_cost, field="prompt_cost")
        completion = to_nanos(completion_cost, field="completion_cost")
        total = (
            prompt + completion if total_cost is None else to_nanos(total_cost, field="total_cost")
        )
        own = {
            "model": model,
            "provider": provider,
            "prompt_tokens": _tokens(prompt_tokens, field="prompt_tokens"),
            "completion_tokens": _tokens(completion_tokens, field="completion_tokens"),
            "total_tokens": prompt_tokens + completion_tokens
            if total_tokens is None
            else _tokens(total_tokens, field="total_tokens"),
            "prompt_cost": Money(prompt, currency),
            "completion_cost": Money(completion, currency),
            "total_cost": Money(total, currency),
        }
        return await self._append(Cost, own, common)

    async def adopt(self, *entries: Entry) -> None:
        """Append entries as they are, with their own ids, times and parents, in one batch.

        All or none; raises `Conflict` where one of the ids is taken.
        """
        await manager.add(self._desk, self._store, entries)

    async def get(self, entry_id: str) -> Entry:
        """Return an entry; raise `NotFound` where there is none."""
        return await manager.get(self._desk, self._store, ENTRY, entry_id)

    async def find(self, entry_id: str) -> Entry | None:
        """Return an entry, or `None`."""
        return await self._store.find(entry_id)

    async def page(
        self,
        *,
        thread_id: str | None = None,
        session_id: str | None = None,
        kinds: Sequence[EntryKind | str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Entry]:
        """Return a page of entries: along the line of a thread, of a session, or of all.

        A thread's line begins in the threads it was forked from. `since` is inclusive, `until`
        exclusive.
        """
        find = _find(session_id, kinds, since, until)
        if thread_id is not None:
            return await page_along(
                self._store,
                await self._lineage.segments(thread_id),
                find,
                newest_first=newest_first,
                limit=limit,
                cursor=cursor,
            )
        order = NEWEST_FIRST if newest_first else OLDEST_FIRST
        return await self._store.page(
            replace(find, order=order), limit=limit, cursor=cursor, metadata={}
        )

    async def stream(
        self,
        *,
        thread_id: str | None = None,
        session_id: str | None = None,
        kinds: Sequence[EntryKind | str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
    ) -> AsyncIterator[Entry]:
        """Go through entries as `page` does, in bounded memory, to the end."""
        order = NEWEST_FIRST if newest_first else OLDEST_FIRST
        find = replace(_find(session_id, kinds, since, until), order=order)
        if thread_id is None:
            rows = self._store.scan(find)
        else:
            rows = along(self._store, await self._lineage.segments(thread_id), find)
        async for entry in rows:
            yield entry

    async def messages(self, thread_id: str) -> tuple[Message, ...]:
        """Return every message on the line of a thread, oldest first: what a model is shown."""
        rows = self.stream(thread_id=thread_id, kinds=[EntryKind.MESSAGE])
        return tuple([entry async for entry in rows if isinstance(entry, Message)])

    async def delete_of(self, thread_id: str) -> AsyncIterator[Change]:
        """Make the changes that delete the entries of a thread."""
        async for record in self._store.headers(Find(thread_id=thread_id)):
            yield self._store.remove(record.key.id, kind=record.key.kind)

    async def count(self, *, session_id: str | None = None, thread_id: str | None = None) -> int:
        """Count the entries of a session, or a thread's own, in the engine."""
        return await self._store.count(Find(session_id=session_id, thread_id=thread_id))

    async def detach_of(self, session_id: str) -> AsyncIterator[Change]:
        """Make the changes that take the entries of a session out of it."""
        async for put in self._store.detach(session_id):
            yield put

    async def delete_of_session(self, session_id: str) -> AsyncIterator[Change]:
        """Make the changes that delete the entries of a session, on threads or not."""
        async for record in self._store.headers(Find(session_id=session_id)):
            yield self._store.remove(record.key.id, kind=record.key.kind)


def _find(
    session_id: str | None,
    kinds: Sequence[EntryKind | str],
    since: datetime | None,
    until: datetime | None,
) -> Find:
    return Find(
        kinds=tuple(manager.as_status(EntryKind, kind, field="kinds").value for kind in kinds),
        session_id=session_id,
        where=created_between(since, until),
    )


def _tokens(value: object, *, field: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    message = f"{field} must be a number of tokens, 0 or more, not {value!r}"
    raise Invalid(message, code="bad_tokens", field=field)
