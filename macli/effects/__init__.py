"""What follows from events: a function each, over the batch of new events."""
