"""Packed bodies: bytes that are a stored form already, closed with or without a dictionary."""

from __future__ import annotations

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.codecs.compress import PACK_MIN_BYTES, PACK_SAVES, Zstd
from ropewalk.codecs.dictionaries import MAGIC, named
from ropewalk.codecs.pipeline import Pipeline, make_pipeline
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.domain.limits import MAX_BODY_BYTES, MAX_OPENED_BYTES
from ropewalk.domain.ports import Dictionary, Sealed, Sealer
from ropewalk.domain.record import Key, Record

MANY = settings(max_examples=120, deadline=None, database=None)

KEY = Key("default", "node", "t1.0f0e")
WORDS = ("the", "question", "whether", "nobler", "mind", "suffer", "slings", "arrows", "fortune")


def message(seed: int, *, words: int = 60) -> bytes:
    """Return a message of an agent in its stored form."""
    rng = random.Random(seed)
    content = " ".join(rng.choices(WORDS, k=words))
    return MsgPack().dumps({"id": f"{rng.getrandbits(64):x}", "role": "user", "content": content})


CONTENT = b"".join(message(seed) for seed in range(40))
DICTIONARY = named(CONTENT)


def record(sealed: Sealed, key: Key = KEY) -> Record:
    """Return the record of a packed body."""
    return Record(
        key=key, version=1, created_at=0, updated_at=0, body=sealed.body, seal=sealed.seal
    )


@pytest.fixture
def pipeline() -> Pipeline:
    """Return the pipeline of the usual settings."""
    return make_pipeline()


@given(data=st.binary(max_size=200) | st.builds(bytes.__mul__, st.binary(), st.integers(0, 99)))
@MANY
def test_bytes_come_back(data: bytes) -> None:
    """Whatever is packed opens, with a dictionary and without."""
    sealer: Sealer = make_pipeline()
    assert data == sealer.unpack(record(sealer.pack(data, KEY)))
    leaning = sealer.pack(data, KEY, dictionary=DICTIONARY)
    assert data == sealer.unpack(record(leaning), dictionaries={DICTIONARY.name: DICTIONARY})


def test_the_seal_says_raw_and_names_the_dictionary(pipeline: Pipeline) -> None:
    """No serializer is named; a dictionary is, where the body leans on it."""
    text = message(1)
    assert "raw|zstd|crc32" == pipeline.pack(text, KEY).seal
    sealed = pipeline.pack(text, KEY, dictionary=DICTIONARY)
    assert f"raw|zstd:{DICTIONARY.name}|crc32" == sealed.seal
    assert "raw|crc32" == pipeline.pack(os.urandom(500), KEY, dictionary=DICTIONARY).seal
    assert len(sealed.body) < len(pipeline.pack(text, KEY).body)


def test_little_bodies_are_compressed_from_64_bytes_on() -> None:
    """Nodes are many, so even eight bytes pay, and not one byte less."""
    assert (64, 8) == (PACK_MIN_BYTES, PACK_SAVES)
    codec = Zstd()
    assert codec.pack(b"a" * 63, dictionary=None) is None
    assert codec.pack(b"a" * 64, dictionary=None) is not None
    kept = [codec.pack(os.urandom(99) + b"a" * n, dictionary=None) for n in range(60)]
    saved = [99 + n - len(each.data) for n, each in enumerate(kept) if each is not None]
    assert PACK_SAVES == min(saved)


def test_other_codecs_take_part(pipeline: Pipeline) -> None:
    """The same codecs in the same order; one that stands elsewhere is found by the seal."""
    backwards = make_pipeline(("crc32", "zstd"))
    sealed = backwards.pack(message(1), KEY, dictionary=DICTIONARY)
    assert f"raw|crc32|zstd:{DICTIONARY.name}" == sealed.seal
    assert message(1) == pipeline.unpack(record(sealed), dictionaries={DICTIONARY.name: DICTIONARY})
    assert "raw" == make_pipeline(()).pack(message(1), KEY).seal


@pytest.mark.seed("8.2")
def test_a_dictionary_that_is_not_at_hand_is_named(pipeline: Pipeline) -> None:
    """A sound body whose dictionary is missing is not called damaged."""
    sealed = pipeline.pack(message(1), KEY, dictionary=DICTIONARY)
    with pytest.raises(Invalid, match="is not at hand") as caught:
        pipeline.unpack(record(sealed))
    assert "unknown_dictionary" == caught.value.code
    assert {"dictionary": DICTIONARY.name, "key": KEY} == caught.value.facts


@pytest.mark.seed("8.2")
@pytest.mark.parametrize(
    "parameter", ["x", "../../etc/passwd".replace("/", "."), "0" * 15, "A" * 16]
)
def test_a_name_that_no_dictionary_has_is_damage(pipeline: Pipeline, parameter: str) -> None:
    """Only sixteen hexadecimal characters are asked for."""
    with pytest.raises(Corrupt) as caught:
        pipeline.unpack(record(Sealed(b"x", f"raw|zstd:{parameter}")))
    assert ("bad_seal", KEY) == (caught.value.code, caught.value.facts["key"])


@pytest.mark.seed("8.2")
@pytest.mark.parametrize(
    "content",
    [b"another content", b"", b"short", MAGIC + b"\0" * 100, CONTENT[:-1], MAGIC + CONTENT],
)
@pytest.mark.parametrize("honest", [True, False])
def test_a_wrong_dictionary_never_gives_a_value(content: bytes, *, honest: bool) -> None:
    """What goes by a name that it has not is damage; so is one that does not belong to the body.

    Without a checksum, bytes may come of it, but never more than the frame says.
    """
    pipeline = make_pipeline(("zstd",))
    sealed = pipeline.pack(message(1), KEY, dictionary=DICTIONARY)
    wrong = named(content) if honest else Dictionary(DICTIONARY.name, content)
    body = record(Sealed(sealed.body, f"raw|zstd:{wrong.name}"))
    with suppress(Corrupt) if honest else pytest.raises(Corrupt):
        opened = pipeline.unpack(body, dictionaries={wrong.name: wrong})
        assert len(message(1)) == len(opened)
    # The checksum binds the name as well.
    whole = make_pipeline()
    sealed = whole.pack(message(1), KEY, dictionary=DICTIONARY)
    moved = Sealed(sealed.body, f"raw|zstd:{wrong.name}|crc32")
    with pytest.raises(Corrupt):
        whole.unpack(record(moved), dictionaries={wrong.name: wrong})


@pytest.mark.parametrize("content", [b"", b"short", MAGIC + b"\0" * 100])
def test_a_broken_dictionary_closes_nothing(pipeline: Pipeline, content: bytes) -> None:
    """What is no dictionary is found before anything leans on it."""
    with pytest.raises(Corrupt, match="dictionary"):
        pipeline.pack(message(1), KEY, dictionary=named(content))


@pytest.mark.seed("8.2")
def test_every_flipped_bit_and_every_cut_is_found(pipeline: Pipeline) -> None:
    """Damage of a packed body is `Corrupt` with its key."""
    sealed = pipeline.pack(message(1), KEY, dictionary=DICTIONARY)
    damaged = [sealed.body[:end] for end in range(len(sealed.body))]
    for bit in range(len(sealed.body) * 8):
        changed = bytearray(sealed.body)
        changed[bit // 8] ^= 1 << bit % 8
        damaged.append(bytes(changed))
    for body in damaged:
        with pytest.raises(Corrupt, match=r"node/t1\.0f0e is damaged: .* restore") as caught:
            pipeline.unpack(
                record(Sealed(body, sealed.seal)), dictionaries={DICTIONARY.name: DICTIONARY}
            )
        assert KEY == caught.value.facts["key"]


@pytest.mark.seed("8.2")
def test_a_packed_body_belongs_to_its_key(pipeline: Pipeline) -> None:
    """A node does not open under another key."""
    sealed = pipeline.pack(message(1), KEY)
    for other in (replace(KEY, id="t1.0f0f"), replace(KEY, space="s"), replace(KEY, kind="state")):
        with pytest.raises(Corrupt, match="checksum"):
            pipeline.unpack(record(sealed, other))


@pytest.mark.parametrize("parameter", ["", f":{DICTIONARY.name}"])
def test_a_bomb_does_not_go_off(parameter: str) -> None:
    """Nothing beyond what an opened body may hold is inflated, whatever the frame promises."""
    # Magic, a descriptor (one segment, size in 8 bytes), the size, and one block of zeros.
    frame = bytes.fromhex("28b52ffde0") + (MAX_OPENED_BYTES + 1).to_bytes(8, "little") + b"\3\0\0\0"
    with pytest.raises(Corrupt, match="max_opened_bytes"):
        make_pipeline(("zstd",)).unpack(
            record(Sealed(frame, f"raw|zstd{parameter}")),
            dictionaries={DICTIONARY.name: DICTIONARY},
        )


async def test_objects_and_packed_bytes_are_told_apart(pipeline: Pipeline) -> None:
    """Neither way opens what the other closed, and no seal is mistaken."""
    with pytest.raises(Invalid, match="use unpack") as caught:
        await pipeline.unseal(record(pipeline.pack(message(1), KEY)))
    assert "packed" == caught.value.code
    with pytest.raises(Corrupt, match="does not begin with 'raw'"):
        pipeline.unpack(record(await pipeline.seal({}, KEY)))
    for seal in ("", "zstd|raw", "raw:1|zstd", "raw|"):
        with pytest.raises(Corrupt):
            pipeline.unpack(record(Sealed(b"x", seal)))
    with pytest.raises(Invalid, match="codec 'aesgcm'"):
        pipeline.unpack(record(Sealed(b"x", "raw|aesgcm:k1")))


def test_no_serializer_is_called_raw() -> None:
    """The word has its meaning in a seal already."""
    serializer = MsgPack()
    serializer.name = "raw"
    with pytest.raises(Invalid, match="no serializer can be called 'raw'"):
        Pipeline(serializer)


def test_headers_alone_cannot_be_unpacked(pipeline: Pipeline) -> None:
    """A record that was read without its body says so."""
    with pytest.raises(Invalid, match=r"headers alone.*bodies=True"):
        pipeline.unpack(replace(record(Sealed(b"", "raw")), body=None))


def test_limits_are_told_by_name(pipeline: Pipeline) -> None:
    """What no back end would take, and what could not be opened again, is not packed."""
    with pytest.raises(Invalid, match="max_body_bytes is 67108864"):
        pipeline.pack(os.urandom(MAX_BODY_BYTES), KEY)
    with pytest.raises(Invalid, match="max_opened_bytes is 268435456"):
        pipeline.pack(bytes(MAX_OPENED_BYTES + 1), KEY)


def test_threads_with_many_dictionaries_do_not_disturb_each_other(pipeline: Pipeline) -> None:
    """More dictionaries than are kept digested, in several threads at once: all come back."""
    dictionaries = [named(message(seed, words=200)) for seed in range(50)]
    known = {each.name: each for each in dictionaries}
    barrier = threading.Barrier(4)

    def there_and_back(worker: int) -> bool:
        barrier.wait(10)
        for at in range(300):
            text = message(at)
            lean = dictionaries[(at * (worker + 1)) % len(dictionaries)]
            sealed = pipeline.pack(text, KEY, dictionary=lean)
            if text != pipeline.unpack(record(sealed), dictionaries=known):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(there_and_back, range(4)))


def test_seals_that_somebody_makes_up_take_no_memory(pipeline: Pipeline) -> None:
    """The ways to open are remembered for some hundred seals, not for every one that comes."""
    for n in range(2_000):
        with pytest.raises(Invalid, match="not at hand"):
            pipeline.unpack(record(Sealed(b"", f"raw|zstd:{n:016x}")))
    remembered = pipeline._openings._ways  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    assert len(remembered) <= 512
