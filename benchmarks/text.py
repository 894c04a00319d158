"""Words and chat messages that look like an agent's, the same ones for the same seed.

The words are an order-1 chain over the texts of Python's own language reference: new sentences
that compress about as English does, and no corpus to download.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pydoc_data import topics
from random import Random
from typing import Final, TypeAlias

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

Message: TypeAlias = dict[str, object]

_TOOLS: Final = ("search", "read_file", "list_orders", "run_query", "weather")


@cache
def _followers() -> Mapping[str, tuple[str, ...]]:
    table: dict[str, list[str]] = defaultdict(list)
    texts: dict[str, str] = topics.topics
    for name in sorted(texts):
        words = texts[name].split()
        for word, after in pairwise(words):
            table[word].append(after)
    return {word: tuple(after) for word, after in table.items()}


class Writer:
    """Writes words and messages; two writers of one seed write the same."""

    def __init__(self, seed: int) -> None:
        """Begin at `seed`."""
        self._random = Random(seed)
        self._followers = _followers()
        self._starts = sorted(self._followers)
        self._word = self._random.choice(self._starts)
        self._turn: Iterator[Message] = iter(())

    def words(self, size: int) -> str:
        """Return at least `size` characters of text, ending with a whole word."""
        found: list[str] = []
        length = 0
        while length < size:
            after = self._followers.get(self._word)
            self._word = self._random.choice(after or self._starts)
            found.append(self._word)
            length += len(self._word) + 1
        return " ".join(found)

    def between(self, least: int, mean: int, most: int) -> int:
        """Return a size from a skewed distribution: many small ones, few big ones."""
        return min(most, least + int(self._random.expovariate(1 / (mean - least))))

    def hexadecimal(self, digits: int) -> str:
        """Return a random identifier."""
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def message(self) -> Message:
        """Return the next message of a conversation: question, call, result, answer."""
        for message in self._turn:
            return message
        self._turn = self._exchange()
        return next(self._turn)

    def messages(self, count: int) -> list[Message]:
        """Return the next `count` messages."""
        return [self.message() for _ in range(count)]

    def _exchange(self) -> Iterator[Message]:
        yield {
            "type": "human",
            "content": self.words(self.between(160, 560, 2_800)),
            "id": self.hexadecimal(32),
        }
        for _ in range(self._random.choice((0, 1, 1, 2))):
            call = f"call_{self.hexadecimal(24)}"
            tool = self._random.choice(_TOOLS)
            yield self._answer(
                self.words(self.between(60, 260, 1_000)),
                [{"name": tool, "args": self._arguments(), "id": call, "type": "tool_call"}],
            )
            yield {
                "type": "tool",
                "content": json.dumps(self._result()),
                "name": tool,
                "tool_call_id": call,
                "id": self.hexadecimal(32),
                "status": "success",
            }
        yield self._answer(self.words(self.between(240, 2_300, 3_600)), [])

    def _answer(self, content: str, calls: list[Message]) -> Message:
        asked, told = self._random.randrange(500, 9_000), self._random.randrange(20, 900)
        return {
            "type": "ai",
            "content": content,
            "tool_calls": calls,
            "response_metadata": {"model_name": "example-large-2", "finish_reason": "stop"},
            "usage_metadata": {
                "input_tokens": asked,
                "output_tokens": told,
                "total_tokens": asked + told,
            },
            "id": f"run-{self.hexadecimal(32)}",
        }

    def _arguments(self) -> dict[str, object]:
        return {
            "query": self.words(self.between(30, 90, 400)),
            "limit": self._random.randrange(1, 50),
            "filters": {"language": "en", "since": f"2025-0{self._random.randrange(1, 9)}-01"},
        }

    def _result(self) -> dict[str, object]:
        found = self._random.randrange(2, 7)
        return {
            "found": self._random.randrange(found, 400),
            "items": [
                {
                    "id": self.hexadecimal(12),
                    "title": self.words(30),
                    "score": round(self._random.random(), 4),
                    "text": self.words(self.between(90, 330, 800)),
                }
                for _ in range(found)
            ],
        }


_CLASSES: Final[Mapping[str, type[BaseMessage]]] = {
    "human": HumanMessage,
    "ai": AIMessage,
    "tool": ToolMessage,
}


def as_objects(message: Message) -> BaseMessage:
    """Return the same message as an object of LangChain."""
    fields = {name: value for name, value in message.items() if name != "type"}
    return _CLASSES[str(message["type"])].model_validate(fields)
