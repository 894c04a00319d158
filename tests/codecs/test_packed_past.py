"""Packed bodies of the past, with the dictionaries that they lean on: they must open, for ever."""

from __future__ import annotations

import base64
from typing import Final

import pytest

from ropewalk.codecs.dictionaries import MAGIC, named
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.ports import Dictionary
from ropewalk.domain.record import Key, Record

KEY: Final = Key("compat", "node", "family.00ff")
VALUE: Final = {
    "role": "user",
    "content": "to suraketo lotomida " * 3 + "vi raporami ponevipo",
    "finish_reason": "stop",
    "tool_calls": [],
    "n": list(range(9)),
}

TRAINED: Final = Dictionary(
    "d1c4f003e39561b2",
    base64.b64decode(
        "N6Qw7DguXQwhENhx0gEMw7DCBRPmvPe+h5R77/NWxNLYUVtbWxtmk6kIYwAgOHiooHq/GwAA"
        "BKDemwaSuGjGAQAAAABgAAAAAACAAQAAABAAAAAAAMQPKUhURUgqBgwhAGQOAAAAAAAAAQAA"
        "AAQAAAAIAAAAdG8gcmFzdXRvdmkgbWl2aXJhdmkga2Vwb2RhbWkgbG9sb21pZGEga2V2aXZp"
        "dG8gc3VuZXBvIG1pdG9rZXRvIHBvcmF2aXRvIGtla2VtaXZpIGtlc3Vsb3N1IGxvbmVkYW1p"
        "IHN1IHJhc3VtaXN1IG1pcmFuZWxvIHJhbG9zdXBvIHBvbG9uZXN1IHJha2V2aWxvIHRvbyB0"
        "b2tldG9sbyBsb3N1bG9zdSBsb2xvdG9yYSBkYW5ldmlzdSBtaXJhbWlkYSBtaXJkYSByYXRv"
        "a2VuZSBrZW5lcmFwbyB0b3N1dml2aSB2aWtlbWlkYSBwb3RvdmlrZSBwb2FsbyByYWxvbG9k"
        "YSBuZW5lbG9zdSBsb2tlcG9yYSByYQ=="
    ),
)
RAW: Final = Dictionary(
    "091a38aadfd66f44",
    base64.b64decode(
        "haJpZLBiNDIxZWFlYjUzNDA5N2NhpHJvbGWkdXNlcqdjb250ZW502gIbbG90b3JhdG8gZGFr"
        "ZWtlZGEgcmFwb3JhbWkgcG9uZXZpcG8gc3VzdWRhZGEgc3Vwb3RvcmEgZGF2aXZpdmkgbG9u"
        "ZWRhbWkgbG9sb2RhcG8gcG92aW5la2UgdG92aXJha2UgbWluZXRvdG8gZGFtaXBvc3Ugbg=="
    ),
)

PAST: Final = {
    "raw": (
        "haRyb2xlpHVzZXKnY29udGVudNlTdG8gc3VyYWtldG8gbG90b21pZGEgdG8gc3VyYWtldG8g"
        "bG90b21pZGEgdG8gc3VyYWtldG8gbG90b21pZGEgdmkgcmFwb3JhbWkgcG9uZXZpcG+tZmlu"
        "aXNoX3JlYXNvbqRzdG9wqnRvb2xfY2FsbHOQoW6ZAAECAwQFBgcI"
    ),
    "raw|crc32": (
        "haRyb2xlpHVzZXKnY29udGVudNlTdG8gc3VyYWtldG8gbG90b21pZGEgdG8gc3VyYWtldG8g"
        "bG90b21pZGEgdG8gc3VyYWtldG8gbG90b21pZGEgdmkgcmFwb3JhbWkgcG9uZXZpcG+tZmlu"
        "aXNoX3JlYXNvbqRzdG9wqnRvb2xfY2FsbHOQoW6ZAAECAwQFBgcIswjFVw=="
    ),
    "raw|zstd": (
        "KLUv/SCTTQMAkgYYIKApHf9/8MTLb2FghxBJgp0kWTBQmUiwAIBHBX773/4fiIOhQBgIAgCI"
        "Rh6cacySf0/Qm5Oe7XZhMCouKEf4nB4VNrZHtoVPmQKb97Pe17B1uN6JSuu1npHssZMuv8kR"
        "AQCK0CwD"
    ),
    "raw|zstd|crc32": (
        "KLUv/SCTTQMAkgYYIKApHf9/8MTLb2FghxBJgp0kWTBQmUiwAIBHBX773/4fiIOhQBgIAgCI"
        "Rh6cacySf0/Qm5Oe7XZhMCouKEf4nB4VNrZHtoVPmQKb97Pe17B1uN6JSuu1npHssZMuv8kR"
        "AQCK0CwDKS51Tg=="
    ),
    "raw|zstd:d1c4f003e39561b2|crc32": (
        "KLUv/SCTtQIAo8QPCDiAAQpAgAEIIAAA2IMahBzY82CGCg9zW0RzY4VQzFAXFa7AVq3GEdzc"
        "/77WkJCLprQpziBiKXOF0IdXITYBCPxL2LEdZCF+HPJ7pqWOBvI2bwS6LU9Y"
    ),
    "raw|zstd:091a38aadfd66f44|crc32": (
        "KLUv/SCTbQIAlAOF2VN0dG8gbWlkYSB2aa1maW5pc2hfcmVhc29upHN0b3CqdG9vbF9jYWxs"
        "c5ChbpkAAQIDBAUGBwgGAD7j4TigNc+mqoE2rHl45gokLMsZ"
    ),
    "raw|zstd:d1c4f003e39561b2": (
        "KLUv/SCTtQIAo8QPCDiAAQpAgAEIIAAA2IMahBzY82CGCg9zW0RzY4VQzFAXFa7AVq3GEdzc"
        "/77WkJCLprQpziBiKXOF0IdXITYBCPxL2LEdZCF+HPJ7pqWOBvI2bwQ="
    ),
    "raw|crc32|zstd:091a38aadfd66f44": (
        "KLUv/SCXjQIA1AOF2VN0dG8gbWlkYSB2aa1maW5pc2hfcmVhc29upHN0b3CqdG9vbF9jYWxs"
        "c5ChbpkAAQIDBAUGBwizCMVXBgA+4+E4oDXPpqqBNqx5eOYK"
    ),
}
"""Seals, and the bodies of one message under them; only ever added to."""


@pytest.mark.seed("7.2")
@pytest.mark.parametrize("seal", PAST)
def test_a_packed_body_of_the_past_opens(seal: str) -> None:
    """What any version packed, this version unpacks to the same bytes."""
    body = base64.b64decode(PAST[seal])
    record = Record(key=KEY, version=1, created_at=0, updated_at=0, body=body, seal=seal)
    known = {each.name: each for each in (TRAINED, RAW)}
    opened = make_pipeline().unpack(record, dictionaries=known)
    assert VALUE == MsgPack().loads(opened)


def test_names_of_dictionaries_stay() -> None:
    """The name of a content is the same for ever, and both sorts of content are here."""
    assert [True, False] == [each.content.startswith(MAGIC) for each in (TRAINED, RAW)]
    for each in (TRAINED, RAW):
        assert each == named(each.content)
