"""Contacts, rules' words, campaigns, the ledger and everything a send needs.

Times are INTEGER milliseconds in UTC in columns named ``…_at``; each table that has one gets a
view ``…_iso`` for people. Flags are 0 or 1. Names of things are unique without regard to case.
"""

from collections.abc import Iterator

TABLES = """
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE categories (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  color TEXT,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE attributes (
  name TEXT PRIMARY KEY,
  type TEXT NOT NULL CHECK (type IN ('text', 'number', 'bool', 'date')),
  indexed INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE contacts (
  id INTEGER PRIMARY KEY,
  email TEXT UNIQUE,
  phone TEXT,
  external_id TEXT UNIQUE,
  timezone TEXT,
  locale TEXT,
  state TEXT NOT NULL DEFAULT 'lead',
  attributes TEXT NOT NULL DEFAULT '{}',
  folded TEXT,
  source TEXT,
  added_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
CREATE INDEX contacts_phone ON contacts (phone) WHERE phone IS NOT NULL;
CREATE INDEX contacts_updated ON contacts (updated_at);
CREATE INDEX contacts_removed ON contacts (removed_at) WHERE removed_at IS NOT NULL;

CREATE TABLE tags (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE contact_tags (
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  tag_id INTEGER NOT NULL REFERENCES tags ON DELETE CASCADE,
  tagged_at INTEGER NOT NULL,
  PRIMARY KEY (contact_id, tag_id)
) STRICT;
CREATE INDEX contact_tags_tag ON contact_tags (tag_id, contact_id);

CREATE TABLE consents (
  id INTEGER PRIMARY KEY,
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  channel TEXT NOT NULL,
  topic TEXT NOT NULL DEFAULT '',
  status TEXT NOT NULL CHECK (status IN ('granted', 'withdrawn', 'pending')),
  source TEXT NOT NULL,
  evidence TEXT NOT NULL DEFAULT '{}',
  changed_at INTEGER NOT NULL,
  UNIQUE (contact_id, channel, topic)
) STRICT;

CREATE TABLE suppressions (
  id INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  address TEXT NOT NULL,
  reason TEXT NOT NULL,
  source TEXT NOT NULL,
  suppressed_at INTEGER NOT NULL,
  UNIQUE (channel, address)
) STRICT;

CREATE TABLE segments (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('dynamic', 'static')),
  rule TEXT,
  category_id INTEGER REFERENCES categories,
  tracked INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  swept_at INTEGER,
  swept_all_at INTEGER,
  event_cursor INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE segment_members (
  segment_id INTEGER NOT NULL REFERENCES segments ON DELETE CASCADE,
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  entered_at INTEGER NOT NULL,
  PRIMARY KEY (segment_id, contact_id)
) STRICT;
CREATE INDEX segment_members_contact ON segment_members (contact_id);

CREATE TABLE assets (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL,
  name TEXT NOT NULL,
  content_type TEXT NOT NULL,
  data BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (sha256, name)
) STRICT;

CREATE TABLE templates (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  category_id INTEGER REFERENCES categories,
  current_version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE template_versions (
  id INTEGER PRIMARY KEY,
  template_id INTEGER NOT NULL REFERENCES templates ON DELETE CASCADE,
  number INTEGER NOT NULL,
  subject TEXT,
  html TEXT,
  text TEXT,
  source TEXT,
  source_format TEXT NOT NULL DEFAULT 'html',
  text_derived INTEGER NOT NULL DEFAULT 0,
  defaults TEXT NOT NULL DEFAULT '{}',
  attachments TEXT NOT NULL DEFAULT '[]',
  created_at INTEGER NOT NULL,
  UNIQUE (template_id, number)
) STRICT;

CREATE TABLE providers (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  settings TEXT NOT NULL,
  limits TEXT NOT NULL DEFAULT '[]',
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  tested_at INTEGER,
  test_result TEXT,
  blocked_until_at INTEGER,
  blocked_reason TEXT
) STRICT;

CREATE TABLE provider_rates (
  provider_id INTEGER NOT NULL REFERENCES providers ON DELETE CASCADE,
  domain TEXT NOT NULL DEFAULT '',
  span TEXT NOT NULL,
  window_at INTEGER NOT NULL,
  claimed INTEGER NOT NULL,
  PRIMARY KEY (provider_id, domain, span)
) STRICT;

CREATE TABLE channels (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('email', 'sms', 'webhook')),
  provider_id INTEGER REFERENCES providers,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE campaigns (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  category_id INTEGER REFERENCES categories,
  state TEXT NOT NULL DEFAULT 'draft'
    CHECK (state IN ('draft', 'scheduled', 'active', 'paused', 'finished', 'cancelled')),
  current_version INTEGER NOT NULL DEFAULT 1,
  start_at INTEGER,
  paused_from TEXT,
  pause_reason TEXT,
  activated_at INTEGER,
  enrolled_at INTEGER,
  finished_at INTEGER,
  swept_at INTEGER,
  swept_all_at INTEGER,
  event_cursor INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX campaigns_live ON campaigns (state) WHERE state IN ('scheduled', 'active');

CREATE TABLE campaign_versions (
  id INTEGER PRIMARY KEY,
  campaign_id INTEGER NOT NULL REFERENCES campaigns ON DELETE CASCADE,
  number INTEGER NOT NULL,
  definition TEXT NOT NULL,
  origin TEXT,
  created_at INTEGER NOT NULL,
  UNIQUE (campaign_id, number)
) STRICT;

CREATE TABLE campaign_segments (
  campaign_id INTEGER NOT NULL REFERENCES campaigns ON DELETE CASCADE,
  segment_id INTEGER NOT NULL REFERENCES segments,
  PRIMARY KEY (campaign_id, segment_id)
) STRICT;
CREATE INDEX campaign_segments_segment ON campaign_segments (segment_id);

CREATE TABLE steps (
  id INTEGER PRIMARY KEY,
  campaign_id INTEGER NOT NULL REFERENCES campaigns ON DELETE CASCADE,
  key TEXT NOT NULL,
  action TEXT NOT NULL,
  UNIQUE (campaign_id, key)
) STRICT;

CREATE TABLE step_events (
  step_id INTEGER NOT NULL REFERENCES steps ON DELETE CASCADE,
  name TEXT NOT NULL,
  PRIMARY KEY (step_id, name)
) STRICT;
CREATE INDEX step_events_name ON step_events (name);

CREATE TABLE enrollments (
  id INTEGER PRIMARY KEY,
  campaign_id INTEGER NOT NULL REFERENCES campaigns ON DELETE CASCADE,
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  round INTEGER NOT NULL DEFAULT 1,
  version INTEGER NOT NULL,
  step_id INTEGER REFERENCES steps,
  due_at INTEGER,
  entered_at INTEGER NOT NULL,
  arrived_at INTEGER NOT NULL,
  ended_at INTEGER,
  ended_as TEXT,
  lapsed_at INTEGER,
  UNIQUE (campaign_id, contact_id, round)
) STRICT;
CREATE INDEX enrollments_due ON enrollments (due_at, campaign_id) WHERE ended_at IS NULL;
CREATE INDEX enrollments_open ON enrollments (campaign_id, step_id, due_at) WHERE ended_at IS NULL;
CREATE INDEX enrollments_contact ON enrollments (contact_id);

CREATE TABLE step_log (
  campaign_id INTEGER NOT NULL REFERENCES campaigns ON DELETE CASCADE,
  version INTEGER NOT NULL,
  step_id INTEGER NOT NULL REFERENCES steps ON DELETE CASCADE,
  way TEXT NOT NULL,
  day_at INTEGER NOT NULL,
  passed INTEGER NOT NULL,
  PRIMARY KEY (campaign_id, step_id, version, way, day_at)
) STRICT;

CREATE TABLE workers (
  id INTEGER PRIMARY KEY,
  token TEXT NOT NULL UNIQUE,
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  boot TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT;
CREATE INDEX workers_live ON workers (id) WHERE ended_at IS NULL;

CREATE TABLE sends (
  id INTEGER PRIMARY KEY,
  campaign_id INTEGER REFERENCES campaigns,
  step_id INTEGER REFERENCES steps,
  contact_id INTEGER REFERENCES contacts ON DELETE SET NULL,
  round INTEGER NOT NULL DEFAULT 1,
  version INTEGER,
  channel TEXT NOT NULL,
  purpose TEXT NOT NULL DEFAULT 'campaign',
  state TEXT NOT NULL,
  reason TEXT,
  address TEXT,
  due_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  worker_id INTEGER REFERENCES workers,
  provider_id INTEGER REFERENCES providers,
  variant INTEGER,
  template_version_id INTEGER REFERENCES template_versions,
  left_at INTEGER,
  settled_at INTEGER,
  reference TEXT,
  code TEXT,
  UNIQUE (campaign_id, step_id, contact_id, round)
) STRICT;
CREATE UNIQUE INDEX sends_address ON sends (campaign_id, step_id, round, address)
  WHERE address IS NOT NULL;
CREATE INDEX sends_planned ON sends (campaign_id, step_id, due_at) WHERE state = 'planned';
CREATE INDEX sends_held ON sends (worker_id) WHERE state IN ('claimed', 'sending');
CREATE INDEX sends_contact ON sends (contact_id);
CREATE INDEX sends_reference ON sends (reference) WHERE reference IS NOT NULL;
CREATE INDEX sends_sms_open ON sends (left_at) WHERE state = 'accepted' AND channel = 'sms';
CREATE INDEX sends_unknown ON sends (id) WHERE state = 'unknown';

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  contact_id INTEGER REFERENCES contacts ON DELETE CASCADE,
  name TEXT NOT NULL,
  at INTEGER NOT NULL,
  source TEXT NOT NULL,
  source_id TEXT,
  send_id INTEGER REFERENCES sends ON DELETE SET NULL,
  campaign_id INTEGER REFERENCES campaigns ON DELETE SET NULL,
  properties TEXT NOT NULL DEFAULT '{}',
  folded TEXT,
  UNIQUE (source, source_id)
) STRICT;
CREATE INDEX events_contact ON events (contact_id, name, at);
CREATE INDEX events_name ON events (name, at, contact_id);
CREATE INDEX events_send ON events (send_id) WHERE send_id IS NOT NULL;

CREATE TABLE imports (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'finished')),
  records INTEGER NOT NULL DEFAULT 0,
  added INTEGER NOT NULL DEFAULT 0,
  updated INTEGER NOT NULL DEFAULT 0,
  unchanged INTEGER NOT NULL DEFAULT 0,
  repeated INTEGER NOT NULL DEFAULT 0,
  refused INTEGER NOT NULL DEFAULT 0,
  refusals_file TEXT NOT NULL,
  refusals_size INTEGER NOT NULL DEFAULT 0,
  newest_contact INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  finished_at INTEGER
) STRICT;
CREATE UNIQUE INDEX imports_running ON imports (fingerprint) WHERE state = 'running'
"""

VIEWS = {
    "contacts_iso": ("contacts", ("added_at", "updated_at", "removed_at")),
    "enrollments_iso": ("enrollments", ("due_at", "entered_at", "arrived_at", "ended_at", "lapsed_at")),
    "sends_iso": ("sends", ("due_at", "left_at", "settled_at")),
    "events_iso": ("events", ("at",)),
    "consents_iso": ("consents", ("changed_at",)),
    "suppressions_iso": ("suppressions", ("suppressed_at",)),
    "campaigns_iso": (
        "campaigns",
        ("start_at", "activated_at", "enrolled_at", "finished_at", "created_at", "updated_at"),
    ),
}


def statements() -> Iterator[str]:
    """The statements of this migration, in order."""
    from macli.dialect import SQLITE

    for statement in TABLES.split(";\n"):
        yield statement.strip()
    for view, (table, times) in VIEWS.items():
        columns = _columns(table)
        words = (f"{SQLITE.iso(name)} AS {name}" if name in times else name for name in columns)
        yield f"CREATE VIEW {view} AS SELECT {', '.join(words)} FROM {table}"


def _columns(table: str) -> list[str]:
    body = TABLES.split(f"CREATE TABLE {table} (\n")[1].split("\n) STRICT")[0]
    lines = (line.strip() for line in body.splitlines())
    return [line.split()[0] for line in lines if line and line.split()[0].islower()]
