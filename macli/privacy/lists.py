"""What a person's record holds of scores and stages, and of the people behind the contact and their work."""

from collections.abc import Mapping

LIFECYCLE: Mapping[str, str] = {
    "scores": """
        SELECT CASE scopes.kind WHEN 'global' THEN 'global' ELSE scopes.kind || ':' || scopes.name END AS scope,
               scores.points, scores.changed_at
        FROM scores
        JOIN scopes ON scopes.id = scores.scope_id
        WHERE scores.contact_id = :id
        ORDER BY scopes.id
    """,
    "points": """
        SELECT CASE scopes.kind WHEN 'global' THEN 'global' ELSE scopes.kind || ':' || scopes.name END AS scope,
               point_ledger.points, point_ledger.at,
               CASE WHEN point_ledger.part = 0 THEN events.name ELSE 'decay' END AS because_of,
               point_rules.name AS rule, point_ledger.decays_at
        FROM point_ledger
        JOIN scopes ON scopes.id = point_ledger.scope_id
        LEFT JOIN events ON events.id = point_ledger.event
        LEFT JOIN point_rules ON point_rules.id = point_ledger.rule
        WHERE point_ledger.contact_id = :id
        ORDER BY point_ledger.at, point_ledger.scope_id, point_ledger.rule, point_ledger.event, point_ledger.part
    """,
    "stages": """
        SELECT stages.name AS stage, stage_stays.entered_at, stage_stays.left_at, stage_stays.passed,
               stage_stays.score, stage_stays.cause
        FROM stage_stays
        JOIN stages ON stages.id = stage_stays.stage_id
        WHERE stage_stays.contact_id = :id
        ORDER BY stage_stays.entered_at, stage_stays.id
    """,
    "funnels": """
        SELECT funnels.name AS funnel, funnel_stages.name AS stage, funnel_stays.entered_at, funnel_stays.left_at,
               funnel_stays.source
        FROM funnel_stays
        JOIN funnels ON funnels.id = funnel_stays.funnel_id
        JOIN funnel_stages ON funnel_stages.id = funnel_stays.stage_id
        WHERE funnel_stays.contact_id = :id
        ORDER BY funnel_stays.entered_at, funnel_stays.id
    """,
    "rfm": """
        SELECT rfm_reports.name AS report, rfm_bands.last_at, rfm_bands.purchases, rfm_bands.value, rfm_bands.recency,
               rfm_bands.frequency, rfm_bands.monetary, rfm_bands.moves_at,
               EXISTS (
                 SELECT 1
                 FROM rfm_looked_at
                 WHERE rfm_looked_at.report_id = rfm_bands.report_id
                   AND rfm_looked_at.contact_id = rfm_bands.contact_id
               ) AS sorted_before_others
        FROM rfm_bands
        JOIN rfm_reports ON rfm_reports.id = rfm_bands.report_id
        WHERE rfm_bands.contact_id = :id
        ORDER BY rfm_reports.name_key
    """,
    "predictions": """
        SELECT predictions.kind, predictions.probability, predictions.expected, predictions.spend,
               prediction_models.name AS model, predictions.predicted_at
        FROM predictions
        JOIN prediction_models ON prediction_models.id = predictions.model_id
        WHERE predictions.contact_id = :id
        ORDER BY predictions.kind
    """,
}

PEOPLE: Mapping[str, str] = {
    "owners": """
        SELECT staff.name, staff.full_name, owners.kind, owners.since_at
        FROM owners
        JOIN staff ON staff.id = owners.staff_id
        WHERE owners.contact_id = :id
        ORDER BY owners.kind DESC, staff.name_key
    """,
    "notes": """
        SELECT notes.created_at, staff.name AS author, notes.private, notes.text, notes.source
        FROM notes
        LEFT JOIN staff ON staff.id = notes.author_id
        WHERE notes.contact_id = :id
        ORDER BY notes.created_at, notes.id
    """,
    "tasks": """
        SELECT tasks.created_at, tasks.title, tasks.description, tasks.state, staff.name AS assignee, tasks.due_at,
               tasks.closed_at, tasks.source
        FROM tasks
        LEFT JOIN staff ON staff.id = tasks.assignee_id
        WHERE tasks.contact_id = :id
           OR tasks.deal_id IN (SELECT id FROM deals WHERE contact_id = :id)
        ORDER BY tasks.created_at, tasks.id
    """,
    "deals": """
        SELECT deals.created_at, deals.title, deals.state, deals.value, deals.currency, funnels.name AS funnel,
               funnel_stages.name AS stage, staff.name AS owner, deals.moved_at, deals.closed_at, deals.source
        FROM deals
        LEFT JOIN funnels ON funnels.id = deals.funnel_id
        LEFT JOIN funnel_stages ON funnel_stages.id = deals.stage_id
        LEFT JOIN staff ON staff.id = deals.owner_id
        WHERE deals.contact_id = :id
        ORDER BY deals.created_at, deals.id
    """,
    "calls": """
        SELECT calls.at, calls.direction, calls.outcome, calls.seconds, staff.name AS staff, calls.phone, calls.text,
               calls.source
        FROM calls
        LEFT JOIN staff ON staff.id = calls.staff_id
        WHERE calls.contact_id = :id
        ORDER BY calls.at, calls.id
    """,
    "letters": """
        SELECT mails.at, mails.sender, mails.recipient, mails.subject, mails.body, mails.mailbox,
               mails.send_id AS answers_message
        FROM mails
        WHERE mails.contact_id = :id
           OR (mails.contact_id IS NULL AND mails.sender = (SELECT email FROM contacts WHERE id = :id))
        ORDER BY mails.at, mails.id
    """,
}
