"""What a step may do: one frozen dataclass each, found here by its word.

Its fields are the keys of the step in a campaign file and their types say what they hold
(macli.campaign.words); its docstring is the documentation. A bare value sets the field named by
``scalar``: ``send: hello`` is ``send: {template: hello}``; where that field is a mapping, the whole
mapping is its value (``set: {orders: 3}``). Keys in ``nested`` hold lists of steps: beside the word
(``then``) or, where a field is a tuple of dataclasses with a ``nested`` of their own, inside each of
these (``steps``), whose ways are "1", "2", … in their order. ``events`` are what the store keeps as
``step_events``.
"""

from collections.abc import Mapping
from types import ModuleType

from macli.actions import branching, colleagues, contact_changes, sending, standing, waiting
from macli.actions.batch import Action, Batch

MODULES: tuple[ModuleType, ...] = (sending, waiting, branching, contact_changes, standing, colleagues)


def _actions() -> dict[str, type[Action]]:
    return {
        vars(value)["word"]: value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and isinstance(vars(value).get("word"), str)
    }


ACTIONS: Mapping[str, type[Action]] = _actions()

__all__ = ["ACTIONS", "Action", "Batch"]
