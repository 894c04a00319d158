"""A question that ends only when it is stopped, and how many seconds a test waits for a thread."""

from __future__ import annotations

from typing import Final

ENDLESS: Final = (
    "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n"
)
PATIENCE: Final = 30.0
