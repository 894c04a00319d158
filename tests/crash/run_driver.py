"""A process that drives a run, or rescues one whose driver died, and says how far it came.

Run as `python run_driver.py begin <url> <run>`: does the step `one`, gets half through the step
`two`, and waits there to be killed. Or as `python run_driver.py rescue <url> <run>`: looks for
orphans until that run is done, and goes on with it if nobody else does.
"""

from __future__ import annotations

import asyncio
import sys

import ropewalk
from ropewalk.domain.errors import Conflict, Unavailable
from ropewalk.domain.run import RunStatus
from ropewalk.services.runs.active import ActiveRun
from ropewalk.services.runs.step import Step
from ropewalk.services.storage import Storage

TTL = 0.4


def say(*words: object) -> None:
    """Write a line for the parent."""
    print(*words, flush=True)  # noqa: T201 (the pipe is what the parent waits for)


async def write(step: Step) -> str:
    """Do what every step does: a message, what it cost, and a state."""
    await step.history.add_message(thread_id="t", role="assistant", content=step.key)
    await step.history.add_token_usage(
        thread_id="t", model="m", prompt_tokens=1, completion_tokens=1
    )
    await step.checkpoints.append("t", {"done": [step.key]})
    return step.key


async def stuck(step: Step) -> None:
    """Come half through a step, and never further."""
    await write(step)
    say("half")
    await asyncio.Event().wait()


async def begin(storage: Storage, run_id: str) -> None:
    """Drive a run until somebody kills this process."""
    async with storage.run("t", id=run_id, workflow_id="w", ttl=TTL) as run:
        await run.step("one", write)
        await run.step("two", stuck)


async def work(run: ActiveRun[Storage]) -> None:
    """Do the whole workflow; what was done before is left out by itself."""
    for key in ("one", "two", "three"):
        await run.step(key, write)


async def rescue(storage: Storage, run_id: str) -> None:
    """Go on with the run as soon as it is an orphan, unless somebody else does."""
    while (await storage.runs.get(run_id)).status is not RunStatus.DONE:
        for orphan in await storage.runs.orphaned(workflow_id="w"):
            try:
                async with storage.runs.resume(
                    orphan.id, expected_version=orphan.version, ttl=TTL
                ) as run:
                    say("resumed", run.attempt)
                    await work(run)
            except (Conflict, Unavailable) as error:
                say("refused", error.code)
        await asyncio.sleep(0.02)


async def main() -> None:
    """Do as the command line says."""
    what, url, run_id = sys.argv[1:]
    async with ropewalk.open(url, actor=what) as storage:
        say("ready")
        await (begin if what == "begin" else rescue)(storage, run_id)


if __name__ == "__main__":
    asyncio.run(main())
