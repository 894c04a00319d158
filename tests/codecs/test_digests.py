"""A dictionary is made ready once, for its name and content, and never for another content."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from zstandard import ZstdCompressionDict, ZstdDecompressor

from ropewalk.codecs.compress import Zstd
from ropewalk.codecs.dictionaries import MAGIC, named
from ropewalk.codecs.digests import Digests
from ropewalk.domain.errors import Corrupt
from ropewalk.domain.ports import Dictionary

CONTENT = b"to be or not to be, that is the question; whether 'tis nobler in the mind to suffer"
DICTIONARY = named(CONTENT)
BODY = CONTENT[20:] * 2


def test_a_dictionary_is_digested_once() -> None:
    """The same one comes back, also for another object of the same content."""
    digests = Digests()
    made = digests.find(DICTIONARY)
    assert made is digests.find(DICTIONARY)
    assert made is digests.find(named(bytes(bytearray(CONTENT))))
    assert CONTENT == made.as_bytes()


@pytest.mark.seed("8.2")
@pytest.mark.parametrize("content", [b"", b"short", CONTENT + b"!", MAGIC + CONTENT])
def test_what_goes_by_a_name_that_it_has_not_is_refused(content: bytes) -> None:
    """Also where the one that has the name is known already."""
    digests = Digests()
    for _ in range(2):
        with pytest.raises(Corrupt, match="not the one of its name") as caught:
            digests.find(Dictionary(DICTIONARY.name, content))
        assert {"dictionary": DICTIONARY.name} == caught.value.facts
        digests.find(DICTIONARY)


@pytest.mark.seed("8.2")
def test_a_content_that_only_looks_trained_is_refused() -> None:
    """It begins as a trained dictionary does, and the statistics behind that are none."""
    broken = named(MAGIC + CONTENT)
    with pytest.raises(Corrupt, match=f"{broken.name}' is none of Zstandard"):
        Digests().find(broken)


def test_those_made_last_are_kept() -> None:
    """Memory is bounded, and one that was given up is made again."""
    digests = Digests()
    first = digests.find(DICTIONARY)
    others = [named(CONTENT + bytes([n])) for n in range(32)]
    made = [digests.find(each) for each in others]
    assert made == [digests.find(each) for each in others]
    assert first is not digests.find(DICTIONARY)


def test_a_digest_serves_several_threads() -> None:
    """Threads that all begin with one at once open the same bytes with it."""
    frame = Zstd().pack(BODY, dictionary=DICTIONARY)
    assert frame is not None
    digests = Digests()
    barrier = threading.Barrier(4)

    def opened(_: int) -> bytes:
        barrier.wait(10)
        made: ZstdCompressionDict = digests.find(DICTIONARY)
        return ZstdDecompressor(dict_data=made).decompress(frame.data)

    with ThreadPoolExecutor(4) as pool:
        assert [BODY] * 4 == list(pool.map(opened, range(4)))


def test_a_pipeline_is_imported_without_the_library() -> None:
    """Zstandard is loaded when its codec is made, for a program may do without."""
    code = (
        "import sys; from ropewalk.codecs.pipeline import make_pipeline\n"
        "print('zstandard' in sys.modules)\n"
        "make_pipeline(); print('zstandard' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ["False", "True"] == run.stdout.split()
