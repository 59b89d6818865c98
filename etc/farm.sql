-- SPDX-License-Identifier: BSD-2-Clause
-- The tables of a farm: one blocklist on many hosts. "rblctl farm init CONNECTION" runs this
-- as whoever the connection is of, who may make a schema and roles; PostgreSQL 14 or newer.
-- The daemons connect as the role rblmilter, which may read all and change by the functions
-- below only. docs/farm.md says what is what.
BEGIN;
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rblmilter_owner') THEN
    CREATE ROLE rblmilter_owner NOLOGIN; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rblmilter') THEN
    CREATE ROLE rblmilter LOGIN; END IF;
  IF NOT pg_has_role(current_user, 'rblmilter_owner', 'MEMBER') THEN
    EXECUTE format('GRANT rblmilter_owner TO %I', current_user); END IF;
END $$;
CREATE SCHEMA farm AUTHORIZATION rblmilter_owner;
SET LOCAL ROLE rblmilter_owner;
SET LOCAL search_path = farm;

-- seq: the number of the last change; findings: of the last change of a finding
CREATE TABLE head (one boolean PRIMARY KEY DEFAULT true CHECK (one),
  schema int NOT NULL DEFAULT 1, epoch uuid NOT NULL DEFAULT gen_random_uuid(),
  seq bigint NOT NULL DEFAULT 0, findings bigint NOT NULL DEFAULT 0, keep_days int NOT NULL DEFAULT 90 CHECK (keep_days >= 2));
INSERT INTO head DEFAULT VALUES;

-- The state: one row per entry, source and side, with its version (at, id).
-- side: 0 mark that all of an entry was removed, 1 block or tempfail, 2 allow
CREATE TABLE entry (at bigint NOT NULL, id bigint NOT NULL, since bigint NOT NULL, expires bigint,
  side smallint NOT NULL CHECK (side IN (0, 1, 2) AND (side = 0) = (source = '')),
  entry text COLLATE "C" NOT NULL CHECK (octet_length(entry) BETWEEN 1 AND 400),
  source text COLLATE "C" NOT NULL CHECK (octet_length(source) <= 64),
  action text NOT NULL CHECK (octet_length(action) <= 20),
  reason text NOT NULL CHECK (octet_length(reason) <= 1000),
  who text NOT NULL CHECK (octet_length(who) <= 320),
  node text NOT NULL CHECK (octet_length(node) BETWEEN 1 AND 255),
  PRIMARY KEY (entry, source, side));
CREATE INDEX entry_dead ON entry (greatest(at, expires * 1000))
  WHERE action = 'removed' OR expires IS NOT NULL;

-- What hosts read, and the farm's log. stamp: random, one per call of publish
CREATE TABLE change (seq bigint PRIMARY KEY, stamp bigint NOT NULL,
  stored timestamptz NOT NULL DEFAULT clock_timestamp(), LIKE entry);
CREATE INDEX change_stored ON change USING brin (stored);

-- The hosts. What changes all the time is UNLOGGED: empty after a failover, it fills itself.
CREATE TABLE node (name text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 255),
  instance text NOT NULL, version text NOT NULL, since timestamptz NOT NULL DEFAULT clock_timestamp(),
  number smallint CHECK (number BETWEEN 0 AND 63)); -- in the ids of its decisions
CREATE UNLOGGED TABLE beat (name text PRIMARY KEY, seen timestamptz NOT NULL, applied bigint NOT NULL,
  entries bigint NOT NULL, waiting bigint NOT NULL, refused bigint NOT NULL) WITH (fillfactor = 50);

-- How often each host's mail matched an entry, as reported by the host: its whole count each time.
CREATE UNLOGGED TABLE hit (entry text COLLATE "C" CHECK (octet_length(entry) BETWEEN 1 AND 400),
  node text CHECK (octet_length(node) BETWEEN 1 AND 255), hits bigint NOT NULL CHECK (hits >= 0),
  last bigint NOT NULL, PRIMARY KEY (entry, node)) WITH (fillfactor = 70);

-- What a DNS list alone refused at a host, of that marked as wrong, and some ids of those.
CREATE UNLOGGED TABLE alone (node text CHECK (octet_length(node) BETWEEN 1 AND 255),
  list text CHECK (octet_length(list) BETWEEN 1 AND 255), refused bigint NOT NULL CHECK (refused >= 0),
  wrong bigint NOT NULL CHECK (wrong >= 0), ids text NOT NULL CHECK (octet_length(ids) <= 100),
  PRIMARY KEY (node, list));

-- What a host has counted of a key that is near a limit of a rule. kind: login, client, …;
-- body: its windows, for other hosts' eyes.
CREATE UNLOGGED TABLE count (node text CHECK (octet_length(node) BETWEEN 1 AND 255),
  kind text CHECK (octet_length(kind) <= 20), key text COLLATE "C" CHECK (octet_length(key) BETWEEN 1 AND 600),
  stored timestamptz NOT NULL, body text NOT NULL CHECK (octet_length(body) <= 16000),
  PRIMARY KEY (node, kind, key)) WITH (fillfactor = 50);

-- What rules found, on any host, and what became of it. id: random, drawn where it was found.
CREATE TABLE finding (id bigint PRIMARY KEY CHECK (id > 0), seq bigint, node text NOT NULL CHECK (octet_length(node) BETWEEN 1 AND 255),
  at bigint NOT NULL, rule text NOT NULL CHECK (octet_length(rule) BETWEEN 1 AND 63),
  entry text COLLATE "C" NOT NULL CHECK (octet_length(entry) BETWEEN 1 AND 400),
  key text NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 600), because text NOT NULL CHECK (octet_length(because) <= 1000),
  state text NOT NULL CHECK (state IN ('open', 'listed', 'dismissed', 'expired', 'ended', 'removed')),
  by_rule boolean NOT NULL, block boolean NOT NULL, for_s bigint NOT NULL, expires bigint NOT NULL,
  held text NOT NULL CHECK (octet_length(held) <= 1000), evidence text NOT NULL CHECK (octet_length(evidence) <= 16000),
  who text NOT NULL CHECK (octet_length(who) <= 320), reason text NOT NULL CHECK (octet_length(reason) <= 1000),
  decided_at bigint NOT NULL);
CREATE UNIQUE INDEX finding_seq ON finding (seq);
CREATE UNIQUE INDEX finding_open ON finding (entry, rule) WHERE state = 'open';

CREATE TYPE item AS (side smallint, entry text, source text, action text, reason text, who text,
  since bigint, expires bigint, at bigint, id bigint);

-- Takes changes: of each row the newest version counts. Returns the number of the last change
-- there is. One statement, in autocommit: a host that froze between two would hold the farm's
-- lock. Plans are nested loops by the keys; marks among the call's own rows by a window.
CREATE FUNCTION publish(p_node text, p_changes jsonb) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = farm, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off
  SET enable_mergejoin = off AS $$
DECLARE s bigint; fresh item[]; p item[]; st bigint := (random() * 9007199254740992)::bigint;
BEGIN
  SELECT array_agg(r) INTO p FROM jsonb_populate_recordset(NULL::item, p_changes) r;
  IF EXISTS (SELECT FROM unnest(p) c WHERE c.at > extract(epoch FROM clock_timestamp()) * 1000 + 86400000) THEN
    RAISE 'a change is dated more than a day ahead of this server' USING ERRCODE = 'RM001'; END IF;
  SELECT seq INTO STRICT s FROM head WHERE one FOR UPDATE;        -- orders all writers until commit
  SELECT array_agg((side, c.entry, source, action, reason, who, since, expires, at, id)::item ORDER BY at, id)
  INTO fresh FROM (
    SELECT w.*, max(ARRAY[at, id]) FILTER (WHERE side = 0) OVER (PARTITION BY w.entry) AS mark FROM (
      SELECT DISTINCT ON (u.entry, source, side) * FROM unnest(p) u
      ORDER BY u.entry, source, side, at DESC, id DESC) w) c
  WHERE (mark IS NULL OR ARRAY[at, id] >= mark)
    AND NOT EXISTS (SELECT FROM entry e WHERE e.entry = c.entry AND (e.at, e.id) >= (c.at, c.id)
                    AND (e.side = 0 OR (e.source, e.side) = (c.source, c.side)));
  IF fresh IS NULL THEN RETURN s; END IF;
  DELETE FROM entry e USING unnest(fresh) m
  WHERE m.side = 0 AND e.entry = m.entry AND e.side > 0 AND (e.at, e.id) < (m.at, m.id);
  INSERT INTO entry (side, entry, source, action, reason, who, since, expires, at, id, node)
  SELECT f.*, p_node FROM unnest(fresh) f
  ON CONFLICT (entry, source, side) DO UPDATE SET action = excluded.action, reason = excluded.reason,
    who = excluded.who, since = excluded.since, expires = excluded.expires, at = excluded.at,
    id = excluded.id, node = excluded.node;
  INSERT INTO change (seq, stamp, side, entry, source, action, reason, who, since, expires, at, id, node)
  SELECT s + nr, st, side, entry, source, action, reason, who, since, expires, at, id, p_node
  FROM unnest(fresh) WITH ORDINALITY AS f(side, entry, source, action, reason, who, since, expires, at, id, nr);
  s := s + cardinality(fresh);
  UPDATE head SET seq = s WHERE one;
  PERFORM pg_notify('rblmilter_farm', s::text);
  RETURN s;
END $$;

-- A host says how far it is. Returns the instance that said so before: where two have one name
-- it is not always the caller's.
CREATE FUNCTION beat(p_name text, p_instance text, p_version text, p_applied bigint, p_entries bigint,
  p_waiting bigint, p_refused bigint, p_number smallint) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = farm, pg_temp AS $$
DECLARE was node%ROWTYPE;
BEGIN
  SELECT * INTO was FROM node WHERE name = p_name;
  IF was IS NULL OR (was.instance, was.version, was.number) IS DISTINCT FROM (p_instance, p_version, p_number) THEN
    INSERT INTO node (name, instance, version, number) VALUES (p_name, p_instance, p_version, p_number)
    ON CONFLICT (name) DO UPDATE SET instance = excluded.instance, version = excluded.version,
      number = excluded.number; END IF;
  INSERT INTO beat VALUES (p_name, clock_timestamp(), p_applied, p_entries, p_waiting, p_refused)
  ON CONFLICT (name) DO UPDATE SET seen = excluded.seen, applied = excluded.applied,
    entries = excluded.entries, waiting = excluded.waiting, refused = excluded.refused;
  RETURN was.instance;
END $$;

CREATE FUNCTION tell_hits(p_node text, p_hits jsonb) RETURNS void LANGUAGE sql SECURITY DEFINER
  SET search_path = farm, pg_temp AS $$
  INSERT INTO hit SELECT DISTINCT ON (h.entry) h.entry, p_node, h.hits, h.last
  FROM jsonb_to_recordset(p_hits) AS h(entry text, hits bigint, last bigint)
  ON CONFLICT (entry, node) DO UPDATE SET hits = excluded.hits, last = excluded.last
  WHERE (hit.hits, hit.last) <> (excluded.hits, excluded.last) $$;

CREATE FUNCTION tell_alone(p_node text, p_alone jsonb) RETURNS void LANGUAGE sql SECURITY DEFINER
  SET search_path = farm, pg_temp AS $$
  DELETE FROM alone WHERE node = p_node
    AND list NOT IN (SELECT a.list FROM jsonb_to_recordset(p_alone) AS a(list text));
  INSERT INTO alone SELECT DISTINCT ON (a.list) p_node, a.list, a.refused, a.wrong, a.ids
  FROM jsonb_to_recordset(p_alone) AS a(list text, refused bigint, wrong bigint, ids text)
  ON CONFLICT (node, list) DO UPDATE SET refused = excluded.refused, wrong = excluded.wrong,
    ids = excluded.ids $$;

CREATE FUNCTION tell_counts(p_node text, p_counts jsonb) RETURNS void LANGUAGE sql SECURITY DEFINER
  SET search_path = farm, pg_temp AS $$
  DELETE FROM count c WHERE c.node = p_node AND NOT EXISTS (
    SELECT FROM jsonb_to_recordset(p_counts) AS t(kind text, key text)
    WHERE (t.kind, t.key) = (c.kind, c.key));
  INSERT INTO count SELECT DISTINCT ON (t.kind, t.key) p_node, t.kind, t.key, clock_timestamp(), t.body
  FROM jsonb_to_recordset(p_counts) AS t(kind text, key text, body text)
  ON CONFLICT (node, kind, key) DO UPDATE SET stored = excluded.stored, body = excluded.body $$;

-- Takes findings. Of an entry and a rule one is open: the first. Of two states of one the further
-- counts (an entry that was made outranks a decision against it), then the later.
CREATE FUNCTION tell_findings(p_node text, p_findings jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = farm, pg_temp AS $$
DECLARE r finding; was finding; s bigint; states text[] := '{open,expired,dismissed,listed,ended,removed}';
BEGIN
  SELECT findings INTO STRICT s FROM head WHERE one FOR UPDATE;
  FOR r IN SELECT * FROM jsonb_populate_recordset(NULL::finding, p_findings) LOOP
    r.node := coalesce(r.node, p_node);
    r.who := CASE WHEN r.who <> '' AND position('@' IN r.who) = 0 THEN left(r.who, 60) || '@' || p_node ELSE r.who END;
    SELECT * INTO was FROM finding WHERE id = r.id;
    IF was.id IS NULL THEN
      CONTINUE WHEN r.state = 'open' AND EXISTS (SELECT FROM finding f
        WHERE (f.entry, f.rule, f.state) = (r.entry, r.rule, 'open'));
    ELSE
      CONTINUE WHEN (array_position(states, r.state), r.decided_at) <= (array_position(states, was.state), was.decided_at)
        AND NOT ((r.state, r.decided_at, was.evidence) = (was.state, was.decided_at, '{}') AND r.evidence <> '{}');
    END IF;
    s := s + 1;
    r.seq := s;
    DELETE FROM finding WHERE id = r.id;
    INSERT INTO finding VALUES (r.*);
  END LOOP;
  UPDATE head SET findings = s WHERE one AND findings <> s;
END $$;

CREATE FUNCTION forget_node(p_name text) RETURNS bigint LANGUAGE sql SECURITY DEFINER
  SET search_path = farm, pg_temp AS $$
  DELETE FROM hit WHERE node = p_name;
  DELETE FROM alone WHERE node = p_name;
  DELETE FROM count WHERE node = p_name;
  DELETE FROM beat WHERE name = p_name;
  WITH d AS (DELETE FROM node WHERE name = p_name RETURNING 1) SELECT count(*) FROM d $$;

-- Forgets changes, removed and ended rows older than keep_days; never the newest change.
CREATE FUNCTION tidy() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = farm, pg_temp AS $$
DECLARE days int; s bigint;
BEGIN
  SELECT keep_days, seq INTO days, s FROM head;
  DELETE FROM change WHERE stored < clock_timestamp() - days * interval '1 day' AND seq < s;
  DELETE FROM entry WHERE (action = 'removed' OR expires IS NOT NULL)
    AND greatest(at, expires * 1000) < (extract(epoch FROM clock_timestamp()) - days * 86400.0) * 1000;
  DELETE FROM finding WHERE at < extract(epoch FROM clock_timestamp()) - 90 * 86400;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA farm FROM PUBLIC;
GRANT USAGE ON SCHEMA farm TO rblmilter;
GRANT SELECT ON ALL TABLES IN SCHEMA farm TO rblmilter;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA farm TO rblmilter;
COMMIT;
