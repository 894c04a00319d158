"""Turn objects into bytes, fewer bytes and sealed bytes, and back again."""
