"""Many packed bodies opened in one call are what each of them is, opened alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.codecs.checksum import Crc32
from ropewalk.codecs.compress import Zstd
from ropewalk.codecs.dictionaries import named
from ropewalk.codecs.foreign import ForeignValues
from ropewalk.codecs.pipeline import Pipeline, make_pipeline
from ropewalk.codecs.recipe import Encoded, bytes_of_keys, key_bytes
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.domain.packed import unpack_all
from ropewalk.domain.ports import NO_DICTIONARIES, Dictionary
from ropewalk.domain.record import Key, Record

TEXT = b"whether it is nobler in the mind to suffer the slings and arrows; " * 4
ONE, OTHER = named(TEXT), named(TEXT[::-1])
KNOWN = {ONE.name: ONE, OTHER.name: OTHER}
LEANING: tuple[Dictionary | None, ...] = (None, ONE, OTHER)


class Upside:
    """A codec that knows of one body at a time."""

    name = "upside"

    def encode(self, data: bytes, aad: bytes) -> Encoded:
        """Turn the bytes round."""
        del aad
        return Encoded(data[::-1])

    def decode(self, data: bytes, aad: bytes, *, parameter: str) -> bytes:
        """Turn them back."""
        del aad, parameter
        return data[::-1]


def _packed(pipeline: Pipeline, data: bytes, id: str, lean: Dictionary | None = None) -> Record:
    key = Key("default", "node", id)
    sealed = pipeline.pack(data, key, dictionary=lean)
    return Record.bare(key, 1, times=(0, 0), seal=sealed.seal, body=sealed.body)


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=40) | st.integers(0, 200).map(lambda n: TEXT[:n] * 2),
            st.text(min_size=1, max_size=3),
            st.sampled_from(LEANING),
        ),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None, database=None)
def test_each_comes_back_at_its_place(
    given_: list[tuple[bytes, str, Dictionary | None]],
) -> None:
    """Bodies with and without dictionaries, packed or left as they are, in the order asked."""
    pipeline = make_pipeline((Upside(), "zstd", "crc32"))
    records = [_packed(pipeline, data, id, lean) for data, id, lean in given_]
    opened = pipeline.unpack_all(records, dictionaries=KNOWN)
    assert [data for data, _, _ in given_] == opened
    assert [key_bytes(r.key) for r in records] == bytes_of_keys([r.key for r in records])


def test_keys_of_many_places_are_told_apart() -> None:
    """The bytes of a key are those of its own space and kind, whatever stood before it."""
    keys = [Key(s, k, i) for s in ("a", "bb") for k in ("c", "dd") for i in ("e", "f", "gg")]
    assert [key_bytes(key) for key in keys] == bytes_of_keys(keys)
    assert [] == bytes_of_keys([])


@pytest.mark.seed("8.2")
@pytest.mark.parametrize("at", [0, 7, 19])
def test_one_damaged_body_is_named(at: int) -> None:
    """The error tells the key of the one that is damaged, and nothing is opened."""
    pipeline = make_pipeline()
    records = [_packed(pipeline, TEXT + bytes([n]), f"t.{n}", ONE) for n in range(20)]
    body = records[at].body
    assert body is not None
    records[at] = replace(records[at], body=body[:9] + bytes([body[9] ^ 1]) + body[10:])
    with pytest.raises(Corrupt) as caught:
        pipeline.unpack_all(records, dictionaries=KNOWN)
    assert ("checksum", records[at].key) == (caught.value.code, caught.value.facts["key"])


@pytest.mark.seed("8.2")
def test_one_body_under_the_key_of_another_is_damage() -> None:
    """Each body is bound to its own key, also among many."""
    pipeline = make_pipeline()
    records = [_packed(pipeline, TEXT, f"t.{n}") for n in range(3)]
    records[1] = replace(records[1], body=records[2].body)
    with pytest.raises(Corrupt) as caught:
        pipeline.unpack_all(records)
    assert records[1].key == caught.value.facts["key"]


def test_a_dictionary_that_is_not_at_hand_is_named() -> None:
    """As for one body, so that whoever asked can fetch it."""
    pipeline = make_pipeline()
    records = [_packed(pipeline, TEXT, "t.1"), _packed(pipeline, TEXT, "t.2", OTHER)]
    with pytest.raises(Invalid) as caught:
        pipeline.unpack_all(records, dictionaries={ONE.name: ONE})
    assert ("unknown_dictionary", OTHER.name) == (
        caught.value.code,
        caught.value.facts["dictionary"],
    )


def test_headers_alone_cannot_be_opened() -> None:
    """A record without its body is refused, by its key."""
    pipeline = make_pipeline()
    record = replace(_packed(pipeline, TEXT, "t.1"), body=None)
    with pytest.raises(Invalid, match=r"node/t\.1"):
        pipeline.unpack_all([_packed(pipeline, TEXT, "t.2"), record])


@pytest.mark.seed("8.2")
def test_codecs_refuse_one_bad_body_among_good_ones() -> None:
    """What is no frame, or has no checksum of its own, or a parameter that was never given."""
    frames = [Zstd().pack(TEXT, dictionary=None), Zstd().pack(TEXT[1:], dictionary=None)]
    good = [frame.data for frame in frames if frame is not None]
    assert [TEXT, TEXT[1:]] == Zstd().unpack_all(good, dictionary=None)
    for bad in (b"", b"no frame", good[0][:-1], good[0] + b"x"):
        with pytest.raises(Corrupt):
            Zstd().unpack_all([*good, bad], dictionary=None)
    sums = [Crc32().encode(b"data", aad).data for aad in (b"a", b"b")]
    assert [b"data"] * 2 == Crc32().decode_all(sums, (b"a", b"b"), parameter="")
    for bad in (b"", b"abc", sums[0], crc32(b"b").to_bytes(4, "big")):
        with pytest.raises(Corrupt):
            Crc32().decode_all([sums[0], bad], (b"a", b"b"), parameter="")
    with pytest.raises(Corrupt, match="parameter"):
        Crc32().decode_all(sums, (b"a", b"b"), parameter="x")


@given(pieces=st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=60, deadline=None, database=None)
def test_a_form_may_lie_in_pieces(pieces: list[int]) -> None:
    """A plain value, a typed one and another program's are read from pieces as from one."""
    for values, value in (
        (MsgPack(), [{"a": 1}, "text", 2.5]),
        (MsgPack(), [{1, 2}, ("a", b"b")]),
        (ForeignValues("other"), [{"a": 1}, "text"]),
    ):
        form = values.dumps(value)
        ends = sorted(min(piece, len(form)) for piece in pieces)
        parts = [form[a:b] for a, b in pairwise([0, *ends, len(form)])]
        assert value == values.loads(*parts)
        with pytest.raises(Corrupt):
            values.loads(*parts, b"\x01")


class OneByOne(Pipeline):
    """A sealer that knows nothing of many, and counts."""

    unpack_all = property()  # pyright: ignore[reportAssignmentType]
    asked = 0

    def unpack(
        self, record: Record, *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> bytes:
        """Count."""
        self.asked += 1
        return super().unpack(record, dictionaries=dictionaries)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_who_opens_one_at_a_time_is_asked_for_each(count: int) -> None:
    """A sealer need not open many in one call."""
    records: Sequence[Record] = [_packed(make_pipeline(), TEXT, f"t.{n}") for n in range(count)]
    plain = OneByOne(make_pipeline().values, Zstd(), Crc32())
    assert [TEXT] * count == unpack_all(plain, records)
    assert count == plain.asked
    assert [TEXT] * count == unpack_all(make_pipeline(), records)
