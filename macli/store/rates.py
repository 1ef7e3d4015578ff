"""How many sends each provider has claimed in the windows that limit it: kept in the store, so that
a restart or a second worker starts from the same count."""

from macli.store.connection import Store


def left(
    store: Store, provider_id: int, *, domain: str, span: str, span_ms: int, limit: int, now_ms: int
) -> tuple[int, int]:
    """How many more may be claimed in the current window, and when the window ends (ms)."""
    row = store.row(
        """
        SELECT window_at, claimed
        FROM provider_rates
        WHERE provider_id = :provider
          AND domain = :domain
          AND span = :span
        """,
        {"provider": provider_id, "domain": domain, "span": span},
    )
    # A clock set back by less than the window leaves the window standing: the count may only be too high.
    if row is None or not row["window_at"] - span_ms < now_ms < row["window_at"] + span_ms:
        return limit, now_ms + span_ms
    return max(limit - row["claimed"], 0), row["window_at"] + span_ms


def spend(store: Store, provider_id: int, *, domain: str, span: str, span_ms: int, count: int, now_ms: int) -> None:
    """Count ``count`` claims in the current window, opening a new one where it is over."""
    if not count:
        return
    store.execute(
        """
        INSERT INTO provider_rates (provider_id, domain, span, window_at, claimed)
        VALUES (:provider, :domain, :span, :now, :count)
        ON CONFLICT (provider_id, domain, span) DO UPDATE
          SET claimed = CASE
                WHEN provider_rates.window_at - :length < :now AND :now < provider_rates.window_at + :length
                THEN provider_rates.claimed + :count
                ELSE :count
              END,
              window_at = CASE
                WHEN provider_rates.window_at - :length < :now AND :now < provider_rates.window_at + :length
                THEN provider_rates.window_at
                ELSE :now
              END
        """,
        {
            "provider": provider_id,
            "domain": domain,
            "span": span,
            "length": span_ms,
            "now": now_ms,
            "count": count,
        },
    )


def first_day(store: Store, provider_id: int, now_ms: int) -> int:
    """When this provider carried its first message, in ms: where its warm-up began."""
    found = store.value(
        "SELECT window_at FROM provider_rates WHERE provider_id = :provider AND domain = '' AND span = 'first'",
        {"provider": provider_id},
    )
    return now_ms if found is None else int(found)


def begin(store: Store, provider_id: int, now_ms: int) -> None:
    """Note the first message of a provider, once."""
    store.execute(
        """
        INSERT INTO provider_rates (provider_id, domain, span, window_at, claimed)
        VALUES (:provider, '', 'first', :now, 0)
        ON CONFLICT (provider_id, domain, span) DO NOTHING
        """,
        {"provider": provider_id, "now": now_ms},
    )
