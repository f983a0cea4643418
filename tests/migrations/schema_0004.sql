BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
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
INSERT INTO "blocks" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09',1,1,1,'lr',2,X'0000000000000840000000A09999A93F',1689220270,1,1,'[0,0,{"lr":[3.0,0.05000000074505806]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09',1,2,1,'lr',2,X'000000000000F83F000000A09999993F',3701566440,1,1,'[1,1,{"lr":[3.0,0.05000000074505806]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09',1,3,2,'lr',2,X'000000000000F83F000000000000E83F000000A09999993F000000A09999893F',478606124,1,1,'[2,2,{"lr":[1.5,0.02500000037252903]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09',1,5,1,'lr',2,X'000000000000E83F000000A09999893F',2161495846,1,1,'[4,4,{"lr":[0.75,0.012500000186264515]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09',1,6,2,'lr',2,X'000000000000483F000000000000283F000000A09999E93E000000A09999C93E',1722513875,2,1,'[5,5,{"lr":[0.0029296875,4.882812572759576e-05]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-1963-72b6-bad7-d5826b740bf3',1,1,3,'lr',1,X'0000000000000840000000000000F83F000000000000F83F',987176473,1,1,'[0,0,{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-1963-72b6-bad7-d5826b740bf3',1,4,2,'lr',1,X'0000000000000840000000000000F83F',1837191428,2,1,'[3,3,{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-1987-7ee8-96a7-ae0edb451b1b',1,1,5,'lr',1,X'0000000000000840000000000000F83F000000000000F83F000000000000E83F000000000000D83F',2824853813,1,1,'[0,[0,0,null,0],{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-1987-7ee8-96a7-ae0edb451b1b',2,1,1,'lr',1,X'0000000000000840',4241887580,2,2,'[0,0,{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-19a5-74d3-b33d-c04e053c0e24',1,1,4,'lr',1,X'0000000000000840000000000000F83F00000000000008400000000000000840',1422841167,1,1,'[0,[0,[0,-1]],{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-19b3-7348-b1a3-1ba2c1134e2e',1,1,1,'lr',1,X'000000000000F83F',684760140,1,1,'[0,0,{"lr":[3.0]}]','1','{"metric":NaN,"epoch":3,"factors":[0.5,-0.0],"seen":{"lr":[2.0]}}');
INSERT INTO "blocks" VALUES('01a21843-19dc-7030-8498-1b60a9e5ea94',1,1,1,'lr',1,X'0000000000000240',104462806,1,1,'[0,[0],{"lr":[3.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-19dc-7030-8498-1b60a9e5ea94',1,2,1,'lr',1,X'000000000000F03F',3384910518,2,1,'[1,[1],{"lr":[2.0]}]','1',NULL);
INSERT INTO "blocks" VALUES('01a21843-19ff-7776-8d63-cb0663c7157d',1,1,1,'lr',1,X'0000000000000840',4241887580,1,1,'[0,0,{"lr":[3.0]}]','1',NULL);
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
	created_at BIGINT NOT NULL, parameters TEXT, author TEXT, reason TEXT, request_id VARCHAR(36), digest VARCHAR(64), fence BIGINT, 
	CONSTRAINT pk_branches PRIMARY KEY (run_uid, branch), 
	CONSTRAINT fk_branches_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid), 
	CONSTRAINT fk_branches_schedule_uid_schedules FOREIGN KEY(schedule_uid) REFERENCES schedules (uid)
);
INSERT INTO "branches" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09',1,NULL,NULL,'{"semantics":"torch>=2.9","step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,1,0,X'0000000000000840000000A09999A93F','[0,0,{"lr":[3.0,0.05000000074505806]}]',1795703380189744,NULL,'operator@example.org','zurück','fca1855f-2d37-4c39-af21-3aa8678c8f17','0000000000000000000000000000000000000000000000000000000000000000',NULL);
INSERT INTO "branches" VALUES('01a21843-1963-72b6-bad7-d5826b740bf3',1,NULL,NULL,'{"semantics":"torch>=2.9","step_lr":{"gamma":0.5,"step_size":2.0}}','01a21843-1931-7d56-be58-882b5ab313be',1,1,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795703380277623,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "branches" VALUES('01a21843-1987-7ee8-96a7-ae0edb451b1b',1,NULL,NULL,'{"semantics":"torch>=2.9","sequence":{"boundary":"later","stages":[{"clock":"local","schedule":{"step_lr":{"gamma":0.5,"step_size":2.0}}},{"at":"4","clock":"local","schedule":{"step_lr":{"gamma":0.5,"step_size":1.0}}}]}}',NULL,NULL,1,0,X'0000000000000840','[0,[0,0,null,0],{"lr":[3.0]}]',1795703380358707,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "branches" VALUES('01a21843-1987-7ee8-96a7-ae0edb451b1b',2,1,NULL,'{"semantics":"torch>=2.9","step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,2,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795703380376087,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "branches" VALUES('01a21843-19a5-74d3-b33d-c04e053c0e24',1,NULL,NULL,'{"semantics":"torch>=2.9","sequential_lr":{"milestones":[3.0],"schedulers":[{"step_lr":{"gamma":0.5,"step_size":2.0}},{"step_lr":{"gamma":0.5,"step_size":2.0}}]}}',NULL,NULL,1,0,X'0000000000000840','[0,[0,[0,-1]],{"lr":[3.0]}]',1795703380388241,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "branches" VALUES('01a21843-19b3-7348-b1a3-1ba2c1134e2e',1,NULL,NULL,'{"semantics":"torch>=2.9","step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,1,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795703380400667,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "branches" VALUES('01a21843-19dc-7030-8498-1b60a9e5ea94',1,NULL,NULL,'{"semantics":"torch>=2.9","tracks":{"tracks":[{"name":"lr","schedule":{"ramp":{"after":"hold","begin":{"before":1.0},"counting":"from_zero","ease":"linear","end":{"absolute":0.0},"high":3.0,"low":-7.0,"over":{"steps":4.0},"warp":1.0}}}]}}','01a21843-19d6-7a14-a2fc-a91c02c49c8f',1,1,0,X'0000000000000840','[0,[0],{"lr":[3.0]}]',1795703380441566,'{"steps": 4.0}',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "branches" VALUES('01a21843-19ff-7776-8d63-cb0663c7157d',1,NULL,NULL,'{"semantics":"torch>=2.9","step_lr":{"gamma":0.5,"step_size":2.0}}',NULL,NULL,1,0,X'0000000000000840','[0,0,{"lr":[3.0]}]',1795703380477621,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE deviations (
	run_uid VARCHAR(36) NOT NULL, 
	branch BIGINT NOT NULL, 
	fence BIGINT NOT NULL, 
	rank INTEGER NOT NULL, 
	first_step BIGINT NOT NULL, 
	count INTEGER NOT NULL, 
	tracks TEXT NOT NULL, 
	groups INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	crc BIGINT NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_deviations PRIMARY KEY (run_uid, branch, fence, rank, first_step), 
	CONSTRAINT fk_deviations_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid)
);
INSERT INTO "deviations" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09',1,1,0,5,2,'lr',2,X'000000000000D03F000000000000D03F000000000000C03F000000000000C03F',2442704802,'hold',1795703380613141);
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
INSERT INTO "edits" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09',2,1,'1933ec7e-1d70-43b9-a293-f8868020cd50','6331d28f9a4658198d160e5bce63e5a5343c0bb5fa8b82ae7478d8811673a36a','replace','{"semantics":"torch>=2.9","step_lr":{"gamma":0.25,"step_size":1.0}}',NULL,NULL,6,0,'[5,5,{"lr":[0.0029296875,4.882812572759576e-05]}]','operator@example.org','zu groß – 太大',1795703380263832,NULL);
INSERT INTO "edits" VALUES('01a21843-1963-72b6-bad7-d5826b740bf3',2,1,'9b7cb49e-7c21-5fd0-8a05-7dfe28c3c2f7','9d826e2ed1b9f5604241948b56be36e72d600653ecb7505c8a09f8765eb720dd','replace','{"multi_step_lr":{"gamma":0.5,"milestones":[5.0]},"semantics":"torch>=2.9"}','01a21843-1931-7d56-be58-882b5ab313be',2,4,0,'[3,3,{"lr":[3.0]}]','operator@example.org','later',1795703380349091,NULL);
INSERT INTO "edits" VALUES('01a21843-19dc-7030-8498-1b60a9e5ea94',2,1,'1c3fc1dc-a2a0-4ed4-9002-d018a38e0344','3a605fbe3d0229dd13776499b9b559fc3d36372d7d1a5ab19e669c7b762d18e9','replace','{"semantics":"torch>=2.9","tracks":{"tracks":[{"name":"lr","schedule":{"ramp":{"after":"hold","begin":{"before":1.0},"counting":"from_zero","ease":"linear","end":{"absolute":0.0},"high":3.0,"low":-7.0,"over":{"steps":3.0},"warp":1.0}}}]}}','01a21843-19d6-7a14-a2fc-a91c02c49c8f',1,2,0,'[1,[1],{"lr":[2.0]}]','operator@example.org','shorter',1795703380464419,'{"steps": 3.0}');
CREATE TABLE incarnations (
	run_uid VARCHAR(36) NOT NULL, 
	incarnation VARCHAR(128) NOT NULL, 
	fence BIGINT NOT NULL, 
	branch BIGINT NOT NULL, 
	resume_step BIGINT NOT NULL, 
	attempt BIGINT, 
	world_size INTEGER NOT NULL, 
	labels TEXT NOT NULL, 
	acquired_at BIGINT NOT NULL, on_resume VARCHAR(16), 
	CONSTRAINT pk_incarnations PRIMARY KEY (run_uid, incarnation), 
	CONSTRAINT fk_incarnations_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid)
);
INSERT INTO "incarnations" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09','edited-first-start',1,1,0,1,2,'{"host": "node-1", "pid": "4242"}',1795703380189744,NULL);
INSERT INTO "incarnations" VALUES('01a21843-1963-72b6-bad7-d5826b740bf3','follower-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795703380277623,NULL);
INSERT INTO "incarnations" VALUES('01a21843-1987-7ee8-96a7-ae0edb451b1b','again-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795703380358707,NULL);
INSERT INTO "incarnations" VALUES('01a21843-1987-7ee8-96a7-ae0edb451b1b','again-second-start',2,2,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795703380376087,NULL);
INSERT INTO "incarnations" VALUES('01a21843-19a5-74d3-b33d-c04e053c0e24','finished-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795703380388241,NULL);
INSERT INTO "incarnations" VALUES('01a21843-19b3-7348-b1a3-1ba2c1134e2e','given-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795703380400667,NULL);
INSERT INTO "incarnations" VALUES('01a21843-19dc-7030-8498-1b60a9e5ea94','parameters-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795703380441566,NULL);
INSERT INTO "incarnations" VALUES('01a21843-19ff-7776-8d63-cb0663c7157d','deleted-first-start',1,1,0,NULL,1,'{"host": "node-1", "pid": "4242"}',1795703380477621,NULL);
CREATE TABLE lost_edits (
	run_uid VARCHAR(36) NOT NULL, 
	request_id VARCHAR(36) NOT NULL, 
	branch BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	effective_step BIGINT NOT NULL, 
	definition TEXT NOT NULL, 
	author TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	found_at BIGINT NOT NULL, 
	CONSTRAINT pk_lost_edits PRIMARY KEY (run_uid, request_id), 
	CONSTRAINT fk_lost_edits_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid)
);
INSERT INTO "lost_edits" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09','9063add7-e768-4f65-8132-fa8ffc9dd548',1,3,9,'{"step_lr":{"gamma":0.5,"step_size":2.0}}','operator@example.org','verloren – 失',1795703380613136,1795703380613141);
CREATE TABLE meta (
	"key" VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('store_epoch','a1239d7736fd015a5d090dc9823e2397');
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
INSERT INTO "param_groups" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09',1,0,'lr','größe','float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09',1,1,'lr',NULL,'float32',1.00000001490116119384e-01,5.00000007450580596923e-02);
INSERT INTO "param_groups" VALUES('01a21843-1963-72b6-bad7-d5826b740bf3',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21843-1987-7ee8-96a7-ae0edb451b1b',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21843-1987-7ee8-96a7-ae0edb451b1b',2,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21843-19a5-74d3-b33d-c04e053c0e24',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21843-19b3-7348-b1a3-1ba2c1134e2e',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21843-19dc-7030-8498-1b60a9e5ea94',1,0,'lr',NULL,'float64',3.0,3.0);
INSERT INTO "param_groups" VALUES('01a21843-19ff-7776-8d63-cb0663c7157d',1,0,'lr',NULL,'float64',3.0,3.0);
CREATE TABLE rank_progress (
	run_uid VARCHAR(36) NOT NULL, 
	fence BIGINT NOT NULL, 
	data TEXT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_rank_progress PRIMARY KEY (run_uid, fence)
);
INSERT INTO "rank_progress" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09',1,'[[0,7,1795703380613141,30000000],[1,3,1795703290613141,0]]',1795703380613141);
CREATE TABLE run_labels (
	run_uid VARCHAR(36) NOT NULL, 
	"key" VARCHAR(128) NOT NULL, 
	value VARCHAR(256) NOT NULL, 
	CONSTRAINT pk_run_labels PRIMARY KEY (run_uid, "key"), 
	CONSTRAINT fk_run_labels_run_uid_runs FOREIGN KEY(run_uid) REFERENCES runs (uid)
);
INSERT INTO "run_labels" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09','gpu','8');
INSERT INTO "run_labels" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09','team','视觉');
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
	deleted_at BIGINT, forked_from_uid VARCHAR(36), forked_from_name VARCHAR(128), forked_from_branch BIGINT, forked_from_step BIGINT, 
	CONSTRAINT pk_runs PRIMARY KEY (uid), 
	CONSTRAINT fk_runs_schedule_uid_schedules FOREIGN KEY(schedule_uid) REFERENCES schedules (uid)
);
INSERT INTO "runs" VALUES('01a21843-18e0-7e92-b877-e63d4997bf09','edited','active','epoch',1,1,8,2,'[7,7,{"lr":[0.00018310546875,3.051757857974735e-06]}]','1',NULL,1795703380189744,1795703380270768,22753,NULL,NULL,'3f1953f0-1152-40d8-8fe1-f4c8ebcbd056','früher',1,40);
INSERT INTO "runs" VALUES('01a21843-1963-72b6-bad7-d5826b740bf3','follower','active','epoch',1,1,6,2,'[5,5,{"lr":[1.5]}]','1','01a21843-1931-7d56-be58-882b5ab313be',1795703380277623,1795703380355658,16504,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES('01a21843-1987-7ee8-96a7-ae0edb451b1b','again','active','epoch',2,2,2,2,'[1,1,{"lr":[3.0]}]','1',NULL,1795703380358707,1795703380385575,9488,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES('01a21843-19a5-74d3-b33d-c04e053c0e24','finished','finished','epoch',1,1,5,1,'[4,[4,[2,1]],{"lr":[3.0]}]','1',NULL,1795703380388241,1795703380394258,6017,1795703380395719,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES('01a21843-19b3-7348-b1a3-1ba2c1134e2e','given','active','epoch',1,1,2,1,'[1,3,{"lr":[1.5]}]','1',NULL,1795703380400667,1795703380407838,7171,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES('01a21843-19dc-7030-8498-1b60a9e5ea94','parameters','active','epoch',1,1,3,2,'[2,[2],{"lr":[1.0]}]','1','01a21843-19d6-7a14-a2fc-a91c02c49c8f',1795703380441566,1795703380473688,19173,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES('01a21843-19ff-7776-8d63-cb0663c7157d','deleted','deleted','epoch',1,1,2,1,'[1,1,{"lr":[3.0]}]','1',NULL,1795703380477621,1795703380509480,31859,NULL,1795703380513151,NULL,NULL,NULL,NULL);
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
INSERT INTO "schedule_revisions" VALUES('01a21843-1931-7d56-be58-882b5ab313be',1,'{"semantics":"torch>=2.9","step_lr":{"gamma":0.5,"step_size":2.0}}','01a21843-1931-7e46-853c-bf0632434d9f','operator@example.org','first',1,1795703380273381);
INSERT INTO "schedule_revisions" VALUES('01a21843-1931-7d56-be58-882b5ab313be',2,'{"multi_step_lr":{"gamma":0.5,"milestones":[5.0]},"semantics":"torch>=2.9"}','dcd3b288-bafc-470b-8945-e354847b3b8c','operator@example.org','later',1,1795703380343253);
INSERT INTO "schedule_revisions" VALUES('01a21843-19d6-7a14-a2fc-a91c02c49c8f',1,'{"semantics":"torch>=2.9","tracks":{"parameters":[{"name":"steps"}],"tracks":[{"name":"lr","schedule":{"ramp":{"after":"hold","begin":{"before":1.0},"counting":"from_zero","ease":"linear","end":{"absolute":0.0},"high":3.0,"low":-7.0,"over":{"parameter":"steps"},"warp":1.0}}}]}}','01a21843-19d6-70fb-a676-263b9b694361','operator@example.org','first',1,1795703380438382);
CREATE TABLE schedules (
	uid VARCHAR(36) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	head_revision BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	deleted_at BIGINT, 
	CONSTRAINT pk_schedules PRIMARY KEY (uid)
);
INSERT INTO "schedules" VALUES('01a21843-1931-7d56-be58-882b5ab313be','shared',2,1795703380273381,NULL);
INSERT INTO "schedules" VALUES('01a21843-19d6-7a14-a2fc-a91c02c49c8f','of-a-length',1,1795703380438382,NULL);
CREATE UNIQUE INDEX ix_schedules_name ON schedules (name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX ix_runs_name ON runs (name) WHERE deleted_at IS NULL;
CREATE INDEX ix_runs_schedule_uid ON runs (schedule_uid);
CREATE UNIQUE INDEX ix_schedule_revisions_request_id ON schedule_revisions (schedule_uid, request_id);
CREATE UNIQUE INDEX ix_edits_request_id ON edits (run_uid, request_id);
CREATE UNIQUE INDEX ix_incarnations_fence ON incarnations (run_uid, fence);
CREATE INDEX ix_run_labels_key_value ON run_labels ("key", value);
CREATE UNIQUE INDEX ix_branches_request_id ON branches (run_uid, request_id);
CREATE INDEX ix_runs_forked_from_uid ON runs (forked_from_uid);
COMMIT;
