"""What comes back: hits on links and pixels, visitors, consents with their evidence, and who hears it.

A hit is the raw report of one request, kept as it came; the digest makes events of hits. Its send, link
and agent are numbers without a declared reference: a request may come long after what it names has
gone, and it is stored all the same. Columns named ``hash`` hold keyed hashes, which say nothing to
who has only the store.
"""

from collections.abc import Iterator

TABLES = """
ALTER TABLE consents ADD COLUMN basis TEXT NOT NULL DEFAULT 'consent';
ALTER TABLE consents ADD COLUMN confirmed_at INTEGER;
ALTER TABLE consents ADD COLUMN expires_at INTEGER;

CREATE TABLE consent_log (
  id INTEGER PRIMARY KEY,
  contact_id INTEGER REFERENCES contacts ON DELETE SET NULL,
  channel TEXT NOT NULL,
  topic TEXT NOT NULL,
  status TEXT NOT NULL,
  basis TEXT NOT NULL,
  source TEXT NOT NULL,
  evidence TEXT NOT NULL DEFAULT '{}',
  said_at INTEGER NOT NULL,
  confirmed_at INTEGER,
  expires_at INTEGER,
  hash TEXT
) STRICT;
CREATE INDEX consent_log_contact ON consent_log (contact_id);
CREATE INDEX consent_log_said ON consent_log (said_at);

INSERT INTO consent_log (contact_id, channel, topic, status, basis, source, evidence, said_at)
SELECT contact_id, channel, topic, status, basis, source, evidence, changed_at
FROM consents
ORDER BY id;

CREATE TABLE topics (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  channel TEXT NOT NULL DEFAULT 'email',
  position INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE preferences (
  contact_id INTEGER PRIMARY KEY REFERENCES contacts ON DELETE CASCADE,
  paused_until_at INTEGER,
  most INTEGER,
  most_span INTEGER,
  untracked INTEGER NOT NULL DEFAULT 0,
  changed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE suppression_hashes (
  channel TEXT NOT NULL,
  hash TEXT NOT NULL,
  reason TEXT NOT NULL,
  source TEXT NOT NULL,
  suppressed_at INTEGER NOT NULL,
  PRIMARY KEY (channel, hash)
) STRICT;

CREATE TABLE links (
  id INTEGER PRIMARY KEY,
  campaign_id INTEGER REFERENCES campaigns ON DELETE SET NULL,
  step_id INTEGER REFERENCES steps ON DELETE SET NULL,
  url TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (step_id, url)
) STRICT;

CREATE TABLE agents (
  id INTEGER PRIMARY KEY,
  agent TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE hits (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  at INTEGER NOT NULL,
  send INTEGER NOT NULL,
  link INTEGER,
  url TEXT,
  method TEXT NOT NULL,
  ip TEXT,
  agent INTEGER,
  class TEXT,
  rule TEXT,
  rules_version INTEGER
) STRICT;
CREATE INDEX hits_new ON hits (id) WHERE class IS NULL;
CREATE INDEX hits_send ON hits (send, at);

CREATE TABLE visitors (
  id INTEGER PRIMARY KEY,
  token TEXT NOT NULL UNIQUE,
  contact_id INTEGER REFERENCES contacts ON DELETE SET NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  joined_at INTEGER,
  proven INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX visitors_contact ON visitors (contact_id) WHERE contact_id IS NOT NULL;

ALTER TABLE events ADD COLUMN visitor_id INTEGER REFERENCES visitors ON DELETE SET NULL;
CREATE INDEX events_visitor ON events (visitor_id) WHERE visitor_id IS NOT NULL;

CREATE TABLE mailboxes (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  settings TEXT NOT NULL,
  cursor TEXT NOT NULL DEFAULT '{}',
  read_at INTEGER,
  trouble TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE devices (
  id INTEGER PRIMARY KEY,
  contact_id INTEGER REFERENCES contacts ON DELETE CASCADE,
  visitor_id INTEGER REFERENCES visitors ON DELETE SET NULL,
  endpoint TEXT NOT NULL UNIQUE,
  p256dh TEXT NOT NULL,
  auth TEXT NOT NULL,
  agent TEXT,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX devices_contact ON devices (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX devices_visitor ON devices (visitor_id) WHERE visitor_id IS NOT NULL;

CREATE TABLE banners (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  slug TEXT NOT NULL UNIQUE,
  category_id INTEGER REFERENCES categories,
  campaign_id INTEGER REFERENCES campaigns ON DELETE SET NULL,
  url TEXT NOT NULL,
  text TEXT NOT NULL,
  asset_id INTEGER REFERENCES assets,
  active INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE downloads (
  id INTEGER PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  asset_id INTEGER NOT NULL REFERENCES assets,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE url_rules (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  pattern TEXT NOT NULL,
  tag TEXT,
  segment_id INTEGER REFERENCES segments ON DELETE CASCADE,
  active INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE web_rates (
  key TEXT PRIMARY KEY,
  window_at INTEGER NOT NULL,
  times INTEGER NOT NULL
) STRICT;
CREATE INDEX web_rates_window ON web_rates (window_at);

CREATE TABLE channels_again (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('email', 'sms', 'push', 'webhook')),
  provider_id INTEGER REFERENCES providers,
  created_at INTEGER NOT NULL
) STRICT;
INSERT INTO channels_again (id, name, name_key, kind, provider_id, created_at)
SELECT id, name, name_key, kind, provider_id, created_at
FROM channels;
DROP TABLE channels;
ALTER TABLE channels_again RENAME TO channels;
INSERT INTO channels (name, name_key, kind, created_at)
SELECT 'push', 'push', 'push', created_at
FROM channels
WHERE name_key = 'webhook'
ON CONFLICT (name_key) DO NOTHING;

DROP VIEW consents_iso
"""

VIEWS = {
    "consents_iso": (
        "consents",
        ("id", "contact_id", "channel", "topic", "status", "source", "evidence", "basis"),
        ("changed_at", "confirmed_at", "expires_at"),
    ),
    "consent_log_iso": (
        "consent_log",
        ("id", "contact_id", "channel", "topic", "status", "basis", "source", "evidence", "hash"),
        ("said_at", "confirmed_at", "expires_at"),
    ),
    "hits_iso": (
        "hits",
        ("id", "kind", "send", "link", "url", "method", "ip", "agent", "class", "rule", "rules_version"),
        ("at",),
    ),
    "visitors_iso": ("visitors", ("id", "token", "contact_id", "proven"), ("first_at", "last_at", "joined_at")),
}


def statements() -> Iterator[str]:
    """The statements of this migration, in order."""
    from macli.dialect import SQLITE

    for statement in TABLES.split(";\n"):
        yield statement.strip()
    for view, (table, plain, times) in VIEWS.items():
        words = (*plain, *(f"{SQLITE.iso(name)} AS {name}" for name in times))
        yield f"CREATE VIEW {view} AS SELECT {', '.join(words)} FROM {table}"
