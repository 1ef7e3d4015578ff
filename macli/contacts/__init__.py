"""The door for changing contacts: what really changes is recorded as an event, in the same transaction.

Each change is one set-based function over a query of contact ids, ``…_where``; a change to one
contact is the same function over ``ONE`` id.
"""

from macli.contacts.asking import ask, confirm, hold
from macli.contacts.chosen import ONE, how_many, ids_of
from macli.contacts.consenting import grant_where, withdraw_where
from macli.contacts.preferring import prefer
from macli.contacts.removal import purge_where, remove_where, restore_where
from macli.contacts.setting import set_attribute_where
from macli.contacts.single import Added, add, edit
from macli.contacts.tagging import tag_where, untag_where

__all__ = [
    "ONE",
    "Added",
    "add",
    "ask",
    "confirm",
    "edit",
    "grant_where",
    "hold",
    "how_many",
    "ids_of",
    "prefer",
    "purge_where",
    "remove_where",
    "restore_where",
    "set_attribute_where",
    "tag_where",
    "untag_where",
    "withdraw_where",
]
