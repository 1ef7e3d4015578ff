"""Segments as people change them, and their members as they come and go."""

from macli.segments.editing import Made, create, edit, put, remove, rename, show, uses
from macli.segments.listed import add_people, remove_people
from macli.segments.refreshing import Moved, refresh, refresh_tracked

__all__ = [
    "Made",
    "Moved",
    "add_people",
    "create",
    "edit",
    "put",
    "refresh",
    "refresh_tracked",
    "remove",
    "remove_people",
    "rename",
    "show",
    "uses",
]
