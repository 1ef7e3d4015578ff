"""Opens and clicks: from the raw report of a request to an event that says who did it, a person or a program."""
