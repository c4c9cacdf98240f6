CREATE TABLE benchmark (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    config_json TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_benchmark PRIMARY KEY (id)
);
CREATE TABLE phase (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    share FLOAT NOT NULL,
    images BIGINT NOT NULL,
    config_json TEXT NOT NULL,
    CONSTRAINT pk_phase PRIMARY KEY (id),
    CONSTRAINT uq_phase_name UNIQUE (name)
);
CREATE TABLE team (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_team PRIMARY KEY (id),
    CONSTRAINT uq_team_name UNIQUE (name)
);
CREATE TABLE worker (
    id INTEGER NOT NULL,
    display TEXT DEFAULT '' NOT NULL,
    state TEXT DEFAULT 'active' NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_worker PRIMARY KEY (id)
);
CREATE TABLE account_role (
    worker_id INTEGER NOT NULL,
    role TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    CONSTRAINT pk_account_role PRIMARY KEY (worker_id, role),
    CONSTRAINT fk_account_role_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE TABLE audit (
    id INTEGER NOT NULL,
    worker_id INTEGER,
    action TEXT NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    details_json TEXT DEFAULT '{}' NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (id),
    CONSTRAINT fk_audit_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE INDEX ix_audit_time ON audit (created_at);
CREATE TABLE identity (
    id INTEGER NOT NULL,
    provider TEXT NOT NULL,
    external_id_hash TEXT NOT NULL,
    worker_id INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_identity PRIMARY KEY (id),
    CONSTRAINT uq_identity_provider_external_id_hash UNIQUE (provider, external_id_hash),
    CONSTRAINT fk_identity_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE INDEX ix_identity_worker_id ON identity (worker_id);
CREATE TABLE invitation (
    id INTEGER NOT NULL,
    token_hash TEXT NOT NULL,
    kind TEXT DEFAULT 'invitation' NOT NULL,
    role TEXT DEFAULT 'worker' NOT NULL,
    created_by INTEGER,
    worker_id INTEGER,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    uses_left BIGINT DEFAULT 1 NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_invitation PRIMARY KEY (id),
    CONSTRAINT uq_invitation_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_invitation_created_by FOREIGN KEY(created_by) REFERENCES worker (id),
    CONSTRAINT fk_invitation_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE TABLE membership (
    worker_id INTEGER NOT NULL,
    team_id INTEGER NOT NULL,
    CONSTRAINT pk_membership PRIMARY KEY (worker_id),
    CONSTRAINT fk_membership_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id),
    CONSTRAINT fk_membership_team_id FOREIGN KEY(team_id) REFERENCES team (id)
);
CREATE INDEX ix_membership_team_id ON membership (team_id);
CREATE TABLE password (
    worker_id INTEGER NOT NULL,
    argon2 TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    CONSTRAINT pk_password PRIMARY KEY (worker_id),
    CONSTRAINT fk_password_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE TABLE session (
    token_hash TEXT NOT NULL,
    worker_id INTEGER NOT NULL,
    csrf_hash TEXT NOT NULL,
    ip_prefix TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    CONSTRAINT pk_session PRIMARY KEY (token_hash),
    CONSTRAINT fk_session_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE INDEX ix_session_worker_id ON session (worker_id);
CREATE TABLE submission (
    id INTEGER NOT NULL,
    phase_id INTEGER NOT NULL,
    team_id INTEGER NOT NULL,
    worker_id INTEGER NOT NULL,
    state TEXT DEFAULT 'received' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    state_since BIGINT NOT NULL,
    file_name TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 TEXT DEFAULT '' NOT NULL,
    method TEXT DEFAULT '' NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    link TEXT DEFAULT '' NOT NULL,
    attempts BIGINT DEFAULT 0 NOT NULL,
    lease TEXT DEFAULT '' NOT NULL,
    lease_until BIGINT DEFAULT 0 NOT NULL,
    records BIGINT DEFAULT 0 NOT NULL,
    scores_json TEXT DEFAULT '{}' NOT NULL,
    sketch_json TEXT DEFAULT '[]' NOT NULL,
    created_at BIGINT NOT NULL,
    scored_at BIGINT,
    CONSTRAINT pk_submission PRIMARY KEY (id),
    CONSTRAINT fk_submission_phase_id FOREIGN KEY(phase_id) REFERENCES phase (id),
    CONSTRAINT fk_submission_team_id FOREIGN KEY(team_id) REFERENCES team (id),
    CONSTRAINT fk_submission_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE INDEX ix_submission_open ON submission (state, id) WHERE submission.state IN ('received', 'checking', 'queued', 'running');
CREATE INDEX ix_submission_team ON submission (team_id, phase_id, created_at);
CREATE UNIQUE INDEX uq_submission_content ON submission (phase_id, team_id, sha256) WHERE submission.sha256 <> '' AND submission.state IN ('received', 'checking', 'queued', 'running', 'scored');
CREATE TABLE near_equal (
    id INTEGER NOT NULL,
    submission_id INTEGER NOT NULL,
    other_id INTEGER NOT NULL,
    similarity FLOAT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_near_equal PRIMARY KEY (id),
    CONSTRAINT uq_near_equal_submission_id_other_id UNIQUE (submission_id, other_id),
    CONSTRAINT fk_near_equal_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id),
    CONSTRAINT fk_near_equal_other_id FOREIGN KEY(other_id) REFERENCES submission (id)
);
CREATE INDEX ix_near_equal_submission_id ON near_equal (submission_id);
CREATE TABLE team_invitation (
    invitation_id INTEGER NOT NULL,
    team_id INTEGER NOT NULL,
    CONSTRAINT pk_team_invitation PRIMARY KEY (invitation_id),
    CONSTRAINT fk_team_invitation_invitation_id FOREIGN KEY(invitation_id) REFERENCES invitation (id),
    CONSTRAINT fk_team_invitation_team_id FOREIGN KEY(team_id) REFERENCES team (id)
);
CREATE TABLE transition (
    id INTEGER NOT NULL,
    submission_id INTEGER NOT NULL,
    "before" TEXT NOT NULL,
    "after" TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_transition PRIMARY KEY (id),
    CONSTRAINT fk_transition_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE INDEX ix_transition_submission_id ON transition (submission_id);
CREATE UNIQUE INDEX uq_transition_scored ON transition (submission_id) WHERE after = 'scored';
