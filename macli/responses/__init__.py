"""What the world says of messages: providers, mailboxes and handsets, heard once and in any order."""

from macli.responses.hearing import Heard, hear, hear_all

__all__ = ["Heard", "hear", "hear_all"]
