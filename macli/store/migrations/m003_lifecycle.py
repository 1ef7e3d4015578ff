"""Points, stages, funnels, RFM and predictions of contacts, and the people and work behind them.

``point_ledger`` has a row for each change of a score, and its key is why an event counts once: rule 0 is
points given by hand or by a campaign, ``part`` 0 what the event brought and 1, 2, … what time took back of
it. It stands in the order of its key, so a contact's history is in one place. It outlives the rules and
events it names, which is why they are numbers without a declared reference.
Where it refuses a row its transaction is undone as a whole, so what a statement did before needs no undoing:
``ON CONFLICT FAIL``, and references that are looked at when the transaction ends. Otherwise each page would be
copied before rows come to it, which is nearly half of what an insert costs.

``scores`` is the ledger's sum, scope by scope: who has so many points is found by going through a scope (68 to
123 ms for a million contacts; 13 to 104 by an index on the points, which makes an event a tenth dearer).

A stage somebody stood on is removed by ``removed_at``: its history keeps its name, and a new stage of that
name is the old one again.
"""

from collections.abc import Iterator

TABLES = """
CREATE TABLE funnels (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE funnel_stages (
  id INTEGER PRIMARY KEY,
  funnel_id INTEGER NOT NULL REFERENCES funnels ON DELETE CASCADE,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  position INTEGER NOT NULL,
  removed_at INTEGER,
  UNIQUE (funnel_id, name_key)
) STRICT;

CREATE TABLE funnel_stays (
  id INTEGER PRIMARY KEY,
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  funnel_id INTEGER NOT NULL REFERENCES funnels ON DELETE CASCADE,
  stage_id INTEGER NOT NULL REFERENCES funnel_stages,
  entered_at INTEGER NOT NULL,
  left_at INTEGER,
  source TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX funnel_stays_now ON funnel_stays (contact_id, funnel_id) WHERE left_at IS NULL;
CREATE INDEX funnel_stays_contact ON funnel_stays (contact_id, entered_at);
CREATE INDEX funnel_stays_stage ON funnel_stays (stage_id, contact_id) WHERE left_at IS NULL;
CREATE INDEX funnel_stays_funnel ON funnel_stays (funnel_id, entered_at);

CREATE TABLE scopes (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('global', 'group', 'tag', 'stage')),
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  stage_id INTEGER UNIQUE REFERENCES funnel_stages ON DELETE CASCADE,
  UNIQUE (kind, name_key)
) STRICT;
INSERT INTO scopes (id, kind, name, name_key) VALUES (1, 'global', 'global', 'global');

CREATE TABLE point_rules (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  event TEXT NOT NULL,
  condition TEXT,
  who TEXT,
  points INTEGER NOT NULL,
  most INTEGER,
  most_span INTEGER,
  decay_share INTEGER,
  decay_span INTEGER,
  preset TEXT,
  active INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX point_rules_event ON point_rules (event) WHERE active = 1;

CREATE TABLE point_rule_scopes (
  rule_id INTEGER NOT NULL REFERENCES point_rules ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('global', 'group', 'tag', 'stage')),
  name TEXT NOT NULL DEFAULT '',
  name_key TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (rule_id, kind, name_key)
) STRICT;

CREATE TABLE point_ledger (
  contact_id INTEGER NOT NULL ON CONFLICT FAIL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  scope_id INTEGER NOT NULL ON CONFLICT FAIL REFERENCES scopes DEFERRABLE INITIALLY DEFERRED,
  rule INTEGER NOT NULL ON CONFLICT FAIL,
  event INTEGER NOT NULL ON CONFLICT FAIL,
  part INTEGER NOT NULL ON CONFLICT FAIL DEFAULT 0,
  points INTEGER NOT NULL ON CONFLICT FAIL,
  at INTEGER NOT NULL ON CONFLICT FAIL,
  decays_at INTEGER,
  PRIMARY KEY (contact_id, scope_id, rule, event, part) ON CONFLICT FAIL
) STRICT, WITHOUT ROWID;
CREATE INDEX point_ledger_decays ON point_ledger (decays_at) WHERE decays_at IS NOT NULL;

CREATE TABLE scores (
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  scope_id INTEGER NOT NULL REFERENCES scopes,
  points INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (scope_id, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX scores_contact ON scores (contact_id);

CREATE TABLE score_marks (
  id INTEGER PRIMARY KEY,
  scope_id INTEGER NOT NULL REFERENCES scopes ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('reached', 'crossed', 'exceeded', 'at_least')),
  points INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (scope_id, kind, points)
) STRICT;

CREATE TABLE stages (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL DEFAULT '',
  position INTEGER NOT NULL,
  threshold INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;

CREATE TABLE stage_stays (
  id INTEGER PRIMARY KEY,
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  stage_id INTEGER NOT NULL REFERENCES stages,
  entered_at INTEGER NOT NULL,
  left_at INTEGER,
  passed INTEGER NOT NULL DEFAULT 0,
  score INTEGER,
  cause TEXT NOT NULL,
  event INTEGER
) STRICT;
CREATE UNIQUE INDEX stage_stays_now ON stage_stays (contact_id) WHERE left_at IS NULL;
CREATE INDEX stage_stays_contact ON stage_stays (contact_id, entered_at);
CREATE INDEX stage_stays_stage ON stage_stays (stage_id, contact_id) WHERE left_at IS NULL;

CREATE TABLE rfm_reports (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  definition TEXT NOT NULL,
  computed_at INTEGER,
  round INTEGER NOT NULL DEFAULT 0,
  settled_to INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE rfm_bands (
  report_id INTEGER NOT NULL REFERENCES rfm_reports ON DELETE CASCADE,
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  last_at INTEGER NOT NULL,
  purchases INTEGER NOT NULL,
  value REAL NOT NULL,
  recency TEXT NOT NULL,
  frequency TEXT NOT NULL,
  monetary TEXT NOT NULL,
  moves_at INTEGER,
  PRIMARY KEY (report_id, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX rfm_bands_contact ON rfm_bands (contact_id);
CREATE INDEX rfm_bands_moves ON rfm_bands (moves_at) WHERE moves_at IS NOT NULL;
CREATE INDEX rfm_bands_recency ON rfm_bands (report_id, recency, contact_id);
CREATE INDEX rfm_bands_frequency ON rfm_bands (report_id, frequency, contact_id);
CREATE INDEX rfm_bands_monetary ON rfm_bands (report_id, monetary, contact_id);

CREATE TABLE rfm_looked_at (
  report_id INTEGER NOT NULL REFERENCES rfm_reports ON DELETE CASCADE,
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  PRIMARY KEY (report_id, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX rfm_looked_at_contact ON rfm_looked_at (contact_id);

CREATE TABLE prediction_models (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  source TEXT NOT NULL,
  params TEXT NOT NULL DEFAULT '{}',
  quality TEXT NOT NULL DEFAULT '{}',
  contacts INTEGER NOT NULL DEFAULT 0,
  horizon_days INTEGER,
  fitted_at INTEGER NOT NULL
) STRICT;

CREATE TABLE predictions (
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('churn', 'purchase')),
  probability REAL NOT NULL CHECK (probability BETWEEN 0 AND 1),
  expected REAL,
  spend REAL,
  model_id INTEGER NOT NULL REFERENCES prediction_models,
  predicted_at INTEGER NOT NULL,
  PRIMARY KEY (contact_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX predictions_kind ON predictions (kind, probability);

CREATE TABLE staff (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  full_name TEXT NOT NULL DEFAULT '',
  email TEXT,
  phone TEXT,
  active INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE staff_roles (
  staff_id INTEGER NOT NULL REFERENCES staff ON DELETE CASCADE,
  role TEXT NOT NULL,
  PRIMARY KEY (staff_id, role)
) STRICT;

CREATE TABLE staff_groups (
  staff_id INTEGER NOT NULL REFERENCES staff ON DELETE CASCADE,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  PRIMARY KEY (staff_id, name_key)
) STRICT;
CREATE INDEX staff_groups_name ON staff_groups (name_key, staff_id);

CREATE TABLE category_access (
  category_id INTEGER NOT NULL REFERENCES categories ON DELETE CASCADE,
  role TEXT NOT NULL,
  access TEXT NOT NULL CHECK (access IN ('none', 'view', 'edit')),
  PRIMARY KEY (category_id, role)
) STRICT;

CREATE TABLE owners (
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  staff_id INTEGER NOT NULL REFERENCES staff,
  kind TEXT NOT NULL CHECK (kind IN ('main', 'co')),
  since_at INTEGER NOT NULL,
  PRIMARY KEY (contact_id, staff_id)
) STRICT;
CREATE UNIQUE INDEX owners_main ON owners (contact_id) WHERE kind = 'main';
CREATE INDEX owners_staff ON owners (staff_id, kind, contact_id);

CREATE TABLE owner_rules (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  rule TEXT,
  staff_id INTEGER REFERENCES staff,
  group_key TEXT,
  position INTEGER NOT NULL,
  turn INTEGER NOT NULL DEFAULT 0,
  active INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE notes (
  id INTEGER PRIMARY KEY,
  contact_id INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
  text TEXT NOT NULL,
  folded TEXT NOT NULL,
  private INTEGER NOT NULL DEFAULT 0,
  author_id INTEGER REFERENCES staff,
  source TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX notes_contact ON notes (contact_id, created_at);

CREATE TABLE deals (
  id INTEGER PRIMARY KEY,
  contact_id INTEGER REFERENCES contacts ON DELETE CASCADE,
  title TEXT NOT NULL,
  funnel_id INTEGER REFERENCES funnels,
  stage_id INTEGER REFERENCES funnel_stages,
  value REAL,
  currency TEXT,
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'won', 'lost')),
  owner_id INTEGER REFERENCES staff,
  source TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  moved_at INTEGER,
  closed_at INTEGER
) STRICT;
CREATE INDEX deals_contact ON deals (contact_id, state);
CREATE INDEX deals_state ON deals (state, stage_id);

CREATE TABLE tasks (
  id INTEGER PRIMARY KEY,
  contact_id INTEGER REFERENCES contacts ON DELETE CASCADE,
  deal_id INTEGER REFERENCES deals ON DELETE SET NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'cancelled')),
  assignee_id INTEGER REFERENCES staff,
  author_id INTEGER REFERENCES staff,
  due_at INTEGER,
  source TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  closed_at INTEGER
) STRICT;
CREATE INDEX tasks_contact ON tasks (contact_id, state);
CREATE INDEX tasks_deal ON tasks (deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX tasks_open ON tasks (assignee_id, due_at) WHERE state = 'open';

CREATE TABLE calls (
  id INTEGER PRIMARY KEY,
  contact_id INTEGER REFERENCES contacts ON DELETE CASCADE,
  staff_id INTEGER REFERENCES staff,
  direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
  outcome TEXT NOT NULL DEFAULT '',
  phone TEXT,
  seconds INTEGER,
  text TEXT NOT NULL DEFAULT '',
  at INTEGER NOT NULL,
  source TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX calls_contact ON calls (contact_id, at);
CREATE INDEX calls_at ON calls (at);

CREATE TABLE mails (
  id INTEGER PRIMARY KEY,
  contact_id INTEGER REFERENCES contacts ON DELETE CASCADE,
  mailbox TEXT NOT NULL,
  message_key TEXT NOT NULL UNIQUE,
  sender TEXT NOT NULL,
  recipient TEXT NOT NULL DEFAULT '',
  subject TEXT NOT NULL DEFAULT '',
  body TEXT NOT NULL DEFAULT '',
  send_id INTEGER REFERENCES sends ON DELETE SET NULL,
  at INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX mails_contact ON mails (contact_id, at);
CREATE INDEX mails_at ON mails (at);
CREATE INDEX mails_send ON mails (send_id) WHERE send_id IS NOT NULL
"""

VIEWS = {
    "point_ledger_iso": (
        "point_ledger",
        ("contact_id", "scope_id", "rule", "event", "part", "points"),
        ("at", "decays_at"),
    ),
    "scores_iso": ("scores", ("contact_id", "scope_id", "points"), ("changed_at",)),
    "stage_stays_iso": (
        "stage_stays",
        ("id", "contact_id", "stage_id", "passed", "score", "cause", "event"),
        ("entered_at", "left_at"),
    ),
    "funnel_stays_iso": (
        "funnel_stays",
        ("id", "contact_id", "funnel_id", "stage_id", "source"),
        ("entered_at", "left_at"),
    ),
    "tasks_iso": (
        "tasks",
        ("id", "contact_id", "deal_id", "title", "description", "state", "assignee_id", "author_id", "source"),
        ("due_at", "created_at", "updated_at", "closed_at"),
    ),
    "deals_iso": (
        "deals",
        ("id", "contact_id", "title", "funnel_id", "stage_id", "value", "currency", "state", "owner_id", "source"),
        ("created_at", "updated_at", "moved_at", "closed_at"),
    ),
}


def statements() -> Iterator[str]:
    """The statements of this migration, in order."""
    from macli.dialect import SQLITE

    for statement in TABLES.split(";\n"):
        yield statement.strip()
    yield "UPDATE settings SET key = 'purchases.event' WHERE key = 'baskets.purchase'"
    for view, (table, plain, times) in VIEWS.items():
        words = (*plain, *(f"{SQLITE.iso(name)} AS {name}" for name in times))
        yield f"CREATE VIEW {view} AS SELECT {', '.join(words)} FROM {table}"
