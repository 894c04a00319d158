"""A folder of the legacy program's settings, as somebody would still have it."""

from __future__ import annotations

from pathlib import Path

GLOBAL = """
log_level: INFO
checkpoint:
  enabled: true
  storage_type: "sqlite"
  auto_save: true
  save_interval: 5
  max_checkpoints: 100
  retention_days: 30
  trigger_conditions: [tool_call, state_change]
  db_path: "storage/checkpoints.db"
  compression: false
"""

GROUPS = """
default: {storage_type: memory}
production:
  storage_type: sqlite
  db_path: "${CHECKPOINT_DB_PATH:./data/prod checkpoints.db}"
"""

HISTORY = """
history:
  enabled: true
  storage: {type: file, base_path: ./history}
  pricing:
    "openai:gpt-4": {prompt_price_per_1k: 0.03, completion_price_per_1k: 0.06}
"""

REST = """
components: {sessions: {storage_type: file, storage_path: sessions, auto_save: true}}
thread_features: {branching: {enabled: true}}
graph: {checkpointer: "sqlite:x.db"}
"""


def write_configs(place: Path) -> None:
    """Write all of them into a new folder."""
    (place / "checkpoints").mkdir(parents=True)
    for name, text in {
        "global.yaml": GLOBAL,
        "checkpoints/_group.yaml": GROUPS,
        "history.yaml": HISTORY,
        "application.yaml": REST,
    }.items():
        (place / name).write_text(text)
