"""`Embedder`: which texts of a value are embedded, and the vectors that come out."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    IndexConfig,
    PutOp,
    ensure_embeddings,
    get_text_at_path,
    tokenize_path,
)
from langgraph.store.base.embed import EmbeddingsLambda

from ....domain.errors import Invalid
from ....domain.memory import Name, Vectors
from ..bridge import Bridge
from .plan import Plan

Vector: TypeAlias = Sequence[float]
Path: TypeAlias = str | list[str]

WHOLE = "$"
"""Stands for the whole value, as JSON."""


class Embedded:
    """The vectors of one batch: of the texts to be kept, and of those searched for."""

    def __init__(
        self, texts: Mapping[str, Vector] | None = None, queries: Mapping[str, Vector] | None = None
    ) -> None:
        """Hold vectors by their text."""
        self.texts = texts or {}
        self.queries = queries or {}


class Embedder:
    """Ask an embedding model for vectors, each text of a batch once."""

    def __init__(self, index: IndexConfig, bridge: Bridge) -> None:
        """Work as `index` says; raise `Invalid` where it names no dimensions or no model."""
        self.dims = index.get("dims", 0)
        embed = index.get("embed")
        if self.dims < 1 or embed is None:
            message = 'an index needs its dimensions and a model: {"dims": 1536, "embed": ...}'
            raise Invalid(message, code="bad_index", field="index")
        self.embeddings: Embeddings = ensure_embeddings(embed)
        self._bridge = bridge
        self._fields = [_tokens(path) for path in index.get("fields") or [WHOLE]]

    def embed(self, plan: Plan) -> Embedded:
        """Ask for all vectors of a batch, in this thread."""
        texts, queries = self._texts(plan), plan.queries
        if not texts and not queries:
            return Embedded()
        if _only_async(self.embeddings):
            return self._bridge.run(self.aembed(plan))
        vectors = self.embeddings.embed_documents(texts) if texts else []
        asked = [self.embeddings.embed_query(query) for query in queries]
        return self._embedded(texts, vectors, queries, asked)

    async def aembed(self, plan: Plan) -> Embedded:
        """Ask for all vectors of a batch on this event loop."""
        texts, queries = self._texts(plan), plan.queries
        vectors = await self.embeddings.aembed_documents(texts) if texts else []
        asked = await asyncio.gather(*map(self.embeddings.aembed_query, queries))
        return self._embedded(texts, vectors, queries, asked)

    def vectors(self, name: Name, op: PutOp, embedded: Embedded) -> list[Vectors]:
        """Return the vectors of what an operation puts, none where it is not to be found by."""
        rows = [embedded.texts[text] for text in self._texts_of(op)]
        if not rows:
            return []
        floats = b"".join(struct.pack(f"<{self.dims}f", *row) for row in rows)
        return [Vectors(name=name, dims=self.dims, floats=floats)]

    def _texts(self, plan: Plan) -> list[str]:
        return list(dict.fromkeys(t for op in plan.puts.values() for t in self._texts_of(op)))

    def _texts_of(self, op: PutOp) -> list[str]:
        if op.value is None or op.index is False:
            return []
        paths = self._fields if op.index is None else [_tokens(path) for path in op.index]
        texts: list[str] = []
        for path in paths:
            texts += get_text_at_path(op.value, path)
        return texts

    def _embedded(
        self,
        texts: Sequence[str],
        vectors: Sequence[Vector],
        queries: Sequence[str],
        asked: Sequence[Vector],
    ) -> Embedded:
        for given, came in ((texts, vectors), (queries, asked)):
            if len(given) != len(came):
                message = f"the model gave {len(came)} vectors for {len(given)} texts"
                raise Invalid(message, code="bad_vectors", field="index")
        for vector in (*vectors, *asked):
            if len(vector) != self.dims:
                message = (
                    f"the model gave a vector of {len(vector)} dimensions, and the index has "
                    f"{self.dims}: name the dimensions of the model"
                )
                raise Invalid(message, code="bad_vectors", field="dims")
        return Embedded(
            dict(zip(texts, vectors, strict=True)), dict(zip(queries, asked, strict=True))
        )


def _tokens(path: str) -> Path:
    return path if path == WHOLE else tokenize_path(path)


def _only_async(embeddings: Any) -> bool:  # noqa: ANN401 (a class of LangGraph without attributes)
    return isinstance(embeddings, EmbeddingsLambda) and not hasattr(embeddings, "func")
