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
INSERT INTO "agent_messages" VALUES(3,'s-1','{"role": "user", "content": "question 2"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(4,'s-1','{"role": "assistant", "content": "answer 2"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(5,'s-1','{"role": "user", "content": "question 3"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(6,'s-1','{"role": "assistant", "content": "answer 3"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(7,'s-1','{"role": "user", "content": "question 13"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(8,'s-1','{"role": "assistant", "content": "answer 13"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(9,'s-1','{"role": "user", "content": "question 22"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(10,'s-1','{"role": "assistant", "content": "answer 22"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(11,'s-1','{"role": "user", "content": "question 4"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(12,'s-1','{"role": "assistant", "content": "answer 4"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(13,'s-1','{"role": "user", "content": "question 31"}','2026-11-22 05:00:27');
INSERT INTO "agent_messages" VALUES(14,'s-1','{"role": "assistant", "content": "answer 31"}','2026-11-22 05:00:27');
CREATE TABLE agent_sessions (
session_id TEXT PRIMARY KEY,
created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO "agent_sessions" VALUES('s-1','2026-11-22 05:00:27','2026-11-22 05:00:27');
CREATE TABLE branch_reservations (
session_id TEXT NOT NULL,
branch_id TEXT NOT NULL,
PRIMARY KEY (session_id, branch_id)
);
INSERT INTO "branch_reservations" VALUES('s-1','main');
INSERT INTO "branch_reservations" VALUES('s-1','shorter');
INSERT INTO "branch_reservations" VALUES('s-1','of a branch');
INSERT INTO "branch_reservations" VALUES('s-1','from the beginning');
CREATE TABLE message_structure (
id INTEGER PRIMARY KEY AUTOINCREMENT,
session_id TEXT NOT NULL,
message_id INTEGER NOT NULL,
branch_id TEXT NOT NULL DEFAULT 'main',
message_type TEXT NOT NULL,
sequence_number INTEGER NOT NULL,
user_turn_number INTEGER,
branch_turn_number INTEGER,
tool_name TEXT,
created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
FOREIGN KEY (session_id)
REFERENCES agent_sessions(session_id) ON DELETE CASCADE,
FOREIGN KEY (message_id)
REFERENCES agent_messages(id) ON DELETE CASCADE
);
INSERT INTO "message_structure" VALUES(1,'s-1',1,'main','user',1,1,1,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(2,'s-1',2,'main','assistant',2,1,1,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(3,'s-1',3,'main','user',3,2,2,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(4,'s-1',4,'main','assistant',4,2,2,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(5,'s-1',5,'main','user',5,3,3,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(6,'s-1',6,'main','assistant',6,3,3,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(7,'s-1',1,'shorter','user',7,1,1,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(8,'s-1',2,'shorter','assistant',8,1,1,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(9,'s-1',3,'shorter','user',9,2,2,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(10,'s-1',4,'shorter','assistant',10,2,2,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(11,'s-1',7,'shorter','user',11,3,3,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(12,'s-1',8,'shorter','assistant',12,3,3,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(13,'s-1',1,'of a branch','user',13,1,1,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(14,'s-1',2,'of a branch','assistant',14,1,1,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(15,'s-1',9,'of a branch','user',15,2,2,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(16,'s-1',10,'of a branch','assistant',16,2,2,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(17,'s-1',11,'main','user',17,4,4,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(18,'s-1',12,'main','assistant',18,4,4,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(19,'s-1',13,'from the beginning','user',19,1,1,NULL,'2026-11-22 05:00:27');
INSERT INTO "message_structure" VALUES(20,'s-1',14,'from the beginning','assistant',20,1,1,NULL,'2026-11-22 05:00:27');
CREATE TABLE session_clear_generations (
session_id TEXT PRIMARY KEY,
generation INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "session_clear_generations" VALUES('s-1',0);
CREATE TABLE turn_usage (
id INTEGER PRIMARY KEY AUTOINCREMENT,
session_id TEXT NOT NULL,
branch_id TEXT NOT NULL DEFAULT 'main',
user_turn_number INTEGER NOT NULL,
requests INTEGER DEFAULT 0,
input_tokens INTEGER DEFAULT 0,
output_tokens INTEGER DEFAULT 0,
total_tokens INTEGER DEFAULT 0,
input_tokens_details JSON,
output_tokens_details JSON,
created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
FOREIGN KEY (session_id)
REFERENCES agent_sessions(session_id) ON DELETE CASCADE,
UNIQUE(session_id, branch_id, user_turn_number)
);
INSERT INTO "turn_usage" VALUES(1,'s-1','main',1,1,10,1,11,'{"cache_write_tokens": 0, "cached_tokens": 0, "cache_write_tokens_details": null}','{"reasoning_tokens": 0}','2026-11-22 05:00:27');
INSERT INTO "turn_usage" VALUES(2,'s-1','main',2,1,20,2,22,'{"cache_write_tokens": 0, "cached_tokens": 0, "cache_write_tokens_details": null}','{"reasoning_tokens": 0}','2026-11-22 05:00:27');
INSERT INTO "turn_usage" VALUES(3,'s-1','main',3,1,30,3,33,'{"cache_write_tokens": 0, "cached_tokens": 0, "cache_write_tokens_details": null}','{"reasoning_tokens": 0}','2026-11-22 05:00:27');
CREATE INDEX idx_agent_messages_session_id
ON agent_messages (session_id, id)
;
CREATE INDEX idx_structure_session_seq
ON message_structure(session_id, sequence_number)
;
CREATE INDEX idx_structure_branch
ON message_structure(session_id, branch_id)
;
CREATE INDEX idx_structure_turn
ON message_structure(session_id, branch_id, user_turn_number)
;
CREATE INDEX idx_structure_branch_seq
ON message_structure(session_id, branch_id, sequence_number)
;
CREATE INDEX idx_turn_usage_session_turn
ON turn_usage(session_id, branch_id, user_turn_number)
;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('agent_messages',14);
INSERT INTO "sqlite_sequence" VALUES('message_structure',20);
INSERT INTO "sqlite_sequence" VALUES('turn_usage',3);
COMMIT;
