-- What the second version wrote: its tables, and one record of each kind. The driver's own transaction is left out.
CREATE TABLE cohorts (
 number INTEGER NOT NULL,
 id VARCHAR(12) NOT NULL,
 model_id VARCHAR(12) NOT NULL,
 dataset_id VARCHAR(12) NOT NULL,
 name TEXT NOT NULL,
 spec JSON NOT NULL,
 state VARCHAR(20) NOT NULL,
 rows INTEGER,
 seconds FLOAT,
 compliance FLOAT,
 report JSON,
 created_at DATETIME NOT NULL,
 PRIMARY KEY (number),
 UNIQUE (id),
 FOREIGN KEY(model_id) REFERENCES models (id),
 FOREIGN KEY(dataset_id) REFERENCES datasets (id)
);
INSERT INTO "cohorts" VALUES(1,'cccccccccccc','bbbbbbbbbbbb','aaaaaaaaaaaa','50 patients','{"patients": 50}','ready',50,0.1,1.0,NULL,'2024-07-01 10:06:00');
CREATE TABLE datasets (
 number INTEGER NOT NULL,
 id VARCHAR(12) NOT NULL,
 name TEXT NOT NULL,
 source VARCHAR(20) NOT NULL,
 location TEXT NOT NULL,
 state VARCHAR(20) NOT NULL,
 rows INTEGER,
 patients INTEGER,
 columns INTEGER,
 fingerprint VARCHAR(64),
 message TEXT,
 created_at DATETIME NOT NULL,
 PRIMARY KEY (number),
 UNIQUE (id)
);
INSERT INTO "datasets" VALUES(1,'aaaaaaaaaaaa','ward.csv','csv','ward.csv','ready',300,300,4,'f0',NULL,'2024-07-01 10:00:00');
CREATE TABLE jobs (
 number INTEGER NOT NULL,
 id VARCHAR(12) NOT NULL,
 kind VARCHAR(20) NOT NULL,
 payload JSON NOT NULL,
 subject VARCHAR(12) NOT NULL,
 state VARCHAR(20) NOT NULL,
 attempt INTEGER NOT NULL,
 fraction FLOAT NOT NULL,
 message TEXT NOT NULL,
 figures JSON NOT NULL,
 error JSON,
 cancel_requested BOOLEAN NOT NULL,
 owner VARCHAR(100),
 lease_until DATETIME,
 attempt_at DATETIME,
 attempt_fraction FLOAT,
 created_at DATETIME NOT NULL,
 started_at DATETIME,
 finished_at DATETIME,
 heartbeat_at DATETIME,
 PRIMARY KEY (number),
 UNIQUE (id)
);
INSERT INTO "jobs" VALUES(1,'dddddddddddd','train','{"seed": 7}','bbbbbbbbbbbb','queued',1,0.5,'Epoch 3','[{"fraction": 0.5, "loss": 1.0}]',NULL,0,NULL,NULL,NULL,NULL,'2024-07-01 10:05:00',NULL,NULL,NULL);
CREATE TABLE models (
 number INTEGER NOT NULL,
 id VARCHAR(12) NOT NULL,
 dataset_id VARCHAR(12) NOT NULL,
 generator VARCHAR(40) NOT NULL,
 options JSON NOT NULL,
 seed BIGINT NOT NULL,
 state VARCHAR(20) NOT NULL,
 report JSON,
 created_at DATETIME NOT NULL,
 PRIMARY KEY (number),
 UNIQUE (id),
 FOREIGN KEY(dataset_id) REFERENCES datasets (id)
);
INSERT INTO "models" VALUES(1,'bbbbbbbbbbbb','aaaaaaaaaaaa','dp_cgan','{"epochs": 3, "private": false}',7,'ready','{"rows": 210, "epsilon": null}','2024-07-01 10:05:00');
CREATE TABLE privacy_decisions (
 number INTEGER NOT NULL,
 source_id VARCHAR(12) NOT NULL,
 "before" FLOAT NOT NULL,
 "after" FLOAT NOT NULL,
 created_at DATETIME NOT NULL,
 PRIMARY KEY (number),
 FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE TABLE privacy_runs (
 number INTEGER NOT NULL,
 run_id VARCHAR(64) NOT NULL,
 source_id VARCHAR(12) NOT NULL,
 label TEXT NOT NULL,
 state VARCHAR(20) NOT NULL,
 epsilon FLOAT NOT NULL,
 delta FLOAT NOT NULL,
 mu FLOAT NOT NULL,
 identity TEXT,
 events JSON NOT NULL,
 earlier JSON NOT NULL,
 spent FLOAT,
 created_at DATETIME NOT NULL,
 settled_at DATETIME,
 PRIMARY KEY (number),
 UNIQUE (run_id),
 FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE TABLE schema_version (
 version INTEGER NOT NULL,
 PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(2);
CREATE TABLE source_members (
 number INTEGER NOT NULL,
 id VARCHAR(12) NOT NULL,
 source_id VARCHAR(12) NOT NULL,
 kind VARCHAR(20) NOT NULL,
 reference TEXT NOT NULL,
 name TEXT NOT NULL,
 digest VARCHAR(64) NOT NULL,
 patients INTEGER NOT NULL,
 shared INTEGER NOT NULL,
 created_at DATETIME NOT NULL,
 PRIMARY KEY (number),
 UNIQUE (id),
 FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE TABLE sources (
 number INTEGER NOT NULL,
 id VARCHAR(12) NOT NULL,
 name TEXT NOT NULL,
 delta FLOAT NOT NULL,
 epsilon_limit FLOAT,
 spent FLOAT,
 remaining FLOAT,
 figures_for FLOAT,
 version INTEGER NOT NULL,
 created_at DATETIME NOT NULL,
 PRIMARY KEY (number),
 UNIQUE (id),
 UNIQUE (name)
);
INSERT INTO "sources" VALUES(1,'eeeeeeeeeeee','Ward',1.0e-05,NULL,0.5,9.5,10.0,1,'2024-07-01 10:04:00.000000');
CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE INDEX ix_jobs_subject ON jobs (subject);
CREATE INDEX ix_models_dataset_id ON models (dataset_id);
CREATE INDEX ix_source_members_source_id ON source_members (source_id);
CREATE INDEX ix_privacy_runs_source_id ON privacy_runs (source_id);
CREATE INDEX ix_privacy_decisions_source_id ON privacy_decisions (source_id);
CREATE INDEX ix_cohorts_model_id ON cohorts (model_id);
CREATE INDEX ix_cohorts_dataset_id ON cohorts (dataset_id);
