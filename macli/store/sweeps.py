"""Asking of every contact anew what tracked segments and campaigns ask for."""

from macli.store.connection import Store


def look_at_all(store: Store) -> None:
    """Let the next tick ask every contact. Inside a write.

    For what rules go by and no contact shows, and at the end of long runs: what they touched says when they
    began, and ticks have passed since.
    """
    with store.whole():
        store.execute("UPDATE segments SET swept_all_at = 0 WHERE swept_all_at IS NOT NULL")
        store.execute("UPDATE campaigns SET swept_all_at = 0 WHERE swept_all_at IS NOT NULL")
