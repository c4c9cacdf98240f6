CREATE TABLE campaign (
    id BIGSERIAL NOT NULL,
    config_json TEXT NOT NULL,
    catalogue_json TEXT DEFAULT '[]' NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    secret TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_campaign PRIMARY KEY (id)
);
CREATE TABLE category_candidate (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    supercategory TEXT DEFAULT '' NOT NULL,
    mandatory BOOLEAN DEFAULT false NOT NULL,
    not_a_thing BOOLEAN DEFAULT false NOT NULL,
    instances BIGINT,
    CONSTRAINT pk_category_candidate PRIMARY KEY (id),
    CONSTRAINT uq_category_candidate_name UNIQUE (name)
);
CREATE TABLE decision (
    id BIGSERIAL NOT NULL,
    rule TEXT NOT NULL,
    rule_version BIGINT NOT NULL,
    subject TEXT NOT NULL,
    inputs_json TEXT NOT NULL,
    outcome_json TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_decision PRIMARY KEY (id)
);
CREATE INDEX ix_decision_subject ON decision (subject, rule);
CREATE TABLE image (
    id BIGSERIAL NOT NULL,
    file_name TEXT NOT NULL,
    sha256 TEXT,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    licence TEXT DEFAULT '' NOT NULL,
    photographer TEXT DEFAULT '' NOT NULL,
    taken_on TEXT DEFAULT '' NOT NULL,
    source TEXT DEFAULT '' NOT NULL,
    state TEXT DEFAULT 'kept' NOT NULL,
    CONSTRAINT pk_image PRIMARY KEY (id),
    CONSTRAINT uq_image_file_name UNIQUE (file_name)
);
CREATE INDEX ix_image_sha256 ON image (sha256);
CREATE TABLE outbox (
    id BIGSERIAL NOT NULL,
    kind TEXT NOT NULL,
    payload_json TEXT NOT NULL,
    unique_token TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    delivered_at BIGINT,
    reply_json TEXT DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_outbox PRIMARY KEY (id),
    CONSTRAINT uq_outbox_unique_token UNIQUE (unique_token)
);
CREATE TABLE supercategory (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    ordinal BIGINT NOT NULL,
    CONSTRAINT pk_supercategory PRIMARY KEY (id),
    CONSTRAINT uq_supercategory_name UNIQUE (name)
);
CREATE TABLE unit (
    id BIGSERIAL NOT NULL,
    stage TEXT NOT NULL,
    ref_kind TEXT NOT NULL,
    ref_id BIGINT NOT NULL,
    category_id BIGINT,
    author_id BIGINT,
    expert_only BOOLEAN DEFAULT false NOT NULL,
    needed BIGINT NOT NULL,
    taken BIGINT DEFAULT 0 NOT NULL,
    done BIGINT DEFAULT 0 NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_unit PRIMARY KEY (id),
    CONSTRAINT ck_unit_places CHECK (taken >= 0 AND done >= 0 AND done <= taken AND taken <= needed)
);
CREATE INDEX ix_unit_free ON unit (stage, id) WHERE unit.state = 'open' AND unit.taken < unit.needed;
CREATE INDEX ix_unit_free_category ON unit (stage, category_id, id) WHERE unit.state = 'open' AND unit.taken < unit.needed;
CREATE INDEX ix_unit_ref ON unit (ref_kind, ref_id);
CREATE UNIQUE INDEX uq_unit_open ON unit (stage, ref_kind, ref_id) WHERE state = 'open';
CREATE TABLE worker (
    id BIGSERIAL NOT NULL,
    display TEXT DEFAULT '' NOT NULL,
    state TEXT DEFAULT 'active' NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    expert BOOLEAN DEFAULT false NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_worker PRIMARY KEY (id)
);
CREATE TABLE account_role (
    worker_id BIGINT NOT NULL,
    role TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    CONSTRAINT pk_account_role PRIMARY KEY (worker_id, role),
    CONSTRAINT fk_account_role_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE TABLE audit (
    id BIGSERIAL NOT NULL,
    worker_id BIGINT,
    action TEXT NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    details_json TEXT DEFAULT '{}' NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (id),
    CONSTRAINT fk_audit_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE INDEX ix_audit_time ON audit (created_at);
CREATE TABLE category (
    id BIGINT NOT NULL,
    name TEXT NOT NULL,
    supercategory_id BIGINT NOT NULL,
    icon TEXT DEFAULT '' NOT NULL,
    definition TEXT DEFAULT '' NOT NULL,
    state TEXT DEFAULT 'active' NOT NULL,
    CONSTRAINT pk_category PRIMARY KEY (id),
    CONSTRAINT uq_category_name UNIQUE (name),
    CONSTRAINT fk_category_supercategory_id FOREIGN KEY(supercategory_id) REFERENCES supercategory (id)
);
CREATE TABLE identity (
    id BIGSERIAL NOT NULL,
    provider TEXT NOT NULL,
    external_id_hash TEXT NOT NULL,
    worker_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_identity PRIMARY KEY (id),
    CONSTRAINT uq_identity_provider_external_id_hash UNIQUE (provider, external_id_hash),
    CONSTRAINT fk_identity_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE INDEX ix_identity_worker_id ON identity (worker_id);
CREATE TABLE invitation (
    id BIGSERIAL NOT NULL,
    token_hash TEXT NOT NULL,
    kind TEXT DEFAULT 'invitation' NOT NULL,
    role TEXT DEFAULT 'worker' NOT NULL,
    created_by BIGINT,
    worker_id BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    uses_left BIGINT DEFAULT 1 NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_invitation PRIMARY KEY (id),
    CONSTRAINT uq_invitation_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_invitation_created_by FOREIGN KEY(created_by) REFERENCES worker (id),
    CONSTRAINT fk_invitation_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE TABLE password (
    worker_id BIGINT NOT NULL,
    argon2 TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    CONSTRAINT pk_password PRIMARY KEY (worker_id),
    CONSTRAINT fk_password_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE TABLE position (
    worker_id BIGINT NOT NULL,
    stage TEXT NOT NULL,
    unit_id BIGINT NOT NULL,
    CONSTRAINT pk_position PRIMARY KEY (worker_id, stage),
    CONSTRAINT fk_position_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE TABLE qualification (
    worker_id BIGINT NOT NULL,
    category_id BIGINT NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    until BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_qualification PRIMARY KEY (worker_id, category_id),
    CONSTRAINT fk_qualification_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE TABLE session (
    token_hash TEXT NOT NULL,
    worker_id BIGINT NOT NULL,
    csrf_hash TEXT NOT NULL,
    ip_prefix TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    CONSTRAINT pk_session PRIMARY KEY (token_hash),
    CONSTRAINT fk_session_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE INDEX ix_session_worker_id ON session (worker_id);
CREATE TABLE ticket (
    id BIGSERIAL NOT NULL,
    stage TEXT NOT NULL,
    worker_id BIGINT NOT NULL,
    token_hash TEXT NOT NULL,
    state TEXT DEFAULT 'leased' NOT NULL,
    plan_json TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    tries BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_ticket PRIMARY KEY (id),
    CONSTRAINT fk_ticket_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE INDEX ix_ticket_held ON ticket (worker_id, stage) WHERE state = 'leased';
CREATE INDEX ix_ticket_latest ON ticket (worker_id, stage, id);
CREATE INDEX ix_ticket_live ON ticket (expires_at) WHERE state = 'leased';
CREATE TABLE void (
    id BIGSERIAL NOT NULL,
    worker_id BIGINT NOT NULL,
    stage TEXT,
    reason TEXT NOT NULL,
    by TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    reverted_at BIGINT,
    CONSTRAINT pk_void PRIMARY KEY (id),
    CONSTRAINT fk_void_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE TABLE answer (
    id BIGSERIAL NOT NULL,
    ticket_id BIGINT NOT NULL,
    worker_id BIGINT NOT NULL,
    stage TEXT NOT NULL,
    idem_key TEXT NOT NULL,
    body_json TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    client_json TEXT NOT NULL,
    receipt_json TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    voided_by BIGINT,
    CONSTRAINT pk_answer PRIMARY KEY (id),
    CONSTRAINT uq_answer_worker_id_idem_key UNIQUE (worker_id, idem_key),
    CONSTRAINT fk_answer_ticket_id FOREIGN KEY(ticket_id) REFERENCES ticket (id),
    CONSTRAINT fk_answer_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id),
    CONSTRAINT fk_answer_voided_by FOREIGN KEY(voided_by) REFERENCES void (id)
);
CREATE INDEX ix_answer_ticket_id ON answer (ticket_id);
CREATE INDEX ix_answer_worker ON answer (worker_id, stage);
CREATE UNIQUE INDEX uq_answer_accepted ON answer (ticket_id) WHERE status = 'accepted';
CREATE TABLE cell (
    id BIGSERIAL NOT NULL,
    image_id BIGINT NOT NULL,
    category_id BIGINT NOT NULL,
    state TEXT DEFAULT 'spotting' NOT NULL,
    prior_x FLOAT(53) NOT NULL,
    prior_y FLOAT(53) NOT NULL,
    n_segmented BIGINT DEFAULT 0 NOT NULL,
    more_than_10 BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_cell PRIMARY KEY (id),
    CONSTRAINT uq_cell_image_id_category_id UNIQUE (image_id, category_id),
    CONSTRAINT fk_cell_image_id FOREIGN KEY(image_id) REFERENCES image (id),
    CONSTRAINT fk_cell_category_id FOREIGN KEY(category_id) REFERENCES category (id)
);
CREATE TABLE draft (
    ticket_id BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    body_json TEXT NOT NULL,
    saved_at BIGINT NOT NULL,
    CONSTRAINT pk_draft PRIMARY KEY (ticket_id),
    CONSTRAINT fk_draft_ticket_id FOREIGN KEY(ticket_id) REFERENCES ticket (id)
);
CREATE TABLE gold (
    id BIGSERIAL NOT NULL,
    kind TEXT NOT NULL,
    image_id BIGINT NOT NULL,
    category_id BIGINT,
    rle TEXT,
    source TEXT DEFAULT '' NOT NULL,
    state TEXT DEFAULT 'active' NOT NULL,
    CONSTRAINT pk_gold PRIMARY KEY (id),
    CONSTRAINT fk_gold_image_id FOREIGN KEY(image_id) REFERENCES image (id),
    CONSTRAINT fk_gold_category_id FOREIGN KEY(category_id) REFERENCES category (id)
);
CREATE INDEX ix_gold_kind ON gold (kind, category_id);
CREATE TABLE orphan_answer (
    id BIGSERIAL NOT NULL,
    ticket_id BIGINT NOT NULL,
    worker_id BIGINT NOT NULL,
    idem_key TEXT NOT NULL,
    body_json TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    client_json TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_orphan_answer PRIMARY KEY (id),
    CONSTRAINT uq_orphan_answer_worker_id_idem_key UNIQUE (worker_id, idem_key),
    CONSTRAINT fk_orphan_answer_ticket_id FOREIGN KEY(ticket_id) REFERENCES ticket (id),
    CONSTRAINT fk_orphan_answer_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE INDEX ix_orphan_answer_worker_id ON orphan_answer (worker_id);
CREATE TABLE caption (
    id BIGSERIAL NOT NULL,
    image_id BIGINT NOT NULL,
    answer_id BIGINT NOT NULL,
    worker_id BIGINT NOT NULL,
    text TEXT NOT NULL,
    CONSTRAINT pk_caption PRIMARY KEY (id),
    CONSTRAINT fk_caption_image_id FOREIGN KEY(image_id) REFERENCES image (id),
    CONSTRAINT fk_caption_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id),
    CONSTRAINT fk_caption_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id)
);
CREATE INDEX ix_caption_answer_id ON caption (answer_id);
CREATE INDEX ix_caption_image_id ON caption (image_id);
CREATE INDEX ix_caption_worker ON caption (worker_id, id);
CREATE TABLE category_vote (
    id BIGSERIAL NOT NULL,
    candidate_id BIGINT NOT NULL,
    answer_id BIGINT NOT NULL,
    score BIGINT NOT NULL,
    comment TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_category_vote PRIMARY KEY (id),
    CONSTRAINT uq_category_vote_candidate_id_answer_id UNIQUE (candidate_id, answer_id),
    CONSTRAINT fk_category_vote_candidate_id FOREIGN KEY(candidate_id) REFERENCES category_candidate (id),
    CONSTRAINT fk_category_vote_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id)
);
CREATE INDEX ix_category_vote_answer_id ON category_vote (answer_id);
CREATE TABLE claim (
    id BIGSERIAL NOT NULL,
    cell_id BIGINT NOT NULL,
    unit_id BIGINT NOT NULL,
    answer_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    points_json TEXT DEFAULT '[]' NOT NULL,
    by_expert BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_claim PRIMARY KEY (id),
    CONSTRAINT fk_claim_cell_id FOREIGN KEY(cell_id) REFERENCES cell (id),
    CONSTRAINT fk_claim_unit_id FOREIGN KEY(unit_id) REFERENCES unit (id),
    CONSTRAINT fk_claim_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id)
);
CREATE INDEX ix_claim_answer_id ON claim (answer_id);
CREATE INDEX ix_claim_cell_id ON claim (cell_id);
CREATE INDEX ix_claim_unit_id ON claim (unit_id);
CREATE TABLE crowd_region (
    id BIGSERIAL NOT NULL,
    cell_id BIGINT NOT NULL,
    answer_id BIGINT NOT NULL,
    rle TEXT,
    area BIGINT DEFAULT 0 NOT NULL,
    by_expert BOOLEAN DEFAULT false NOT NULL,
    state TEXT DEFAULT 'pending' NOT NULL,
    CONSTRAINT pk_crowd_region PRIMARY KEY (id),
    CONSTRAINT fk_crowd_region_cell_id FOREIGN KEY(cell_id) REFERENCES cell (id),
    CONSTRAINT fk_crowd_region_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id)
);
CREATE INDEX ix_crowd_region_answer_id ON crowd_region (answer_id);
CREATE INDEX ix_crowd_region_cell_id ON crowd_region (cell_id);
CREATE TABLE filter_vote (
    id BIGSERIAL NOT NULL,
    image_id BIGINT NOT NULL,
    answer_id BIGINT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_filter_vote PRIMARY KEY (id),
    CONSTRAINT fk_filter_vote_image_id FOREIGN KEY(image_id) REFERENCES image (id),
    CONSTRAINT fk_filter_vote_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id)
);
CREATE INDEX ix_filter_vote_answer_id ON filter_vote (answer_id);
CREATE INDEX ix_filter_vote_image_id ON filter_vote (image_id);
CREATE TABLE gold_result (
    id BIGSERIAL NOT NULL,
    answer_id BIGINT NOT NULL,
    gold_id BIGINT NOT NULL,
    correct BOOLEAN DEFAULT false NOT NULL,
    try_no BIGINT NOT NULL,
    CONSTRAINT pk_gold_result PRIMARY KEY (id),
    CONSTRAINT fk_gold_result_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id),
    CONSTRAINT fk_gold_result_gold_id FOREIGN KEY(gold_id) REFERENCES gold (id)
);
CREATE INDEX ix_gold_result_answer_id ON gold_result (answer_id);
CREATE TABLE icon_drop (
    id BIGSERIAL NOT NULL,
    answer_id BIGINT NOT NULL,
    image_id BIGINT NOT NULL,
    category_id BIGINT NOT NULL,
    x FLOAT(53) NOT NULL,
    y FLOAT(53) NOT NULL,
    CONSTRAINT pk_icon_drop PRIMARY KEY (id),
    CONSTRAINT fk_icon_drop_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id),
    CONSTRAINT fk_icon_drop_image_id FOREIGN KEY(image_id) REFERENCES image (id),
    CONSTRAINT fk_icon_drop_category_id FOREIGN KEY(category_id) REFERENCES category (id)
);
CREATE INDEX ix_icon_drop_answer_id ON icon_drop (answer_id);
CREATE INDEX ix_icon_drop_image_id ON icon_drop (image_id);
CREATE TABLE mask_vote (
    id BIGSERIAL NOT NULL,
    unit_id BIGINT NOT NULL,
    answer_id BIGINT NOT NULL,
    good BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_mask_vote PRIMARY KEY (id),
    CONSTRAINT fk_mask_vote_unit_id FOREIGN KEY(unit_id) REFERENCES unit (id),
    CONSTRAINT fk_mask_vote_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id)
);
CREATE INDEX ix_mask_vote_answer_id ON mask_vote (answer_id);
CREATE INDEX ix_mask_vote_unit_id ON mask_vote (unit_id);
CREATE TABLE point (
    id BIGSERIAL NOT NULL,
    cell_id BIGINT NOT NULL,
    answer_id BIGINT,
    x FLOAT(53) NOT NULL,
    y FLOAT(53) NOT NULL,
    CONSTRAINT pk_point PRIMARY KEY (id),
    CONSTRAINT fk_point_cell_id FOREIGN KEY(cell_id) REFERENCES cell (id),
    CONSTRAINT fk_point_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id)
);
CREATE INDEX ix_point_answer_id ON point (answer_id);
CREATE INDEX ix_point_cell_id ON point (cell_id);
CREATE TABLE slot (
    id BIGSERIAL NOT NULL,
    unit_id BIGINT NOT NULL,
    worker_id BIGINT NOT NULL,
    ticket_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    state TEXT DEFAULT 'leased' NOT NULL,
    answer_id BIGINT,
    CONSTRAINT pk_slot PRIMARY KEY (id),
    CONSTRAINT fk_slot_unit_id FOREIGN KEY(unit_id) REFERENCES unit (id),
    CONSTRAINT fk_slot_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id),
    CONSTRAINT fk_slot_ticket_id FOREIGN KEY(ticket_id) REFERENCES ticket (id),
    CONSTRAINT fk_slot_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id)
);
CREATE INDEX ix_slot_answer_id ON slot (answer_id);
CREATE INDEX ix_slot_ticket_id ON slot (ticket_id);
CREATE UNIQUE INDEX uq_slot_live ON slot (unit_id, worker_id) WHERE slot.state IN ('leased', 'submitted');
CREATE TABLE training_attempt (
    id BIGSERIAL NOT NULL,
    worker_id BIGINT NOT NULL,
    category_id BIGINT NOT NULL,
    gold_id BIGINT NOT NULL,
    answer_id BIGINT NOT NULL,
    iou FLOAT(53) NOT NULL,
    passed BOOLEAN DEFAULT false NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_training_attempt PRIMARY KEY (id),
    CONSTRAINT fk_training_attempt_worker_id FOREIGN KEY(worker_id) REFERENCES worker (id),
    CONSTRAINT fk_training_attempt_gold_id FOREIGN KEY(gold_id) REFERENCES gold (id),
    CONSTRAINT fk_training_attempt_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id)
);
CREATE INDEX ix_training_attempt_worker ON training_attempt (worker_id, category_id);
CREATE TABLE instance (
    id BIGSERIAL NOT NULL,
    cell_id BIGINT NOT NULL,
    point_id BIGINT NOT NULL,
    state TEXT DEFAULT 'pool' NOT NULL,
    attempt BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_instance PRIMARY KEY (id),
    CONSTRAINT fk_instance_cell_id FOREIGN KEY(cell_id) REFERENCES cell (id),
    CONSTRAINT uq_instance_point_id UNIQUE (point_id),
    CONSTRAINT fk_instance_point_id FOREIGN KEY(point_id) REFERENCES point (id)
);
CREATE INDEX ix_instance_cell_id ON instance (cell_id);
CREATE TABLE segmentation (
    id BIGSERIAL NOT NULL,
    cell_id BIGINT NOT NULL,
    instance_id BIGINT NOT NULL,
    answer_id BIGINT NOT NULL,
    parts_json TEXT NOT NULL,
    rle TEXT NOT NULL,
    area BIGINT NOT NULL,
    x FLOAT(53) NOT NULL,
    y FLOAT(53) NOT NULL,
    w FLOAT(53) NOT NULL,
    h FLOAT(53) NOT NULL,
    by_expert BOOLEAN DEFAULT false NOT NULL,
    state TEXT DEFAULT 'pending' NOT NULL,
    CONSTRAINT pk_segmentation PRIMARY KEY (id),
    CONSTRAINT fk_segmentation_cell_id FOREIGN KEY(cell_id) REFERENCES cell (id),
    CONSTRAINT fk_segmentation_instance_id FOREIGN KEY(instance_id) REFERENCES instance (id),
    CONSTRAINT fk_segmentation_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id)
);
CREATE INDEX ix_segmentation_answer_id ON segmentation (answer_id);
CREATE INDEX ix_segmentation_cell_id ON segmentation (cell_id);
CREATE INDEX ix_segmentation_instance_id ON segmentation (instance_id);
CREATE TABLE coverage (
    segmentation_id BIGINT NOT NULL,
    point_id BIGINT NOT NULL,
    CONSTRAINT pk_coverage PRIMARY KEY (segmentation_id, point_id),
    CONSTRAINT fk_coverage_segmentation_id FOREIGN KEY(segmentation_id) REFERENCES segmentation (id),
    CONSTRAINT fk_coverage_point_id FOREIGN KEY(point_id) REFERENCES point (id)
);
