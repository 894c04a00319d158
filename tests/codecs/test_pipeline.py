"""A pipeline seals and opens: each body by its own seal, bound to its key, never a wrong value."""

from __future__ import annotations

import asyncio
import hmac
import os
import threading
from collections.abc import Mapping
from dataclasses import replace

import pytest

from ropewalk.codecs.allowlist import Opaque, TypeRegistry
from ropewalk.codecs.checksum import Crc32
from ropewalk.codecs.compress import Zstd
from ropewalk.codecs.pipeline import BIG_BYTES, DEFAULT_STEPS, Pipeline, make_pipeline
from ropewalk.codecs.recipe import Codec, Encoded
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.change import Put
from ropewalk.domain.errors import Corrupt, Invalid, RopewalkError
from ropewalk.domain.limits import MAX_BODY_BYTES, MAX_OPENED_BYTES
from ropewalk.domain.ports import Sealed, Sealer
from ropewalk.domain.record import Key, Record
from ropewalk.testing.codec import CodecContract
from ropewalk.testing.values import Value

KEY = Key("default", "checkpoint", "c1")
STATE = {"plan": ["search", ("trains", 2)], "step": 1, "text": "Rome " * 400}


class Mac:
    """A codec that binds: it signs the data and what they belong to, with one of several keys."""

    name = "mac"

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        """Sign with the current key, open with any."""
        self._keys = keys
        self._current = current

    def encode(self, data: bytes, aad: bytes) -> Encoded:
        """Put the signature in front."""
        signature = hmac.digest(self._keys[self._current], aad + data, "sha256")
        return Encoded(signature + data, self._current)

    def decode(self, data: bytes, aad: bytes, *, parameter: str) -> bytes:
        """Check the signature with the key that the seal names."""
        key = self._keys.get(parameter)
        if key is None:
            message = f"there is no key {parameter!r}"
            raise Corrupt(message, code="no_key")
        if not hmac.compare_digest(data[:32], hmac.digest(key, aad + data[32:], "sha256")):
            message = "the signature is wrong"
            raise Corrupt(message, code="signature")
        return data[32:]


class TestMac(CodecContract):
    """The codec of these tests is one that a user could publish."""

    binds_key = True
    detects_damage = True

    @pytest.fixture
    def codec(self) -> Codec:
        """Return a codec with one key."""
        return Mac({"k1": b"one"}, "k1")


def record(sealed: Sealed, key: Key = KEY) -> Record:
    """Return the record of a sealed body."""
    return Record(
        key=key, version=1, created_at=0, updated_at=0, body=sealed.body, seal=sealed.seal
    )


@pytest.fixture
def pipeline() -> Pipeline:
    """Return the pipeline of the usual settings."""
    return make_pipeline()


@pytest.mark.parametrize("value", [None, 0, "", {}, STATE, {"big": "x" * 1_000_000}])
async def test_a_value_comes_back(pipeline: Pipeline, value: Value) -> None:
    """Small and big, plain and typed: what was sealed opens."""
    sealer: Sealer = pipeline
    sealed = await sealer.seal(value, KEY)
    assert value == await sealer.unseal(record(sealed))


@pytest.mark.seed("6.4")
async def test_the_seal_says_what_was_done(pipeline: Pipeline) -> None:
    """Compression stands in the seal where it paid, and only there."""
    assert ("zstd", "crc32") == DEFAULT_STEPS
    assert "msgpack|zstd|crc32" == (await pipeline.seal(STATE, KEY)).seal
    assert "msgpack|crc32" == (await pipeline.seal({"a": 1}, KEY)).seal
    assert "msgpack|crc32" == (await pipeline.seal(os.urandom(5_000), KEY)).seal
    assert len((await pipeline.seal(STATE, KEY)).body) < 400


@pytest.mark.seed("7.2")
async def test_changed_settings_open_what_is_stored() -> None:
    """The record's own seal says how it is opened, whatever the settings are now."""
    writers = [
        make_pipeline(()),
        make_pipeline(("crc32",)),
        make_pipeline(("zstd",)),
        make_pipeline((Zstd(level=9), "crc32")),
        make_pipeline(("crc32", "zstd")),
    ]
    sealed = [await writer.seal(STATE, KEY) for writer in writers]
    assert len(writers) == len({each.body for each in sealed})
    for reader in writers:
        for each in sealed:
            assert STATE == await reader.unseal(record(each))


async def test_a_codec_of_the_user_takes_its_place() -> None:
    """A codec with keys stands between compression and checksum, its key in the seal."""
    keys = {"k3": b"three", "k4": b"four"}
    old = make_pipeline(("zstd", Mac(keys, "k3"), "crc32"))
    new = make_pipeline(("zstd", Mac(keys, "k4"), "crc32"))
    sealed = await old.seal(STATE, KEY)
    assert "msgpack|zstd|mac:k3|crc32" == sealed.seal
    assert STATE == await new.unseal(record(sealed))
    assert "msgpack|zstd|mac:k4|crc32" == (await new.seal(STATE, KEY)).seal


async def test_what_a_body_belongs_to_is_bound() -> None:
    """A body does not open under any other space, kind or id, nor under another seal."""
    for pipeline in (make_pipeline(), make_pipeline((Mac({"k": b"x"}, "k"),))):
        sealed = await pipeline.seal({"a": 1}, KEY)
        for other in (
            replace(KEY, space="other"),
            replace(KEY, kind="state"),
            replace(KEY, id="c2"),
            Key("defaultc", "heckpoint", "c1"),
        ):
            with pytest.raises(Corrupt) as caught:
                await pipeline.unseal(record(sealed, other))
            assert other == caught.value.facts["key"]


@pytest.mark.seed("8.2")
@pytest.mark.parametrize("value", [{"a": [1, (2,)], "b": "text"}, STATE], ids=["plain", "zstd"])
async def test_every_flipped_bit_and_every_cut_is_found(pipeline: Pipeline, value: Value) -> None:
    """Damage of a sealed body is `Corrupt` with its key: never a wrong value, never `None`."""
    sealed = await pipeline.seal(value, KEY)
    damaged = [sealed.body[:end] for end in range(len(sealed.body))]
    for bit in range(len(sealed.body) * 8):
        changed = bytearray(sealed.body)
        changed[bit // 8] ^= 1 << bit % 8
        damaged.append(bytes(changed))
    damaged += [sealed.body + b"\0", sealed.body * 2, b""]
    for body in damaged:
        with pytest.raises(Corrupt, match=r"checkpoint/c1 is damaged: .* restore") as caught:
            await pipeline.unseal(record(Sealed(body, sealed.seal)))
        assert KEY == caught.value.facts["key"]


@pytest.mark.seed("8.2")
async def test_a_big_damaged_body_is_found_too(pipeline: Pipeline) -> None:
    """The same holds for what is opened in a worker thread."""
    sealed = await pipeline.seal(os.urandom(200_000), KEY)
    body = bytearray(sealed.body)
    body[100_000] ^= 1
    with pytest.raises(Corrupt, match="c1 is damaged"):
        await pipeline.unseal(record(Sealed(bytes(body), sealed.seal)))


@pytest.mark.seed("8.2")
@pytest.mark.parametrize(
    "seal", ["msgpack|crc32", "msgpack|zstd", "msgpack", "crc32|zstd|msgpack", "", "zstd|crc32"]
)
async def test_a_wrong_seal_never_gives_a_value(pipeline: Pipeline, seal: str) -> None:
    """A body under another seal than its own does not open."""
    sealed = await pipeline.seal(STATE, KEY)
    with pytest.raises((Corrupt, Invalid)) as caught:
        await pipeline.unseal(record(Sealed(sealed.body, seal)))
    assert KEY == caught.value.facts["key"]


async def test_a_codec_that_is_not_set_up_is_named(pipeline: Pipeline) -> None:
    """A body that needs more than this program has is not called damaged."""
    for seal, name in (
        ("msgpack|zstd|aesgcm:k3|crc32", "codec 'aesgcm'"),
        ("json|crc32", "serializer 'json'"),
    ):
        body = Crc32().encode(b"x", b"").data
        with pytest.raises(Invalid, match=name) as caught:
            await make_pipeline(()).unseal(record(Sealed(body, seal.removesuffix("|crc32"))))
        assert ("unknown_codec", KEY) == (caught.value.code, caught.value.facts["key"])
    with pytest.raises(Invalid, match="did you mean 'crc32'"):
        await pipeline.unseal(record(Sealed(b"x", "msgpack|crc33")))


async def test_headers_alone_cannot_be_opened(pipeline: Pipeline) -> None:
    """A record that was read without its body says so."""
    alone = replace(record(Sealed(b"", "msgpack")), body=None)
    with pytest.raises(Invalid, match=r"headers alone.*bodies=True") as caught:
        await pipeline.unseal(alone)
    assert "no_body" == caught.value.code


async def test_what_cannot_be_kept_is_refused_with_key_and_path(pipeline: Pipeline) -> None:
    """The error of the serializer gets the key."""
    with pytest.raises(Invalid) as caught:
        await pipeline.seal({"state": [object()]}, KEY)
    assert caught.value.message.startswith("default/checkpoint/c1 cannot be kept: state[0] holds")
    facts = {"path": "state[0]", "type": "object", "key": KEY}
    assert ("unknown_type", facts) == (caught.value.code, caught.value.facts)


async def test_what_this_program_cannot_make_is_told_with_its_key() -> None:
    """A type that changed is not damage, and the record is named."""
    types = TypeRegistry()

    class Thing:
        """A class that changed its form."""

    types.register(Thing, tag="t", to_plain=lambda _: 1, from_plain=lambda plain: plain["x"])
    pipeline = make_pipeline(types=types)
    with pytest.raises(Invalid, match="c1 cannot be opened here: a stored 't'") as caught:
        await pipeline.unseal(record(await pipeline.seal(Thing(), KEY)))
    assert {"tag": "t", "key": KEY} == caught.value.facts
    reader = make_pipeline()
    assert isinstance(await reader.unseal(record(await pipeline.seal(Thing(), KEY))), Opaque)


async def test_a_body_beyond_its_limit_is_refused() -> None:
    """A body that no back end would take is refused by the name of the limit."""
    data = os.urandom(MAX_BODY_BYTES)
    with pytest.raises(Invalid, match="max_body_bytes is 67108864") as caught:
        await make_pipeline().seal(data, KEY)
    assert ("too_big", "max_body_bytes") == (caught.value.code, caught.value.facts["limit"])
    sealed = await make_pipeline(()).seal(data[:-5], KEY)
    assert MAX_BODY_BYTES == len(Put(key=KEY, body=sealed.body, seal=sealed.seal).body)


async def test_a_value_beyond_its_limit_is_refused_however_small_it_gets() -> None:
    """What could not be opened again is not sealed."""
    data = bytes(MAX_OPENED_BYTES)
    with pytest.raises(Invalid, match="max_opened_bytes is 268435456") as caught:
        await make_pipeline().seal(data, KEY)
    assert "max_opened_bytes" == caught.value.facts["limit"]


class Watch:
    """A codec that notes in which threads it is called, and waits where it is told to."""

    name = "watch"

    def __init__(self) -> None:
        """Begin with an open gate."""
        self.threads: list[int] = []
        self.called = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def encode(self, data: bytes, aad: bytes) -> Encoded:  # noqa: ARG002
        """Note the thread."""
        self.threads.append(threading.get_ident())
        self.called.set()
        assert self.gate.wait(10)
        return Encoded(data)

    def decode(self, data: bytes, aad: bytes, *, parameter: str) -> bytes:  # noqa: ARG002
        """Note the thread."""
        self.threads.append(threading.get_ident())
        self.called.set()
        assert self.gate.wait(10)
        return data


async def test_small_bodies_stay_and_big_ones_go_to_a_thread() -> None:
    """No body that takes long holds up the event loop, no small one pays for a thread."""
    watch, here = Watch(), threading.get_ident()
    pipeline = Pipeline(MsgPack(), watch)
    small = await pipeline.seal("x" * 1_000, KEY)
    await pipeline.unseal(record(small))
    assert [here, here] == watch.threads
    big = await pipeline.seal("x" * (BIG_BYTES + 1), KEY)
    await pipeline.unseal(record(big))
    assert here not in watch.threads[2:]


async def test_the_loop_goes_on_while_a_big_body_is_sealed() -> None:
    """Other tasks run while a worker thread compresses; cancelling the caller is quick."""
    watch = Watch()
    pipeline = Pipeline(MsgPack(), watch)
    watch.gate.clear()
    try:
        task = asyncio.create_task(pipeline.seal("x" * 1_000_000, KEY))
        assert await asyncio.to_thread(watch.called.wait, 10)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        watch.gate.set()


async def test_the_value_is_taken_as_it_is_at_the_call() -> None:
    """What the program changes while a worker thread is at work does not get into the body."""
    watch = Watch()
    pipeline = Pipeline(MsgPack(), watch)
    state = {"items": ["x" * BIG_BYTES], "inner": {"n": 1}}
    watch.gate.clear()
    task = asyncio.create_task(pipeline.seal(state, KEY))
    assert await asyncio.to_thread(watch.called.wait, 10)
    state["items"].append("later")  # type: ignore[attr-defined]
    state["inner"]["n"] = 2  # type: ignore[index]
    watch.gate.set()
    opened = await pipeline.unseal(record(await task))
    assert {"items": ["x" * BIG_BYTES], "inner": {"n": 1}} == opened


async def test_many_bodies_at_once(pipeline: Pipeline) -> None:
    """Tasks that seal and open big bodies together do not disturb each other."""

    async def there_and_back(n: int) -> bool:
        key = Key("default", "state", str(n))
        value = {"n": n, "text": f"{n} times " * 20_000}
        return value == await pipeline.unseal(record(await pipeline.seal(value, key), key))

    assert all(await asyncio.gather(*map(there_and_back, range(40))))


def test_a_codec_stands_in_a_pipeline_once() -> None:
    """Two codecs of one name could not be told apart in a seal."""
    with pytest.raises(Invalid, match="once, and here are zstd, crc32, zstd"):
        make_pipeline(("zstd", "crc32", Zstd(level=9)))


@pytest.mark.parametrize(
    ("name", "words"),
    [("zsdt", "did you mean 'zstd'"), ("msgpack", "'msgpack' is no codec"), ("", "no codec ''")],
)
def test_a_wrong_name_is_refused(name: str, words: str) -> None:
    """Unknown names are errors with a suggestion, and a serializer is no codec."""
    with pytest.raises(Invalid, match=words):
        make_pipeline((name,))


def test_a_name_that_cannot_stand_in_a_seal_is_refused() -> None:
    """A codec whose name would break the seal is refused when the pipeline is made."""
    watch = Watch()
    watch.name = "two|names"
    with pytest.raises(Invalid, match="would not survive in a seal"):
        Pipeline(MsgPack(), watch)


def test_classes_are_found_by_whoever_is_asked() -> None:
    """The factory's own registry may find codecs that are not built in."""
    asked: list[str] = []

    def load(name: str) -> type[object]:
        asked.append(name)
        return {"watch": Watch, "zstd": Zstd, "crc32": Crc32, "msgpack": MsgPack}[name]

    assert isinstance(make_pipeline(("watch",), load=load), Pipeline)
    assert "watch" == asked[0]


async def test_errors_of_other_kinds_pass_through() -> None:
    """A codec that cannot work now says so itself; the pipeline does not call it damage."""

    class Locked(Watch):
        """A codec whose key is not at hand."""

        def decode(self, data: bytes, aad: bytes, *, parameter: str) -> bytes:  # noqa: ARG002
            """Refuse."""
            message = "the key store does not answer"
            raise RopewalkError(message, code="locked")

    pipeline = Pipeline(MsgPack(), Locked())
    with pytest.raises(RopewalkError, match="key store") as caught:
        await pipeline.unseal(record(await pipeline.seal(1, KEY)))
    assert "locked" == caught.value.code
