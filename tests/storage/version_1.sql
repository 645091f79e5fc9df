-- What the first version wrote: its tables, and one record of each kind.
CREATE TABLE schema_version (
 version INTEGER NOT NULL,
 PRIMARY KEY (version)
);
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
CREATE INDEX ix_jobs_subject ON jobs (subject);
CREATE INDEX jobs_by_state ON jobs (state, number);
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
CREATE INDEX ix_models_dataset_id ON models (dataset_id);
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
CREATE INDEX ix_cohorts_dataset_id ON cohorts (dataset_id);
CREATE INDEX ix_cohorts_model_id ON cohorts (model_id);
INSERT INTO schema_version VALUES (1);
INSERT INTO datasets VALUES (1, 'aaaaaaaaaaaa', 'ward.csv', 'csv', 'ward.csv', 'ready', 300, 300, 4, 'f0', NULL, '2024-07-01 10:00:00');
INSERT INTO models VALUES (1, 'bbbbbbbbbbbb', 'aaaaaaaaaaaa', 'dp_cgan', '{"epochs": 3, "private": false}', 7, 'ready', '{"rows": 210, "epsilon": null}', '2024-07-01 10:05:00');
INSERT INTO cohorts VALUES (1, 'cccccccccccc', 'bbbbbbbbbbbb', 'aaaaaaaaaaaa', '50 patients', '{"patients": 50}', 'ready', 50, 0.1, 1.0, NULL, '2024-07-01 10:06:00');
INSERT INTO jobs VALUES (1, 'dddddddddddd', 'train', '{"seed": 7}', 'bbbbbbbbbbbb', 'queued', 1, 0.5, 'Epoch 3', '[{"fraction": 0.5, "loss": 1.0}]', NULL, 0, NULL, NULL, NULL, NULL, '2024-07-01 10:05:00', NULL, NULL, NULL);
