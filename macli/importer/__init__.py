"""Files of contacts: read in any usual shape, converted row by row, merged in batches that survive a kill."""

from macli.importer.plan import OnConflict, Options, Plan, on_conflict, prepare
from macli.importer.running import Report, run

__all__ = ["OnConflict", "Options", "Plan", "Report", "on_conflict", "prepare", "run"]
