BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
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
INSERT INTO "blocks" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c',1,1,1,'lr',2,X'0000000000000840000000A09999A93F',1689220270,1,1,'[0,0,{"lr":[3.0,0.05000000074505806]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c',1,2,1,'lr',2,X'000000000000F83F000000A09999993F',3701566440,1,1,'[1,1,{"lr":[3.0,0.05000000074505806]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c',1,3,2,'lr',2,X'000000000000F83F000000000000E83F000000A09999993F000000A09999893F',478606124,1,1,'[2,2,{"lr":[1.5,0.02500000037252903]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c',1,5,1,'lr',2,X'000000000000E83F000000A09999893F',2161495846,1,1,'[4,4,{"lr":[0.75,0.012500000186264515]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c',1,6,2,'lr',2,X'000000000000483F000000000000283F000000A09999E93E000000A09999C93E',1722513875,2,1,'[5,5,{"lr":[0.0029296875,4.882812572759576e-05]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-380c-79b0-937c-537422c87e2f',1,1,3,'lr',1,X'0000000000000840000000000000F83F000000000000F83F',987176473,1,1,'[0,0,{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-380c-79b0-937c-537422c87e2f',1,4,2,'lr',1,X'0000000000000840000000000000F83F',1837191428,2,1,'[3,3,{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-383b-7804-9d4b-356c14f3b262',1,1,5,'lr',1,X'0000000000000840000000000000F83F000000000000F83F000000000000E83F000000000000D83F',2824853813,1,1,'[0,[0,0,null,0],{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-383b-7804-9d4b-356c14f3b262',2,1,1,'lr',1,X'0000000000000840',4241887580,2,2,'[0,0,{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-3857-78ab-b55d-d3014b920959',1,1,4,'lr',1,X'0000000000000840000000000000F83F00000000000008400000000000000840',1422841167,1,1,'[0,[0,[0,-1]],{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-3863-7a12-b823-b70713faa9ca',1,1,1,'lr',1,X'000000000000F83F',684760140,1,1,'[0,0,{"lr":[3.0]}]','1','{"metric":NaN,"epoch":3,"factors":[0.5,-0.0],"seen":{"lr":[2.0]}}');
INSERT INTO "blocks" VALUES('01a217b4-3871-72c6-a315-c6a60ea7f156',1,1,1,'lr',1,X'0000000000000240',104462806,1,1,'[0,[0],{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-3871-72c6-a315-c6a60ea7f156',1,2,1,'lr',1,X'000000000000F03F',3384910518,2,1,'[1,[1],{"lr":[2.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a217b4-3895-74be-a4a8-5b21fcab04cf',1,1,1,'lr',1,X'0000000000000840',4241887580,1,1,'[0,0,{"lr":[3.0]}]','1',NULL);
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
	created_at BIGINT NOT NULL, parameters TEXT, 
	CONSTRAINT pk_branches PRIMARY KEY (run_uid, branch), 
	CONSTRAINT fk_branches_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid), 
	CONSTRAINT fk_branches_schedule_uid_schedules FOREIGN KEY(schedule_uid) REFERENCES schedules (uid)
);
INSERT INTO "branches" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c',1,NULL,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,1,0,X'0000000000000840000000A09999A93F','[0,0,{"lr":[3.0,0.05000000074505806]}]',1795694016416847,NULL);
INSERT INTO "branches" VALUES('01a217b4-380c-79b0-937c-537422c87e2f',1,NULL,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}','01a217b4-37c8-7ee3-9e1a-7cacc4b73aee',1,1,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795694016460575,NULL);
INSERT INTO "branches" VALUES('01a217b4-383b-7804-9d4b-356c14f3b262',1,NULL,NULL,'{"sequence":{"boundary":"later","stages":[{"clock":"local","schedule":{"step_lr":{"gamma":0.5,"step_size":2.0}}},{"at":"4","clock":"local","schedule":{"step_lr":{"gamma":0.5,"step_size":1.0}}}]}}',NULL,NULL,1,0,X'0000000000000840','[0,[0,0,null,0],{"lr":[3.0]}]',1795694016570778,NULL);
INSERT INTO "branches" VALUES('01a217b4-383b-7804-9d4b-356c14f3b262',2,1,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,2,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795694016584998,NULL);
INSERT INTO "branches" VALUES('01a217b4-3857-78ab-b55d-d3014b920959',1,NULL,NULL,'{"sequential_lr":{"milestones":[3.0],"schedulers":[{"step_lr":{"gamma":0.5,"step_size":2.0}},{"step_lr":{"gamma":0.5,"step_size":2.0}}]}}',NULL,NULL,1,0,X'0000000000000840','[0,[0,[0,-1]],{"lr":[3.0]}]',1795694016598399,NULL);
INSERT INTO "branches" VALUES('01a217b4-3863-7a12-b823-b70713faa9ca',1,NULL,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,1,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795694016610954,NULL);
INSERT INTO "branches" VALUES('01a217b4-3871-72c6-a315-c6a60ea7f156',1,NULL,NULL,'{"tracks":{"tracks":[{"name":"lr","schedule":{"ramp":{"after":"hold","begin":{"before":1.0},"counting":"from_zero","ease":"linear","end":{"absolute":0.0},"high":3.0,"low":-7.0,"over":{"steps":4.0},"warp":1.0}}}]}}','01a217b4-386c-710e-99fa-9dcd4469dd44',1,1,0,X'0000000000000840','[0,[0],{"lr":[3.0]}]',1795694016623339,'{"steps": 4.0}');
INSERT INTO "branches" VALUES('01a217b4-3895-74be-a4a8-5b21fcab04cf',1,NULL,NULL,'{"step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,1,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795694016660914,NULL);
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
	created_at BIGINT NOT NULL, parameters TEXT, 
	CONSTRAINT pk_edits PRIMARY KEY (run_uid, revision), 
	CONSTRAINT fk_edits_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid), 
	CONSTRAINT fk_edits_schedule_uid_schedules FOREIGN KEY(schedule_uid) REFERENCES schedules (uid)
);
INSERT INTO "edits" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c',2,1,'c22d7e50-f278-4913-9940-090978ddad7b','6331d28f9a4658198d160e5bce63e5a5343c0bb5fa8b82ae7478d8811673a36a','replace','{"step_lr":{"gamma":0.25,"step_size":1.0}}',NULL,NULL,6,0,'[5,5,{"lr":[0.0029296875,4.882812572759576e-05]}]','operator@example.org','zu groß – 太大',1795694016445048,NULL);
INSERT INTO "edits" VALUES('01a217b4-380c-79b0-937c-537422c87e2f',2,1,'f0901fa5-78f9-5dd2-8f95-e88dc8915d80','89231f4e471310ec6dc009f984b8b839d6f190b2b80679a1bb691ce2f52361cb','replace','{"multi_step_lr":{"gamma":0.5,"milestones":[5.0]}}','01a217b4-37c8-7ee3-9e1a-7cacc4b73aee',2,4,0,'[3,3,{"lr":[3.0]}]','operator@example.org','later',1795694016549172,NULL);
INSERT INTO "edits" VALUES('01a217b4-3871-72c6-a315-c6a60ea7f156',2,1,'40cd8156-dd4f-4fe6-86dc-8413c890e656','3a605fbe3d0229dd13776499b9b559fc3d36372d7d1a5ab19e669c7b762d18e9','replace','{"tracks":{"tracks":[{"name":"lr","schedule":{"ramp":{"after":"hold","begin":{"before":1.0},"counting":"from_zero","ease":"linear","end":{"absolute":0.0},"high":3.0,"low":-7.0,"over":{"steps":3.0},"warp":1.0}}}]}}','01a217b4-386c-710e-99fa-9dcd4469dd44',1,2,0,'[1,[1],{"lr":[2.0]}]','operator@example.org','shorter',1795694016652011,'{"steps": 3.0}');
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
INSERT INTO "incarnations" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c','edited-first-start',1,1,0,1,2,'{"host": "node-1", "pid": "4242"}',1795694016416847);
INSERT INTO "incarnations" VALUES('01a217b4-380c-79b0-937c-537422c87e2f','follower-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795694016460575);
INSERT INTO "incarnations" VALUES('01a217b4-383b-7804-9d4b-356c14f3b262','again-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795694016570778);
INSERT INTO "incarnations" VALUES('01a217b4-383b-7804-9d4b-356c14f3b262','again-second-start',2,2,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795694016584998);
INSERT INTO "incarnations" VALUES('01a217b4-3857-78ab-b55d-d3014b920959','finished-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795694016598399);
INSERT INTO "incarnations" VALUES('01a217b4-3863-7a12-b823-b70713faa9ca','given-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795694016610954);
INSERT INTO "incarnations" VALUES('01a217b4-3871-72c6-a315-c6a60ea7f156','parameters-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795694016623339);
INSERT INTO "incarnations" VALUES('01a217b4-3895-74be-a4a8-5b21fcab04cf','deleted-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795694016660914);
CREATE TABLE meta (
	"key" VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('store_epoch','4136b4559f984adfa7f393f7f6c8cc15');
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
INSERT INTO "param_groups" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c',1,0,'lr','größe','float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c',1,1,'lr',NULL,'float32',1.00000001490116119384e-01,5.00000007450580596923e-02);
INSERT INTO "param_groups" VALUES('01a217b4-380c-79b0-937c-537422c87e2f',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a217b4-383b-7804-9d4b-356c14f3b262',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a217b4-383b-7804-9d4b-356c14f3b262',2,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a217b4-3857-78ab-b55d-d3014b920959',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a217b4-3863-7a12-b823-b70713faa9ca',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a217b4-3871-72c6-a315-c6a60ea7f156',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a217b4-3895-74be-a4a8-5b21fcab04cf',1,0,'lr',NULL,'float64',3.0,3.0);
CREATE TABLE run_labels (
	run_uid VARCHAR(36) NOT NULL, 
	"key" VARCHAR(128) NOT NULL, 
	value VARCHAR(256) NOT NULL, 
	CONSTRAINT pk_run_labels PRIMARY KEY (run_uid, "key"), 
	CONSTRAINT fk_run_labels_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid)
);
INSERT INTO "run_labels" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c','gpu','8');
INSERT INTO "run_labels" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c','team','视觉');
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
INSERT INTO "runs" VALUES('01a217b4-37a3-7170-87b9-71bff11a6b5c','edited','active','epoch',1,1,8,2,'[7,7,{"lr":[0.00018310546875,3.051757857974735e-06]}]','1',NULL,1795694016416847,1795694016454663,15906,NULL,NULL);
INSERT INTO "runs" VALUES('01a217b4-380c-79b0-937c-537422c87e2f','follower','active','epoch',1,1,6,2,'[5,5,{"lr":[1.5]}]','1','01a217b4-37c8-7ee3-9e1a-7cacc4b73aee',1795694016460575,1795694016567686,28173,NULL,NULL);
INSERT INTO "runs" VALUES('01a217b4-383b-7804-9d4b-356c14f3b262','again','active','epoch',2,2,2,2,'[1,1,{"lr":[3.0]}]','1',NULL,1795694016570778,1795694016595817,10819,NULL,NULL);
INSERT INTO "runs" VALUES('01a217b4-3857-78ab-b55d-d3014b920959','finished','finished','epoch',1,1,5,1,'[4,[4,[2,1]],{"lr":[3.0]}]','1',NULL,1795694016598399,1795694016603894,5495,1795694016605978,NULL);
INSERT INTO "runs" VALUES('01a217b4-3863-7a12-b823-b70713faa9ca','given','active','epoch',1,1,2,1,'[1,3,{"lr":[1.5]}]','1',NULL,1795694016610954,1795694016616434,5480,NULL,NULL);
INSERT INTO "runs" VALUES('01a217b4-3871-72c6-a315-c6a60ea7f156','parameters','active','epoch',1,1,3,2,'[2,[2],{"lr":[1.0]}]','1','01a217b4-386c-710e-99fa-9dcd4469dd44',1795694016623339,1795694016657897,21995,NULL,NULL);
INSERT INTO "runs" VALUES('01a217b4-3895-74be-a4a8-5b21fcab04cf','deleted','deleted','epoch',1,1,2,1,'[1,1,{"lr":[3.0]}]','1',NULL,1795694016660914,1795694016666173,5259,NULL,1795694016668293);
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
INSERT INTO "schedule_revisions" VALUES('01a217b4-37c8-7ee3-9e1a-7cacc4b73aee',1,'{"step_lr":{"gamma":0.5,"step_size":2.0}}','01a217b4-37c8-7226-b372-f348bbb63127','operator@example.org','first',1,1795694016456786);
INSERT INTO "schedule_revisions" VALUES('01a217b4-37c8-7ee3-9e1a-7cacc4b73aee',2,'{"multi_step_lr":{"gamma":0.5,"milestones":[5.0]}}','39313745-d058-4725-915a-a45efd28b53a','operator@example.org','later',1,1795694016542864);
INSERT INTO "schedule_revisions" VALUES('01a217b4-386c-710e-99fa-9dcd4469dd44',1,'{"tracks":{"parameters":[{"name":"steps"}],"tracks":[{"name":"lr","schedule":{"ramp":{"after":"hold","begin":{"before":1.0},"counting":"from_zero","ease":"linear","end":{"absolute":0.0},"high":3.0,"low":-7.0,"over":{"parameter":"steps"},"warp":1.0}}}]}}','01a217b4-386c-7a96-9be8-37f3bf72de86','operator@example.org','first',1,1795694016620054);
CREATE TABLE schedules (
	uid VARCHAR(36) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	head_revision BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	deleted_at BIGINT, 
	CONSTRAINT pk_schedules PRIMARY KEY (uid)
);
INSERT INTO "schedules" VALUES('01a217b4-37c8-7ee3-9e1a-7cacc4b73aee','shared',2,1795694016456786,NULL);
INSERT INTO "schedules" VALUES('01a217b4-386c-710e-99fa-9dcd4469dd44','of-a-length',1,1795694016620054,NULL);
CREATE UNIQUE INDEX ix_schedules_name ON schedules (name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX ix_runs_name ON runs (name) WHERE deleted_at IS NULL;
CREATE INDEX ix_runs_schedule_uid ON runs (schedule_uid);
CREATE UNIQUE INDEX ix_schedule_revisions_request_id ON schedule_revisions (schedule_uid, request_id);
CREATE UNIQUE INDEX ix_edits_request_id ON edits (run_uid, request_id);
CREATE UNIQUE INDEX ix_incarnations_fence ON incarnations (run_uid, fence);
CREATE INDEX ix_run_labels_key_value ON run_labels ("key", value);
COMMIT;
