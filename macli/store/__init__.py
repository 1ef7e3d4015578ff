"""The store: one module per table family, and the connection they share."""

from macli.store.connection import Row, Store, open_store

__all__ = ["Row", "Store", "open_store"]
