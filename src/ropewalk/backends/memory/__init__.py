"""Records in this process: dictionaries and sorted lists, which are also the reference model."""

from .backend import MemoryBackend

__all__ = ["MemoryBackend"]
