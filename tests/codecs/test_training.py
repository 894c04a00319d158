"""A dictionary is made where it pays, of few samples as of many, and goes by its content."""

from __future__ import annotations

import asyncio
import os
import random
from hashlib import blake2b

import pytest

from ropewalk.codecs.dictionaries import MAGIC, MIN_BYTES, is_name, named
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.codecs.serialize import MsgPack
from ropewalk.codecs.training import MIN_SAMPLES, MIN_SIZE, train
from ropewalk.domain.errors import Invalid
from ropewalk.domain.ports import Dictionary
from ropewalk.domain.record import Key, Record

KEY = Key("default", "node", "t1.0f0e")
SIZE = 4_096
SYLLABLES = ("ra", "to", "mi", "ke", "su", "lo", "ne", "vi", "da", "po")


def message(seed: int) -> bytes:
    """Return a message of an agent in its stored form: words that come again and again."""
    rng = random.Random(seed)
    words = ["".join(random.Random(rng.randrange(400)).choices(SYLLABLES, k=4)) for _ in range(60)]
    plain = {"id": f"{rng.getrandbits(64):x}", "role": "user", "content": " ".join(words)}
    return MsgPack().dumps(plain | {"tool_calls": [], "finish_reason": "stop"})


def packed_size(dictionary: Dictionary | None) -> int:
    """Return the bytes of fifty messages that nobody has seen, and open each of them."""
    pipeline = make_pipeline()
    known = {} if dictionary is None else {dictionary.name: dictionary}
    size = 0
    for seed in range(5_000, 5_050):
        sealed = pipeline.pack(message(seed), KEY, dictionary=dictionary)
        record = Record(
            key=KEY, version=1, created_at=0, updated_at=0, body=sealed.body, seal=sealed.seal
        )
        assert message(seed) == pipeline.unpack(record, dictionaries=known)
        size += len(sealed.body)
    return size


@pytest.mark.parametrize("count", [12, 96, 400])
def test_few_samples_are_enough(count: int) -> None:
    """Messages that come later get smaller by a tenth at least, and by more with more samples."""
    made = make_pipeline().train([message(seed) for seed in range(count)], size=SIZE)
    assert made is not None
    assert len(made.content) <= SIZE
    assert packed_size(made) * 10 < packed_size(None) * 9


def test_the_name_is_made_of_the_content() -> None:
    """Sixteen hexadecimal characters of BLAKE2b; equal samples give an equal dictionary."""
    samples = [message(seed) for seed in range(50)]
    one, two = (train(samples, size=SIZE, level=9) for _ in range(2))
    assert one is not None
    assert one == two
    assert blake2b(one.content, digest_size=8).hexdigest() == one.name
    assert is_name(one.name)
    assert [False] * 4 == [is_name(text) for text in ("", one.name[1:], "g" * 16, one.name + "\n")]


def test_nothing_is_made_where_nothing_is_gained() -> None:
    """Noise, too few samples, samples of nothing, and messages that share nothing."""
    assert train([os.urandom(1_000) for _ in range(50)], size=SIZE, level=9) is None
    assert train([message(seed) for seed in range(MIN_SAMPLES - 1)], size=SIZE, level=9) is None
    assert train([], size=SIZE, level=9) is None
    assert train([b"a"] * MIN_SAMPLES, size=SIZE, level=9) is None
    assert train([b""] * 100, size=SIZE, level=9) is None
    assert train([bytes([n]) for n in range(200)], size=SIZE, level=9) is None
    zeros = [bytes([n]) * 5_000 + os.urandom(2_000) for n in range(40)]
    assert train(zeros, size=SIZE, level=9) is None


def test_samples_of_all_sizes_and_kinds() -> None:
    """Whatever is in the samples, a dictionary comes of it that can be used, or none."""
    rng = random.Random(7)
    for count in (8, 9, 30, 200):
        for most in (2, 9, 300, 20_000):
            samples = [message(rng.randrange(9))[: rng.randrange(most)] for _ in range(count)]
            made = train(samples, size=rng.choice([MIN_SIZE, 1_000, SIZE]), level=9)
            if made is not None:
                assert len(made.content) >= MIN_BYTES
                packed_size(made)


def test_samples_that_look_like_a_dictionary_do_no_harm() -> None:
    """Content that begins as a trained dictionary would is not taken for one."""
    samples = [MAGIC * (seed % 3) + message(seed % 12) for seed in range(12)]
    made = train([MAGIC * 2_000, *samples], size=60_000, level=9)
    assert made is not None
    packed_size(made)


def test_a_size_that_holds_nothing_is_refused() -> None:
    """The least size is told."""
    with pytest.raises(Invalid, match="256 bytes or more, not 255") as caught:
        train([], size=MIN_SIZE - 1, level=9)
    assert "size" == caught.value.facts["field"]


async def test_it_works_beside_the_event_loop() -> None:
    """Several are made at once in worker threads, while other tasks go on."""
    pipeline = make_pipeline()
    samples = [[message(seed + 1_000 * n) for seed in range(60)] for n in range(4)]
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticker = asyncio.create_task(tick())
    made = await asyncio.gather(
        *(asyncio.to_thread(pipeline.train, each, size=SIZE) for each in samples)
    )
    ticker.cancel()
    assert None not in made
    assert 4 == len({each.name for each in made if each is not None})
    assert ticks > 1


def test_a_pipeline_without_compression_leans_on_nothing() -> None:
    """There is nobody to use a dictionary."""
    samples = [message(seed) for seed in range(50)]
    assert make_pipeline(("crc32",)).train(samples, size=SIZE) is None
    plain = make_pipeline(("crc32",)).pack(message(1), KEY, dictionary=named(message(2)))
    assert "raw|crc32" == plain.seal
