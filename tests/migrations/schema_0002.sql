BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
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
	evaluator_version VARCHAR(16) NOT NULL, given TEXT, 
	CONSTRAINT pk_blocks PRIMARY KEY (run_uid, branch, first_step)
)
 WITHOUT ROWID

;
INSERT INTO "blocks" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d',1,1,1,'lr',2,X'0000000000000840000000A09999A93F',1689220270,1,1,'[0,0,{"lr":[3.0,0.05000000074505806]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d',1,2,1,'lr',2,X'000000000000F83F000000A09999993F',3701566440,1,1,'[1,1,{"lr":[3.0,0.05000000074505806]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d',1,3,2,'lr',2,X'000000000000F83F000000000000E83F000000A09999993F000000A09999893F',478606124,1,1,'[2,2,{"lr":[1.5,0.02500000037252903]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d',1,5,1,'lr',2,X'000000000000E83F000000A09999893F',2161495846,1,1,'[4,4,{"lr":[0.75,0.012500000186264515]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d',1,6,2,'lr',2,X'000000000000483F000000000000283F000000A09999E93E000000A09999C93E',1722513875,2,1,'[5,5,{"lr":[0.0029296875,4.882812572759576e-05]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21724-3332-7c4b-937e-eb537045674b',1,1,3,'lr',1,X'0000000000000840000000000000F83F000000000000F83F',987176473,1,1,'[0,0,{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21724-3332-7c4b-937e-eb537045674b',1,4,2,'lr',1,X'0000000000000840000000000000F83F',1837191428,2,1,'[3,3,{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21724-3349-7df9-ad6b-f93ec6f8635a',1,1,5,'lr',1,X'0000000000000840000000000000F83F000000000000F83F000000000000E83F000000000000D83F',2824853813,1,1,'[0,[0,0,null,0],{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21724-3349-7df9-ad6b-f93ec6f8635a',2,1,1,'lr',1,X'0000000000000840',4241887580,2,2,'[0,0,{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21724-3366-7c4e-a479-03d00ce31b05',1,1,4,'lr',1,X'0000000000000840000000000000F83F00000000000008400000000000000840',1422841167,1,1,'[0,[0,[0,-1]],{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21724-3373-76de-9a11-981dcf620e8d',1,1,1,'lr',1,X'000000000000F83F',684760140,1,1,'[0,0,{"lr":[3.0]}]','1','{"metric":NaN,"epoch":3,"factors":[0.5,-0.0],"seen":{"lr":[2.0]}}');
INSERT INTO "blocks" VALUES('01a21724-3381-75e9-b84a-6c7c27ec97b0',1,1,1,'lr',1,X'0000000000000840',4241887580,1,1,'[0,0,{"lr":[3.0]}]','1',NULL);
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
INSERT INTO "branches" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d',1,NULL,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,1,0,X'0000000000000840000000A09999A93F','[0,0,{"lr":[3.0,0.05000000074505806]}]',1795684578051410);
INSERT INTO "branches" VALUES('01a21724-3332-7c4b-937e-eb537045674b',1,NULL,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}','01a21724-332d-7c83-82b4-84afdcc5e676',1,1,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795684578097576);
INSERT INTO "branches" VALUES('01a21724-3349-7df9-ad6b-f93ec6f8635a',1,NULL,NULL,'{"sequence":{"stages":[{"schedule":{"step_lr":{"gamma":0.5,"step_size":2.0}}},{"at":"4","schedule":{"step_lr":{"gamma":0.5,"step_size":1.0}}}]}}',NULL,NULL,1,0,X'0000000000000840','[0,[0,0,null,0],{"lr":[3.0]}]',1795684578120462);
INSERT INTO "branches" VALUES('01a21724-3349-7df9-ad6b-f93ec6f8635a',2,1,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,2,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795684578134224);
INSERT INTO "branches" VALUES('01a21724-3366-7c4e-a479-03d00ce31b05',1,NULL,NULL,'{"sequential_lr":{"milestones":[3.0],"schedulers":[{"step_lr":{"gamma":0.5,"step_size":2.0}},{"step_lr":{"gamma":0.5,"step_size":2.0}}]}}',NULL,NULL,1,0,X'0000000000000840','[0,[0,[0,-1]],{"lr":[3.0]}]',1795684578148885);
INSERT INTO "branches" VALUES('01a21724-3373-76de-9a11-981dcf620e8d',1,NULL,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,1,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795684578162788);
INSERT INTO "branches" VALUES('01a21724-3381-75e9-b84a-6c7c27ec97b0',1,NULL,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,1,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795684578176041);
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
INSERT INTO "edits" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d',2,1,'4bd7efda-ebb4-46d4-bb4f-4d7df3470da4','6331d28f9a4658198d160e5bce63e5a5343c0bb5fa8b82ae7478d8811673a36a','replace','{"step_lr":{"gamma":0.25,"step_size":1.0}}',NULL,NULL,6,0,'[5,5,{"lr":[0.0029296875,4.882812572759576e-05]}]','operator@example.org','zu groß – 太大',1795684578084851);
INSERT INTO "edits" VALUES('01a21724-3332-7c4b-937e-eb537045674b',2,1,'0a790cb5-4c3c-5c35-ae81-256c5614920d','8d92238eec370b28ee2354e3fe628f0d7639e2137fa305eebb7902738e24f6a7','replace','{"multi_step_lr":{"gamma":0.5,"milestones":[5.0]}}','01a21724-332d-7c83-82b4-84afdcc5e676',2,4,0,'[3,3,{"lr":[3.0]}]','operator@example.org','later',1795684578111644);
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
INSERT INTO "incarnations" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d','edited-first-start',1,1,0,1,2,'{"host": "node-1", "pid": "4242"}',1795684578051410);
INSERT INTO "incarnations" VALUES('01a21724-3332-7c4b-937e-eb537045674b','follower-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795684578097576);
INSERT INTO "incarnations" VALUES('01a21724-3349-7df9-ad6b-f93ec6f8635a','again-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795684578120462);
INSERT INTO "incarnations" VALUES('01a21724-3349-7df9-ad6b-f93ec6f8635a','again-second-start',2,2,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795684578134224);
INSERT INTO "incarnations" VALUES('01a21724-3366-7c4e-a479-03d00ce31b05','finished-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795684578148885);
INSERT INTO "incarnations" VALUES('01a21724-3373-76de-9a11-981dcf620e8d','given-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795684578162788);
INSERT INTO "incarnations" VALUES('01a21724-3381-75e9-b84a-6c7c27ec97b0','deleted-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795684578176041);
CREATE TABLE meta (
	"key" VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('store_epoch','0da0b1dce6857782cab837cf3e542d9c');
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
INSERT INTO "param_groups" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d',1,0,'lr','größe','float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d',1,1,'lr',NULL,'float32',1.00000001490116119384e-01,5.00000007450580596923e-02);
INSERT INTO "param_groups" VALUES('01a21724-3332-7c4b-937e-eb537045674b',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21724-3349-7df9-ad6b-f93ec6f8635a',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21724-3349-7df9-ad6b-f93ec6f8635a',2,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21724-3366-7c4e-a479-03d00ce31b05',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21724-3373-76de-9a11-981dcf620e8d',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21724-3381-75e9-b84a-6c7c27ec97b0',1,0,'lr',NULL,'float64',3.0,3.0);
CREATE TABLE run_labels (
	run_uid VARCHAR(36) NOT NULL, 
	"key" VARCHAR(128) NOT NULL, 
	value VARCHAR(256) NOT NULL, 
	CONSTRAINT pk_run_labels PRIMARY KEY (run_uid, "key"), 
	CONSTRAINT fk_run_labels_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid)
);
INSERT INTO "run_labels" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d','gpu','8');
INSERT INTO "run_labels" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d','team','视觉');
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
INSERT INTO "runs" VALUES('01a21724-3306-7be4-a67b-e5638ff03c3d','edited','active','epoch',1,1,8,2,'[7,7,{"lr":[0.00018310546875,3.051757857974735e-06]}]','1',NULL,1795684578051410,1795684578091020,12081,NULL,NULL);
INSERT INTO "runs" VALUES('01a21724-3332-7c4b-937e-eb537045674b','follower','active','epoch',1,1,6,2,'[5,5,{"lr":[1.5]}]','1','01a21724-332d-7c83-82b4-84afdcc5e676',1795684578097576,1795684578118152,15170,NULL,NULL);
INSERT INTO "runs" VALUES('01a21724-3349-7df9-ad6b-f93ec6f8635a','again','active','epoch',2,2,2,2,'[1,1,{"lr":[3.0]}]','1',NULL,1795684578120462,1795684578146368,12144,NULL,NULL);
INSERT INTO "runs" VALUES('01a21724-3366-7c4e-a479-03d00ce31b05','finished','finished','epoch',1,1,5,1,'[4,[4,[2,1]],{"lr":[3.0]}]','1',NULL,1795684578148885,1795684578155664,6779,1795684578157751,NULL);
INSERT INTO "runs" VALUES('01a21724-3373-76de-9a11-981dcf620e8d','given','active','epoch',1,1,2,1,'[1,3,{"lr":[1.5]}]','1',NULL,1795684578162788,1795684578173277,10489,NULL,NULL);
INSERT INTO "runs" VALUES('01a21724-3381-75e9-b84a-6c7c27ec97b0','deleted','deleted','epoch',1,1,2,1,'[1,1,{"lr":[3.0]}]','1',NULL,1795684578176041,1795684578181515,5474,NULL,1795684578183356);
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
INSERT INTO "schedule_revisions" VALUES('01a21724-332d-7c83-82b4-84afdcc5e676',1,'{"step_lr":{"gamma":0.5,"step_size":2.0}}','01a21724-332d-7b7f-9aac-2b003a4024f3','operator@example.org','first',1,1795684578093548);
INSERT INTO "schedule_revisions" VALUES('01a21724-332d-7c83-82b4-84afdcc5e676',2,'{"multi_step_lr":{"gamma":0.5,"milestones":[5.0]}}','d20ac7d2-e219-494c-87db-1e92f8101d5c','operator@example.org','later',1,1795684578106158);
CREATE TABLE schedules (
	uid VARCHAR(36) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	head_revision BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	deleted_at BIGINT, 
	CONSTRAINT pk_schedules PRIMARY KEY (uid)
);
INSERT INTO "schedules" VALUES('01a21724-332d-7c83-82b4-84afdcc5e676','shared',2,1795684578093548,NULL);
CREATE UNIQUE INDEX ix_schedules_name ON schedules (name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX ix_runs_name ON runs (name) WHERE deleted_at IS NULL;
CREATE INDEX ix_runs_schedule_uid ON runs (schedule_uid);
CREATE UNIQUE INDEX ix_schedule_revisions_request_id ON schedule_revisions (schedule_uid, request_id);
CREATE UNIQUE INDEX ix_edits_request_id ON edits (run_uid, request_id);
CREATE UNIQUE INDEX ix_incarnations_fence ON incarnations (run_uid, fence);
CREATE INDEX ix_run_labels_key_value ON run_labels ("key", value);
COMMIT;
