"""The people behind contacts and their work: staff, owners, notes, tasks, deals, calls and mails."""
