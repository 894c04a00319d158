"""Bodies of values that lean on a dictionary: smaller, told by their seal, opened with it alone."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.codecs.compress import LEAN_MOST_BYTES, PACK_MIN_BYTES, Zstd
from ropewalk.codecs.dictionaries import named
from ropewalk.codecs.pipeline import BIG_BYTES, BIG_SEALED_BYTES, Pipeline, make_pipeline
from ropewalk.codecs.recipe import Packer
from ropewalk.domain.archive import Peeler
from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.domain.leaning import Leaner
from ropewalk.domain.ports import NO_DICTIONARIES, Dictionary, Sealed
from ropewalk.domain.record import Key, Record

pytestmark = pytest.mark.seed("6.4")

KEY = Key("default", "message", "m")
DICTIONARY = named(b" ".join(b"the question whether %d nobler" % n for n in range(200)))
HAND = {DICTIONARY.name: DICTIONARY}
SEAL = f"msgpack|zstd:{DICTIONARY.name}|crc32"


def value(seed: int, *, words: int = 20) -> dict[str, object]:
    """Return a letter that has much in common with the dictionary."""
    numbers = random.Random(seed).choices(range(200), k=words)
    return {"data": {"text": " ".join(f"the question whether {n} nobler" for n in numbers)}}


def record(sealed: Sealed, key: Key = KEY) -> Record:
    """Return the record of a body."""
    return Record.bare(key, 1, times=(0, 0), seal=sealed.seal, body=sealed.body)


@pytest.fixture
def pipeline() -> Pipeline:
    """Return the pipeline of the usual settings."""
    return make_pipeline()


@given(
    data=st.dictionaries(st.text(), st.text() | st.binary() | st.integers(0, 9)),
    times=st.integers(1, 30),
)
@settings(max_examples=80, deadline=None, database=None)
def test_values_come_back(data: dict[str, object], times: int) -> None:
    """Whatever is sealed so opens so, to the byte, and equal values give equal bytes."""
    codec = Zstd()
    raw = make_pipeline().values.dumps([data] * times)
    leaning = codec.lean(raw, dictionary=DICTIONARY)
    assert leaning == codec.lean(raw, dictionary=DICTIONARY)
    if leaning is not None:
        assert DICTIONARY.name == leaning.parameter
        assert raw == codec.unpack(leaning.data, dictionary=DICTIONARY)


async def test_the_seal_names_the_dictionary(pipeline: Pipeline) -> None:
    """Where it was of use; and nothing but the seal says what a body needs."""
    assert isinstance(pipeline, Leaner)
    assert isinstance(Zstd(), Packer)
    sealed = await pipeline.seal_leaning(value(1), KEY, dictionary=DICTIONARY)
    plain = await pipeline.seal(value(1), KEY)
    assert (SEAL, "msgpack|crc32") == (sealed.seal, plain.seal)
    assert 3 * len(sealed.body) < len(plain.body)
    assert value(1) == pipeline.unseal_leaning_at_once(record(sealed), dictionaries=HAND)
    assert value(1) == await pipeline.unseal_leaning(record(sealed), dictionaries=HAND)
    assert value(1) == pipeline.unseal_at_once(record(plain))
    told = [pipeline.leans_on(seal) for seal in (SEAL, plain.seal, "", "json", "a||b", "x:1")]
    assert [DICTIONARY.name, "", "", "", "", ""] == told
    assert "" == pipeline.leans_on(f"raw|zstd:{DICTIONARY.name}|crc32")


async def test_what_gains_nothing_does_not_lean(pipeline: Pipeline) -> None:
    """Tiny bodies, long ones, and those that would hardly be smaller."""
    assert (64, 16_384) == (PACK_MIN_BYTES, LEAN_MOST_BYTES)
    codec = Zstd()
    assert codec.lean(b"a" * 63, dictionary=DICTIONARY) is None
    assert codec.lean(b"a" * 64, dictionary=DICTIONARY) is not None
    assert codec.lean(random.Random(1).randbytes(500), dictionary=DICTIONARY) is None
    long = value(1, words=800)
    sealed = await pipeline.seal_leaning(long, KEY, dictionary=DICTIONARY)
    assert "msgpack|zstd|crc32" == sealed.seal
    assert long == await pipeline.unseal(record(sealed))


async def test_it_cannot_be_opened_without(pipeline: Pipeline) -> None:
    """What is missing is named, and another dictionary of that name is refused."""
    sealed = await pipeline.seal_leaning(value(1), KEY, dictionary=DICTIONARY)
    with pytest.raises(Invalid, match="not at hand") as told:
        pipeline.unseal_leaning_at_once(record(sealed), dictionaries=NO_DICTIONARIES)
    assert ("unknown_dictionary", DICTIONARY.name) == (
        told.value.code,
        told.value.facts["dictionary"],
    )
    with pytest.raises(Invalid, match="not at hand"):
        await pipeline.unseal(record(sealed))
    other = {DICTIONARY.name: Dictionary(DICTIONARY.name, b"another content altogether")}
    with pytest.raises(Corrupt, match="is not the one of its name"):
        pipeline.unseal_leaning_at_once(record(sealed), dictionaries=other)
    with pytest.raises(Corrupt, match="is not the one of its name"):
        await pipeline.seal_leaning(value(1), KEY, dictionary=other[DICTIONARY.name])
    with pytest.raises(Corrupt, match="cannot be the name of a dictionary"):
        pipeline.unseal_at_once(record(Sealed(sealed.body, "msgpack|zstd:best|crc32")))


async def test_no_changed_byte_goes_unnoticed(pipeline: Pipeline) -> None:
    """In the body, and under another key, as for every other body."""
    sealed = await pipeline.seal_leaning(value(1), KEY, dictionary=DICTIONARY)
    for at in range(len(sealed.body)):
        body = sealed.body[:at] + bytes([sealed.body[at] ^ 4]) + sealed.body[at + 1 :]
        with pytest.raises(Corrupt):
            pipeline.unseal_leaning_at_once(record(Sealed(body, SEAL)), dictionaries=HAND)
    with pytest.raises(Corrupt, match="checksum"):
        moved = record(sealed, Key("default", "message", "n"))
        pipeline.unseal_leaning_at_once(moved, dictionaries=HAND)


async def test_bodies_are_peeled_and_dressed(pipeline: Pipeline) -> None:
    """As far as what the serializer wrote, and back to the same bytes."""
    assert isinstance(pipeline, Peeler)
    sealed = await pipeline.seal_leaning(value(1), KEY, dictionary=DICTIONARY)
    peeled = pipeline.peel(record(sealed), dictionaries=HAND)
    assert ("msgpack", DICTIONARY.name) == (peeled.form, peeled.dictionary)
    assert pipeline.values.dumps(value(1)) == peeled.data
    assert sealed == pipeline.dress(peeled, KEY, dictionary=DICTIONARY)
    assert await pipeline.seal(value(1), KEY) == pipeline.dress(peeled, KEY)


async def test_big_bodies_go_to_a_thread(pipeline: Pipeline) -> None:
    """They are sealed and opened as ever, whatever dictionary is at hand."""
    rng = random.Random(1)
    long = {"data": {"raw": rng.randbytes(BIG_BYTES)}}
    sealed = await pipeline.seal_leaning(long, KEY, dictionary=DICTIONARY)
    assert len(sealed.body) > BIG_SEALED_BYTES
    assert pipeline.unseal_leaning_at_once(record(sealed), dictionaries=HAND) is None
    assert long == await pipeline.unseal_leaning(record(sealed), dictionaries=HAND)


def test_a_thread_keeps_a_few_engines() -> None:
    """Bodies of many spaces in turn do not take memory without end."""
    codec = Zstd()
    spaces = [named(b"space %d: the question whether nobler " % n * 9) for n in range(40)]
    text = b"the question whether nobler " * 9
    for _ in range(2):
        for dictionary in spaces:
            leaning = codec.lean(text, dictionary=dictionary)
            assert leaning is not None
            assert text == codec.unpack(leaning.data, dictionary=dictionary)
    packers, openers = codec._local.kept  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    assert (32, 32) == (packers, openers)
