"""The demo: an invented shop, its customers and six of its days, told by macli's own commands."""
