"""macli: marketing automation as a command-line tool and local campaign runner."""

__version__ = "0.1.0"
