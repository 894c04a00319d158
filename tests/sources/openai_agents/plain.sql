BEGIN TRANSACTION;
CREATE TABLE agent_messages (
id INTEGER PRIMARY KEY AUTOINCREMENT,
session_id TEXT NOT NULL,
message_data TEXT NOT NULL,
created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
FOREIGN KEY (session_id) REFERENCES agent_sessions (session_id)
ON DELETE CASCADE
);
INSERT INTO "agent_messages" VALUES(1,'s-1','{"role": "user", "content": "question 1"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(2,'s-1','{"role": "assistant", "content": "answer 1"}','2026-11-22 05:00:27');
CREATE TABLE agent_sessions (
session_id TEXT PRIMARY KEY,
created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO "agent_sessions" VALUES('s-1','2026-11-22 05:00:27','2026-11-22 05:00:27');
CREATE INDEX idx_agent_messages_session_id
ON agent_messages (session_id, id)
;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('agent_messages',2);
COMMIT;
