BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE blocks (
	run_uid VARCHAR(36) NOT NULL, 
	branch BIGINT NOT NULL, 
	first_step BIGINT NOT NULL, 
	count INTEGER NOT NULL, 
	tracks TEXT NOT NULL, 
	groups INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	crc BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	fence BIGINT NOT NULL, 
	cursor TEXT NOT NULL, 
	evaluator_version VARCHAR(16) NOT NULL, 
	CONSTRAINT pk_blocks PRIMARY KEY (run_uid, branch, first_step)
)
 WITHOUT ROWID

;
INSERT INTO "blocks" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a',1,1,1,'lr',2,X'0000000000000840000000A09999A93F',1689220270,1,1,'[0,0,{"lr":[3.0,0.05000000074505806]}]','1');
INSERT INTO "blocks" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a',1,2,1,'lr',2,X'000000000000F83F000000A09999993F',3701566440,1,1,'[1,1,{"lr":[3.0,0.05000000074505806]}]','1');
INSERT INTO "blocks" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a',1,3,2,'lr',2,X'000000000000F83F000000000000E83F000000A09999993F000000A09999893F',478606124,1,1,'[2,2,{"lr":[1.5,0.02500000037252903]}]','1');
INSERT INTO "blocks" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a',1,5,1,'lr',2,X'000000000000E83F000000A09999893F',2161495846,1,1,'[4,4,{"lr":[0.75,0.012500000186264515]}]','1');
INSERT INTO "blocks" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a',1,6,2,'lr',2,X'000000000000483F000000000000283F000000A09999E93E000000A09999C93E',1722513875,2,1,'[5,5,{"lr":[0.0029296875,4.882812572759576e-05]}]','1');
INSERT INTO "blocks" VALUES('01a20979-15f6-74fe-be34-49e91e1bbece',1,1,3,'lr',1,X'0000000000000840000000000000F83F000000000000F83F',987176473,1,1,'[0,0,{"lr":[3.0]}]','1');
INSERT INTO "blocks" VALUES('01a20979-15f6-74fe-be34-49e91e1bbece',1,4,2,'lr',1,X'0000000000000840000000000000F83F',1837191428,2,1,'[3,3,{"lr":[3.0]}]','1');
INSERT INTO "blocks" VALUES('01a20979-164c-7895-88de-8ba89627ec17',1,1,5,'lr',1,X'0000000000000840000000000000F83F000000000000F83F000000000000E83F000000000000D83F',2824853813,1,1,'[0,[0,0,null,0],{"lr":[3.0]}]','1');
INSERT INTO "blocks" VALUES('01a20979-164c-7895-88de-8ba89627ec17',2,1,1,'lr',1,X'0000000000000840',4241887580,2,2,'[0,0,{"lr":[3.0]}]','1');
INSERT INTO "blocks" VALUES('01a20979-1690-7b5e-91df-8c48e2787a72',1,1,4,'lr',1,X'0000000000000840000000000000F83F00000000000008400000000000000840',1422841167,1,1,'[0,[0,[0,-1]],{"lr":[3.0]}]','1');
INSERT INTO "blocks" VALUES('01a20979-16a1-74c9-8f5e-1adc44eb54de',1,1,1,'lr',1,X'0000000000000840',4241887580,1,1,'[0,0,{"lr":[3.0]}]','1');
CREATE TABLE branches (
	run_uid VARCHAR(36) NOT NULL, 
	branch BIGINT NOT NULL, 
	parent BIGINT, 
	fork_step BIGINT, 
	definition TEXT NOT NULL, 
	schedule_uid VARCHAR(36), 
	schedule_revision BIGINT, 
	revision BIGINT NOT NULL, 
	origin_step BIGINT NOT NULL, 
	origin_values BLOB NOT NULL, 
	origin_cursor TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_branches PRIMARY KEY (run_uid, branch), 
	CONSTRAINT fk_branches_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid), 
	CONSTRAINT fk_branches_schedule_uid_schedules FOREIGN KEY(schedule_uid) REFERENCES schedules (uid)
);
INSERT INTO "branches" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a',1,NULL,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,1,0,X'0000000000000840000000A09999A93F','[0,0,{"lr":[3.0,0.05000000074505806]}]',1795455260099325);
INSERT INTO "branches" VALUES('01a20979-15f6-74fe-be34-49e91e1bbece',1,NULL,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}','01a20979-15f0-7464-89e6-f5ffa1eb54bb',1,1,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795455260149290);
INSERT INTO "branches" VALUES('01a20979-164c-7895-88de-8ba89627ec17',1,NULL,NULL,'{"sequence":{"stages":[{"schedule":{"step_lr":{"gamma":0.5,"step_size":2.0}}},{"at":"4","schedule":{"step_lr":{"gamma":0.5,"step_size":1.0}}}]}}',NULL,NULL,1,0,X'0000000000000840','[0,[0,0,null,0],{"lr":[3.0]}]',1795455260235039);
INSERT INTO "branches" VALUES('01a20979-164c-7895-88de-8ba89627ec17',2,1,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,2,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795455260274167);
INSERT INTO "branches" VALUES('01a20979-1690-7b5e-91df-8c48e2787a72',1,NULL,NULL,'{"sequential_lr":{"milestones":[3.0],"schedulers":[{"step_lr":{"gamma":0.5,"step_size":2.0}},{"step_lr":{"gamma":0.5,"step_size":2.0}}]}}',NULL,NULL,1,0,X'0000000000000840','[0,[0,[0,-1]],{"lr":[3.0]}]',1795455260299181);
INSERT INTO "branches" VALUES('01a20979-16a1-74c9-8f5e-1adc44eb54de',1,NULL,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,1,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795455260320244);
CREATE TABLE edits (
	run_uid VARCHAR(36) NOT NULL, 
	revision BIGINT NOT NULL, 
	branch BIGINT NOT NULL, 
	request_id VARCHAR(36) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	operation VARCHAR(32) NOT NULL, 
	definition TEXT NOT NULL, 
	schedule_uid VARCHAR(36), 
	schedule_revision BIGINT, 
	effective_step BIGINT NOT NULL, 
	clamped BOOLEAN NOT NULL, 
	cursor TEXT NOT NULL, 
	author TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_edits PRIMARY KEY (run_uid, revision), 
	CONSTRAINT fk_edits_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid), 
	CONSTRAINT fk_edits_schedule_uid_schedules FOREIGN KEY(schedule_uid) REFERENCES schedules (uid)
);
INSERT INTO "edits" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a',2,1,'e95accea-5499-4a42-a329-97423f416664','6331d28f9a4658198d160e5bce63e5a5343c0bb5fa8b82ae7478d8811673a36a','replace','{"step_lr":{"gamma":0.25,"step_size":1.0}}',NULL,NULL,6,0,'[5,5,{"lr":[0.0029296875,4.882812572759576e-05]}]','operator@example.org','zu groß – 太大',1795455260133323);
INSERT INTO "edits" VALUES('01a20979-15f6-74fe-be34-49e91e1bbece',2,1,'f213ce4e-7e83-5245-8ea1-ac25e220dada','c1290b34c04e9f6437c05e580b367cdbd6e6f0d9c4be6f832dff2306e2405cfe','replace','{"multi_step_lr":{"gamma":0.5,"milestones":[5.0]}}','01a20979-15f0-7464-89e6-f5ffa1eb54bb',2,4,0,'[3,3,{"lr":[3.0]}]','operator@example.org','later',1795455260214027);
CREATE TABLE incarnations (
	run_uid VARCHAR(36) NOT NULL, 
	incarnation VARCHAR(128) NOT NULL, 
	fence BIGINT NOT NULL, 
	branch BIGINT NOT NULL, 
	resume_step BIGINT NOT NULL, 
	attempt BIGINT, 
	world_size INTEGER NOT NULL, 
	labels TEXT NOT NULL, 
	acquired_at BIGINT NOT NULL, 
	CONSTRAINT pk_incarnations PRIMARY KEY (run_uid, incarnation), 
	CONSTRAINT fk_incarnations_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid)
);
INSERT INTO "incarnations" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a','edited-first-start',1,1,0,1,2,'{"host": "node-1", "pid": "4242"}',1795455260099325);
INSERT INTO "incarnations" VALUES('01a20979-15f6-74fe-be34-49e91e1bbece','follower-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795455260149290);
INSERT INTO "incarnations" VALUES('01a20979-164c-7895-88de-8ba89627ec17','again-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795455260235039);
INSERT INTO "incarnations" VALUES('01a20979-164c-7895-88de-8ba89627ec17','again-second-start',2,2,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795455260274167);
INSERT INTO "incarnations" VALUES('01a20979-1690-7b5e-91df-8c48e2787a72','finished-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795455260299181);
INSERT INTO "incarnations" VALUES('01a20979-16a1-74c9-8f5e-1adc44eb54de','deleted-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795455260320244);
CREATE TABLE meta (
	"key" VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('store_epoch','955a46eebae754ca240f0a1693aa3229');
CREATE TABLE param_groups (
	run_uid VARCHAR(36) NOT NULL, 
	branch BIGINT NOT NULL, 
	place INTEGER NOT NULL, 
	track VARCHAR(64) NOT NULL, 
	name TEXT, 
	number VARCHAR(16) NOT NULL, 
	initial  NOT NULL, 
	current  NOT NULL, 
	CONSTRAINT pk_param_groups PRIMARY KEY (run_uid, branch, place, track), 
	CONSTRAINT fk_param_groups_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid)
);
INSERT INTO "param_groups" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a',1,0,'lr','größe','float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a',1,1,'lr',NULL,'float32',1.00000001490116119384e-01,5.00000007450580596923e-02);
INSERT INTO "param_groups" VALUES('01a20979-15f6-74fe-be34-49e91e1bbece',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a20979-164c-7895-88de-8ba89627ec17',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a20979-164c-7895-88de-8ba89627ec17',2,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a20979-1690-7b5e-91df-8c48e2787a72',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a20979-16a1-74c9-8f5e-1adc44eb54de',1,0,'lr',NULL,'float64',3.0,3.0);
CREATE TABLE run_labels (
	run_uid VARCHAR(36) NOT NULL, 
	"key" VARCHAR(128) NOT NULL, 
	value VARCHAR(256) NOT NULL, 
	CONSTRAINT pk_run_labels PRIMARY KEY (run_uid, "key"), 
	CONSTRAINT fk_run_labels_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid)
);
INSERT INTO "run_labels" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a','gpu','8');
INSERT INTO "run_labels" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a','team','视觉');
CREATE TABLE runs (
	uid VARCHAR(36) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	unit VARCHAR(32) NOT NULL, 
	branch BIGINT NOT NULL, 
	fence BIGINT NOT NULL, 
	frontier BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	cursor TEXT NOT NULL, 
	evaluator_version VARCHAR(16) NOT NULL, 
	schedule_uid VARCHAR(36), 
	created_at BIGINT NOT NULL, 
	heard_at BIGINT NOT NULL, 
	heard_every BIGINT NOT NULL, 
	finished_at BIGINT, 
	deleted_at BIGINT, 
	CONSTRAINT pk_runs PRIMARY KEY (uid), 
	CONSTRAINT fk_runs_schedule_uid_schedules FOREIGN KEY(schedule_uid) REFERENCES schedules (uid)
);
INSERT INTO "runs" VALUES('01a20979-15c7-719a-9fc9-10fd36c0c72a','edited','active','epoch',1,1,8,2,'[7,7,{"lr":[0.00018310546875,3.051757857974735e-06]}]','1',NULL,1795455260099325,1795455260142595,18821,NULL,NULL);
INSERT INTO "runs" VALUES('01a20979-15f6-74fe-be34-49e91e1bbece','follower','active','epoch',1,1,6,2,'[5,5,{"lr":[1.5]}]','1','01a20979-15f0-7464-89e6-f5ffa1eb54bb',1795455260149290,1795455260232090,77082,NULL,NULL);
INSERT INTO "runs" VALUES('01a20979-164c-7895-88de-8ba89627ec17','again','active','epoch',2,2,2,2,'[1,1,{"lr":[3.0]}]','1',NULL,1795455260235039,1795455260290994,16827,NULL,NULL);
INSERT INTO "runs" VALUES('01a20979-1690-7b5e-91df-8c48e2787a72','finished','finished','epoch',1,1,5,1,'[4,[4,[2,1]],{"lr":[3.0]}]','1',NULL,1795455260299181,1795455260312634,13453,1795455260314829,NULL);
INSERT INTO "runs" VALUES('01a20979-16a1-74c9-8f5e-1adc44eb54de','deleted','deleted','epoch',1,1,2,1,'[1,1,{"lr":[3.0]}]','1',NULL,1795455260320244,1795455260325911,5667,NULL,1795455260333972);
CREATE TABLE schedule_revisions (
	schedule_uid VARCHAR(36) NOT NULL, 
	revision BIGINT NOT NULL, 
	definition TEXT NOT NULL, 
	request_id VARCHAR(36) NOT NULL, 
	author TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	rolled_out BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_schedule_revisions PRIMARY KEY (schedule_uid, revision), 
	CONSTRAINT fk_schedule_revisions_schedule_uid_schedules FOREIGN KEY(schedule_uid) REFERENCES schedules (uid)
);
INSERT INTO "schedule_revisions" VALUES('01a20979-15f0-7464-89e6-f5ffa1eb54bb',1,'{"step_lr":{"gamma":0.5,"step_size":2.0}}','01a20979-15f1-7c72-a6cc-ceaccf88bdd4','operator@example.org','first',1,1795455260145010);
INSERT INTO "schedule_revisions" VALUES('01a20979-15f0-7464-89e6-f5ffa1eb54bb',2,'{"multi_step_lr":{"gamma":0.5,"milestones":[5.0]}}','c34a9d03-a2f0-41ab-80fe-9a58e33331e6','operator@example.org','later',1,1795455260202390);
CREATE TABLE schedules (
	uid VARCHAR(36) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	head_revision BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	deleted_at BIGINT, 
	CONSTRAINT pk_schedules PRIMARY KEY (uid)
);
INSERT INTO "schedules" VALUES('01a20979-15f0-7464-89e6-f5ffa1eb54bb','shared',2,1795455260145010,NULL);
CREATE UNIQUE INDEX ix_schedules_name ON schedules (name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX ix_runs_name ON runs (name) WHERE deleted_at IS NULL;
CREATE INDEX ix_runs_schedule_uid ON runs (schedule_uid);
CREATE UNIQUE INDEX ix_schedule_revisions_request_id ON schedule_revisions (schedule_uid, request_id);
CREATE UNIQUE INDEX ix_edits_request_id ON edits (run_uid, request_id);
CREATE UNIQUE INDEX ix_incarnations_fence ON incarnations (run_uid, fence);
CREATE INDEX ix_run_labels_key_value ON run_labels ("key", value);
COMMIT;
