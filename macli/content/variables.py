"""The variables a template needs: those it uses without asking first whether they are there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jinja2 import nodes

from macli.content.values import GIVEN

Names = frozenset[str]
NONE: Names = frozenset()

CONTACT = "contact"


@dataclass(kw_only=True)
class Uses:
    """What a template reads: of the contact (all, and needed without fail) and of what macli gives."""

    contact: set[str] = field(default_factory=set)
    required: set[str] = field(default_factory=set)
    given: set[tuple[str, str]] = field(default_factory=set)


def uses_of(trees: Iterable[nodes.Template]) -> Uses:
    """What the parts of a template read, taken together."""
    uses = Uses()
    for tree in trees:
        _Walk(uses).block(tree.body, NONE, NONE)
    return uses


class _Walk:
    """A walk over a tree with two sets in hand.

    ``sure``: the contact's values known to be there at this place; ``own``: the template's own names
    (set, loop and macro variables).
    """

    def __init__(self, uses: Uses) -> None:
        self.uses = uses

    def block(self, body: Sequence[nodes.Node], sure: Names, own: Names) -> Names:
        """Visit statements in order; the own names that hold after them."""
        for node in body:
            own = self.statement(node, sure, own)
        return own

    def statement(self, node: nodes.Node, sure: Names, own: Names) -> Names:
        match node:
            case nodes.If():
                return self.branches(node, sure, own)
            case nodes.For():
                self.visit(node.iter, sure, own)
                inside = own | _targets(node.target) | {"loop"}
                if node.test is not None:
                    self.visit(node.test, sure, inside)
                when_true = _known(node.test, inside)[0] if node.test is not None else NONE
                self.block(node.body, sure | when_true, inside)
                self.block(node.else_, sure, own)
                return own
            case nodes.Assign():
                self.visit(node.node, sure, own)
                return own | _targets(node.target)
            case nodes.AssignBlock():
                self.block(node.body, sure, own)
                return own | _targets(node.target)
            case nodes.Macro() | nodes.CallBlock():
                arguments = frozenset(argument.name for argument in node.args) | {"caller", "varargs", "kwargs"}
                for default in node.defaults:
                    self.visit(default, sure, own)
                if isinstance(node, nodes.CallBlock):
                    self.visit(node.call, sure, own)
                self.block(node.body, sure, own | arguments)
                return own | {node.name} if isinstance(node, nodes.Macro) else own
            case nodes.With():
                for value in node.values:
                    self.visit(value, sure, own)
                self.block(node.body, sure, own.union(*map(_targets, node.targets)))
                return own
            case nodes.FilterBlock() | nodes.Scope() | nodes.ScopedEvalContextModifier() | nodes.Block():
                self.block(node.body, sure, own)
                return own
            case _:
                self.visit(node, sure, own)
                return own

    def branches(self, node: nodes.If, sure: Names, own: Names) -> Names:
        self.visit(node.test, sure, own, asked=True)
        when_true, when_false = _known(node.test, own)
        after = self.block(node.body, sure | when_true, own)
        sure = sure | when_false
        rest: list[nodes.Node] = [*node.elif_[:1]]
        if node.elif_:
            chained = node.elif_[0]
            rest = [nodes.If(chained.test, chained.body, node.elif_[1:], node.else_, lineno=chained.lineno)]
        else:
            rest = list(node.else_)
        # What only one branch sets is not there after the other.
        return after & self.block(rest, sure, own)

    def visit(self, node: nodes.Node, sure: Names, own: Names, *, asked: bool = False) -> None:
        """Visit an expression; ``asked`` where only its truth matters, which a missing value has too."""
        name = _contact_value(node, own)
        if name is not None:
            self.uses.contact.add(name)
            if not asked and name not in sure:
                self.uses.required.add(name)
            return
        match node:
            case nodes.Filter(name="default" | "d") | nodes.Test(name="defined" | "undefined"):
                if node.node is not None:
                    self.visit(node.node, sure, own, asked=True)
                for argument in node.args:
                    self.visit(argument, sure, own)
            case nodes.Not():
                self.visit(node.node, sure, own, asked=True)
            case nodes.And() | nodes.Or():
                # The left side's truth decides; its value is only used where it is true, or last.
                self.visit(node.left, sure, own, asked=asked or isinstance(node, nodes.Or))
                known = _known(node.left, own)[isinstance(node, nodes.Or)]
                self.visit(node.right, sure | known, own, asked=asked)
            case nodes.CondExpr():
                self.visit(node.test, sure, own, asked=True)
                when_true, when_false = _known(node.test, own)
                self.visit(node.expr1, sure | when_true, own, asked=asked)
                if node.expr2 is not None:
                    self.visit(node.expr2, sure | when_false, own, asked=asked)
            case nodes.Getattr(node=nodes.Name(name=base), attr=attr) if base in GIVEN and base not in own:
                self.uses.given.add((base, attr))
            case _:
                for child in node.iter_child_nodes():
                    self.statement(child, sure, own)


def _contact_value(node: nodes.Node, own: Names) -> str | None:
    """The contact's value an expression names: ``first_name``, ``contact.first_name``, ``contact['first_name']``."""
    match node:
        case nodes.Name(name=name, ctx="load") if name not in GIVEN and name not in own and name != "range":
            return str(name)
        case nodes.Getattr(node=nodes.Name(name="contact"), attr=name) if CONTACT not in own:
            return str(name)
        case nodes.Getitem(node=nodes.Name(name="contact"), arg=nodes.Const(value=str(name))) if CONTACT not in own:
            return name
    return None


def _known(test: nodes.Node, own: Names) -> tuple[Names, Names]:
    """The values certainly there when ``test`` is true, and when it is false."""
    name = _contact_value(test, own)
    if name is not None:
        return frozenset({name}), NONE
    match test:
        case nodes.Test(name="defined", node=asked) if (name := _contact_value(asked, own)) is not None:
            return frozenset({name}), NONE
        case nodes.Test(name="undefined", node=asked) if (name := _contact_value(asked, own)) is not None:
            return NONE, frozenset({name})
        case nodes.Not():
            when_true, when_false = _known(test.node, own)
            return when_false, when_true
        case nodes.And():
            left, right = _known(test.left, own), _known(test.right, own)
            return left[0] | right[0], left[1] & right[1]
        case nodes.Or():
            left, right = _known(test.left, own), _known(test.right, own)
            return left[0] & right[0], left[1] | right[1]
    return NONE, NONE


def _targets(target: nodes.Node) -> Names:
    """The names an assignment binds."""
    return frozenset(name.name for name in target.find_all(nodes.Name)) | (
        {target.name} if isinstance(target, nodes.Name) else NONE
    )
