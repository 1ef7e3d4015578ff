"""What events are worth: points by rules, their ledger and sums, and the stages a score leads to."""
