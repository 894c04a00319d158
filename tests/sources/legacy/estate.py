"""Legacy data of all generations in which nothing is wrong, the same for the same seed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Final

from .damage.agents import CHANGES, SNAPSHOTS, as_json, change, put_rows, snapshot
from .damage.elder import api_row, elder, event, replay
from .writing import Row, Tree, cost, interaction, message, metadata_of, pack, stored

TEXTS: Final = ("hello", "你好 🌤️", "a\u2028b\x85c\x00d", "", "line\nline", 'q"\\', "half \ud83d")

PICKLE: Final = b"cos\nsystem\n(S'exit 1'\ntR."

KINDS: Final = ("message", "tool_call", "llm_request", "llm_response", "token_usage", "cost")


@dataclass(slots=True)
class Estate:
    """Writes the folder; what nobody but the tree knows of the truth is gathered here."""

    tree: Tree
    random: Random = field(default_factory=lambda: Random(4))
    branches: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    snapshots: dict[str, str] = field(default_factory=dict[str, str])
    events: dict[str, object] = field(default_factory=dict[str, object])
    rows: dict[str, object] = field(default_factory=dict[str, object])
    """Ids of interactions and of sessions, with the event or the metadata that each came from."""
    skipped: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def write(self) -> None:
        """Write everything."""
        self._sessions()
        self._threads()
        self._history()
        self._checkpoints()
        self._interfaces()
        self._agents()

    def _moment(self) -> str:
        micros = self.random.choice(("", f".{self.random.randrange(10**6):06}"))
        clock = (self.random.randrange(24), self.random.randrange(60), self.random.randrange(60))
        day = self.random.randrange(1, 29)
        return f"2025-11-{day:02}T{clock[0]:02}:{clock[1]:02}:{clock[2]:02}{micros}"

    def _value(self, depth: int = 2) -> object:
        choices: list[object] = [None, True, 0, -1.5, 10**20, float("inf")]
        # A state with half a pair of surrogates was never kept.
        choices += [self.random.choice(TEXTS[:-1])]
        if depth:
            choices += [[self._value(depth - 1)], {"k": self._value(depth - 1)}]
        return self.random.choice(choices)

    def _sessions(self) -> None:
        for number in range(12):
            name = f"session_{number:08x}"
            times = sorted(self._moment() for _ in range(number % 4))
            calls = [
                interaction(
                    f"interaction_{number:04x}{n:04x}",
                    name,
                    timestamp=time,
                    content=self.random.choice(TEXTS),
                    metadata={"result_keys": self._value()},
                )
                for n, time in enumerate(times)
            ]
            threads = [f"thread_{n:08x}" for n in range(number * 2, number * 2 + 2)]
            # The two places of the two ways in which the program was put together.
            folder = "history" if number % 3 == 0 else "sessions"
            metadata = {"request_id": f"request_{number}", "free": self._value()}
            self.tree.session(
                name, *calls, place=f"{folder}/{name}.json", thread_ids=threads, metadata=metadata
            )
        for generation in ("g1", "g2", "g3"):
            for number in range(3):
                name = f"react-25102{number}-163452-{generation}"
                document = elder(name, generation, note=self._value())
                self.tree.document(f"sessions/{name}.json", document)
                self.tree.tell("session", name, f"sessions/{name}.json", document)
                if generation == "g3":
                    self.tree.thread(f"thread_of_{name}", workflow_summary="old")

    def _threads(self) -> None:
        for number in range(24):
            name = f"thread_{number:08x}"
            if number % 8 == 5:
                self._fork(number, name)
            elif number % 8 == 7:
                self.snapshots[f"snapshot_{number:08x}"] = name
                self.tree.nested(
                    name,
                    {"total_steps": number},
                    last_snapshot=f"snapshot_{number:08x}",
                    last_snapshot_at=self._moment(),
                )
            elif number % 2:
                self.tree.nested(name, {"title": self.random.choice(TEXTS[:2]), "free": [1, None]})
            else:
                self.tree.thread(name, session_id=f"session_{number // 2:08x}", free=self._value())

    def _fork(self, number: int, name: str) -> None:
        source = f"thread_{number - 1:08x}"
        mark: dict[str, object] = {
            "source_thread_id": source,
            "source_checkpoint_id": f"checkpoint_{number - 1:04x}_1",
            "branch_name": f"try-{number}",
        }
        info = {"branch_id": f"branch_{number:08x}", **mark}
        own = {"why": self.random.choice(TEXTS[:2])}
        # Every other one was saved again since, which drops `branch_info`.
        more = {"branch_info": info} if number % 16 == 5 else {}
        self.tree.nested(name, {**mark, "branch_type": "fork", **own}, **more)
        self.branches[f"branch_{number:08x}" if more else f"branch~{name}"] = {
            "source_thread_id": source,
            "thread_id": name,
            "name": f"try-{number}",
            "checkpoint_id": mark["source_checkpoint_id"],
            "metadata": own,
        }

    def _history(self) -> None:
        places = ("history/sessions", "history_data/sessions", "data/history")
        for number in range(240):
            session = f"session_{number % 12:08x}"
            record = self._record(f"record_{number:06}", session, KINDS[number % len(KINDS)])
            month = self.random.choice(("202510", "202511"))
            base = places[number % 12 % len(places)]
            place = f"{base}/{month}/{session}.jsonl"
            with self.tree.path(place).open("ab") as file:
                text = json.dumps(record, ensure_ascii=False)
                file.write(text.encode("utf-8", "backslashreplace") + b"\n")
            self.tree.tell("history", str(record["record_id"]), place, record)

    def _record(self, id: str, session: str, kind: str) -> dict[str, object]:
        metadata = {"free": self._value()}
        if kind == "message":
            said = self.random.choice(TEXTS)
            return message(id, session, timestamp=self._moment(), content=said, metadata=metadata)
        common = cost(id, session, timestamp=self._moment(), metadata=metadata)
        if kind == "cost":
            return common
        names = ("record_id", "session_id", "timestamp", "metadata")
        tokens = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        model = {"model": "gpt-4", "provider": "openai"}
        own: dict[str, dict[str, object]] = {
            "tool_call": {"tool_name": "search", "tool_input": {"q": 1}, "tool_output": None},
            "llm_request": {**model, "messages": [], "parameters": {}, "estimated_tokens": None},
            "llm_response": {
                "request_id": "r",
                "content": self.random.choice(TEXTS),
                "finish_reason": "stop",
                "token_usage": tokens,
                "response_time": 0.25,
                "model": "gpt-4",
            },
            "token_usage": {**model, **tokens, "source": "local", "confidence": 0.7},
        }
        return {**{name: common[name] for name in names}, **own[kind], "record_type": kind}

    def _checkpoints(self) -> None:
        rows: list[Row] = []
        for number in range(24):
            thread = f"thread_{number:08x}"
            for step in range(3):
                id_ = f"checkpoint_{number:04x}_{step}"
                state = {"step": step, "free": self._value(), "said": ["x" * 50] * step}
                rows.append(stored(thread, id_, f"2025-11-07T11:00:0{step}", state, note=number))
        self.tree.checkpoints(*rows)
        older: list[Row] = []
        for number, values in enumerate(({"state": {"n": 1}}, {"__root__": {"n": 1}}, {})):
            state = {"n": 1}
            blob = pack(f"2025-10-3{number % 2}T11:00:00", values)
            column = metadata_of({"workflow_id": "w", "state_data": state})
            thread = f"thread_{number:08x}"
            older.append((thread, "", f"older_{number}", None, "msgpack", blob, column))
        self.tree.checkpoints(*older, place="data/checkpoints.db")

    def _interfaces(self) -> None:
        for number in range(3):
            name = f"session_{number:08x}"
            events = [event(name, timestamp=self._moment(), data=self._value()) for _ in range(4)]
            document = replay(name, *events)
            self.tree.document(f"history/tui_{number}.json", document)
            rest = {key: value for key, value in document.items() if key != "events"}
            self.events[f"{name}~replay"] = rest
            self.events |= {f"{name}~event~{n:06}": value for n, value in enumerate(events)}
            metadata = {"state_data": {"n": [number, "\u00e4"]}}
            times = (self._moment(), self._moment())
            shown = json.dumps(metadata)
            api_row(self.tree, f"api-{number}", "a.yaml", "w", "active", *times, "{}", shown)
            self.rows[f"api-{number}"] = metadata

    def _agents(self) -> None:
        for number in range(6):
            thread = {"thread_id": f"thread_{number:08x}"} if number % 2 else {}
            texts = [json.dumps(each) for each in ({"added_free": self._value()}, thread)]
            row = change(
                f"change_{number}",
                agent_id=f"agent_{number % 2}",
                timestamp=self._moment(),
                state_diff=texts[0],
                metadata=texts[1],
            )
            state = json.dumps({"free": self._value(), "i": number})
            saved = snapshot(f"saved_{number}", timestamp=self._moment(), domain_state=state)
            put_rows(self.tree, row)
            put_rows(self.tree, saved)
            self.tree.tell("state_change", f"change_{number}", CHANGES, as_json(row))
            self.tree.tell("state_snapshot", f"saved_{number}", SNAPSHOTS, as_json(saved))
        self.tree.path("data/snapshots/old.pkl").write_bytes(PICKLE)
        self.skipped["data/snapshots/old.pkl"] = PICKLE
