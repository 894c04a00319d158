"""A program that writes into a store: threads, messages and states, some of it removed again.

Run as `python committing.py <url>`; it says when it has begun, and ends once its input does.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from ropewalk.factory import open


async def main() -> None:
    """Do rounds, with a breath between them, until it is told to end."""
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    async with open(sys.argv[1]) as storage:
        await storage.sessions.create(id="s")
        print("begun", flush=True)  # noqa: T201 (the pipe says that there is something)
        for number in itertools.count():
            if ended.done():
                return
            await storage.threads.create(id=f"t{number}", session_id="s")
            for turn in range(3):
                await storage.history.add_message(
                    thread_id=f"t{number}", role="user", content=f"{number} {turn}"
                )
                state = {"turns": list(range(turn * 50)), "number": number}
                await storage.checkpoints.save(f"t{number}", state)
            await storage.sessions.update("s", title=f"round {number}")
            if number % 4 == 3:
                await storage.threads.delete(f"t{number - 2}")
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
