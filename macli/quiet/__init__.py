"""Quiet hours: when a recipient may be written to, by where the recipient is or may be."""

from macli.quiet.hours import hold, opening_times, place, quiet_now, waits_until

__all__ = ["hold", "opening_times", "place", "quiet_now", "waits_until"]
