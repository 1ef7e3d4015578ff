"""Forms: what one asks, how an answer is checked, and what a stranger's answer may change."""
