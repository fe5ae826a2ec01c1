-- Who may do what: compartments, users, groups, dynamic groups, policies. Its twin is sqlite/0012_access.sql.

-- Grows whenever something changes that a decision of access rests on.
ALTER TABLE epoch ADD COLUMN access BIGINT NOT NULL DEFAULT 1;

-- What a token is narrowed to, as a JSON list; an empty one: all that its user may do.
ALTER TABLE tokens ADD COLUMN scopes TEXT COLLATE "C" NOT NULL DEFAULT '[]';

-- A tree; the root is the tenancy.
CREATE TABLE compartments (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT compartments_id PRIMARY KEY,
    created_at BIGINT NOT NULL,
    -- mutable
    parent_id TEXT COLLATE "C" REFERENCES compartments (id),
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    CHECK ((parent_id IS NULL) = (id = 'compartment_00000000000000000000000000'))
);
CREATE UNIQUE INDEX compartments_name ON compartments (name);
CREATE INDEX compartments_parent ON compartments (parent_id);

-- Names of users and groups are stored in lower case.
CREATE TABLE users (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT users_id PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL CHECK (name = lower(name)),
    created_at BIGINT NOT NULL,
    -- mutable
    description TEXT COLLATE "C" NOT NULL,
    enabled BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_name ON users (name);

CREATE TABLE user_groups (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT user_groups_id PRIMARY KEY,
    created_at BIGINT NOT NULL,
    -- mutable
    name TEXT COLLATE "C" NOT NULL CHECK (name = lower(name)),
    description TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX user_groups_name ON user_groups (name);

CREATE TABLE group_members (
    group_id TEXT COLLATE "C" NOT NULL REFERENCES user_groups (id),
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    CONSTRAINT group_members_user_id PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_user ON group_members (user_id, group_id);

CREATE TABLE dynamic_groups (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT dynamic_groups_id PRIMARY KEY,
    created_at BIGINT NOT NULL,
    -- mutable
    name TEXT COLLATE "C" NOT NULL CHECK (name = lower(name)),
    description TEXT COLLATE "C" NOT NULL,
    matching_rule TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX dynamic_groups_name ON dynamic_groups (name);

CREATE TABLE policies (
    -- immutable
    id TEXT COLLATE "C" NOT NULL CONSTRAINT policies_id PRIMARY KEY,
    compartment_id TEXT COLLATE "C" NOT NULL REFERENCES compartments (id),
    created_at BIGINT NOT NULL,
    -- mutable; statements is a JSON list of text
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    statements TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX policies_name ON policies (name);
CREATE INDEX policies_compartment ON policies (compartment_id);

-- Where resources lie; one without a row lies in the tenancy.
CREATE TABLE placements (
    resource_id TEXT COLLATE "C" NOT NULL CONSTRAINT placements_resource_id PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    compartment_id TEXT COLLATE "C" NOT NULL REFERENCES compartments (id)
);
CREATE INDEX placements_compartment ON placements (compartment_id, kind, resource_id);

CREATE INDEX tokens_user ON tokens (user_name) WHERE revoked_at IS NULL;

-- What is there from the start.
INSERT INTO compartments (id, created_at, parent_id, name, description, revision)
VALUES (
    'compartment_00000000000000000000000000', CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT), NULL, 'tenancy',
    'The root of all compartments', 1
);
INSERT INTO users (id, name, created_at, description, enabled, revision)
VALUES (
    'user_00000000000000000000000001', 'admin', CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT),
    'The first administrator', 1, 1
);
INSERT INTO user_groups (id, created_at, name, description, revision)
VALUES (
    'group_00000000000000000000000001', CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT), 'administrators',
    'May do everything', 1
);
INSERT INTO policies (id, compartment_id, created_at, name, description, statements, revision)
VALUES
    (
        'policy_00000000000000000000000001', 'compartment_00000000000000000000000000',
        CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT), 'administrators', 'What administrators may do',
        '["Allow group administrators to manage all-resources in tenancy"]', 1
    ),
    (
        'policy_00000000000000000000000002', 'compartment_00000000000000000000000000',
        CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT), 'service', 'What certificate authorities themselves may do',
        '["Allow any-user to use keys in tenancy where request.principal.type=''certificateauthority''","Allow any-user to manage objects in tenancy where request.principal.type=''certificateauthority''"]',
        1
    );

-- Every token was an administrator's: its user stays one. Names that differed by case alone are one user. (A user of
-- dots alone cannot be addressed; its tokens end.)
UPDATE tokens SET user_name = lower(user_name) WHERE user_name <> lower(user_name);
INSERT INTO users (id, name, created_at, description, enabled, revision)
SELECT
    'user_00' || upper(substr(replace(CAST(gen_random_uuid() AS TEXT), '-', ''), 1, 24)), user_name,
    CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT),
    'Had tokens before there were users', 1, 1
FROM (SELECT DISTINCT user_name FROM tokens WHERE user_name NOT IN ('admin', '.', '..')) AS found;
INSERT INTO group_members (group_id, user_id) SELECT 'group_00000000000000000000000001', id FROM users;
