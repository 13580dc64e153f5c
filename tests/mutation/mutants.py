"""Small edits of a module's syntax tree, each of which some test should notice.

Never edited: docstrings, sentences, error texts, annotations, messages of `assert`, `__all__`, imports; and `strict` of
`zip`, which like an `assert` says what holds anyway. The order of names that something is looked up in is not edited.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

OPERATORS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.And: (ast.Or,), ast.Or: (ast.And,),
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.Mult,), ast.Pow: (ast.Mult,), ast.MatMult: (ast.Mult,), ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,), ast.BitXor: (ast.BitAnd,),
}  # fmt: skip
NAMES = {
    "min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor", "argmin": "argmax",
    "argmax": "argmin", "zeros_like": "ones_like", "ones_like": "zeros_like", "round": "int", "mean": "sum",
}  # fmt: skip
UNSEEN = {"cpu"}
"""Calls that do nothing on the one device of a test machine."""
SKIPPED = {"annotation", "returns", "msg", "cause", "ctx", "bases", "type_params", "format_spec"}
"""Fields of the tree that are never edited."""


@dataclass(frozen=True)
class Mutant:
    """One edit.

    Args:
        line: where it is, from 1.
        before: the edited piece, of a block its first line.
        after: what stands there now.
        source: the whole mutated module.
    """

    line: int
    before: str
    after: str
    source: str


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines; each differs from the module and from every other."""
    tree = ast.parse(source)
    seen, made = {ast.unparse(tree)}, []
    for holder, key, node in _sites(tree):
        for edited in edits(node):
            holder[key] = edited
            mutated = ast.unparse(ast.fix_missing_locations(tree))
            holder[key] = node
            if mutated not in seen:
                seen.add(mutated)
                made.append(Mutant(_line(node), _head(node), _head(edited), mutated))
    return sorted(made, key=lambda mutant: mutant.line)


def _line(node: ast.AST) -> int:
    return min((part.lineno for part in ast.walk(node) if hasattr(part, "lineno")), default=0)


def _head(node: ast.AST) -> str:
    return ast.unparse(node).partition("\n")[0]


def _sites(node: ast.AST, *, in_error: bool = False) -> Iterator[tuple[Any, Any, ast.AST]]:
    """Every node that may be edited, with the list or the fields that hold it and its key there."""
    in_error = in_error or isinstance(node, ast.Raise)
    for name, value in ast.iter_fields(node):
        if name in SKIPPED or (name == "decorator_list" and isinstance(node, ast.ClassDef)):
            continue
        holder: Any = value if isinstance(value, list) else vars(node)
        for key, child in enumerate(value) if isinstance(value, list) else [(name, value)]:
            if isinstance(child, ast.AST) and not _is_prose(child, in_error=in_error):
                if not isinstance(node, ast.Compare) or not isinstance(child, ast.Tuple):
                    yield holder, key, child
                yield from _sites(child, in_error=in_error)


def _is_prose(node: ast.AST, *, in_error: bool) -> bool:
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) == "__all__"
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, (ast.Subscript, ast.Call)):  # types that stand alone
        return ast.unparse(next(ast.iter_child_nodes(node))) in ("Literal", "Callable", "TypeVar")
    if isinstance(node, ast.keyword):
        return node.arg == "strict"
    return isinstance(node, (ast.Import, ast.ImportFrom)) or (in_error and _is_string(node))


def _is_string(node: ast.AST | None) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _changed(node: ast.AST, **fields: Any) -> ast.AST:
    return type(node)(**{**vars(node), **fields})


def _without(items: list[Any]) -> Iterator[list[Any]]:
    """The list without one of its items, for each of them."""
    return (items[:index] + items[index + 1 :] for index in range(len(items)))


@singledispatch
def edits(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of `node`."""
    yield from ()


# Values.


@edits.register
def _(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, (int, float)):
        yield from map(ast.Constant, (value + 1, value - 1) if isinstance(value, int) else (value + 1, value * 2, 0.0))
    elif isinstance(value, str) and re.fullmatch(r"[\w./:*+-]*", value):
        yield ast.Constant(value + "_mutant")


@edits.register
def _(node: ast.Slice) -> Iterator[ast.AST]:
    for name in ("lower", "upper"):
        bound = getattr(node, name)
        if bound is not None and not isinstance(bound, ast.Constant):
            for op in (ast.Add(), ast.Sub()):
                yield _changed(node, **{name: ast.BinOp(bound, op, ast.Constant(1))})


@edits.register(ast.Tuple)
@edits.register(ast.List)
def _(node: ast.Tuple | ast.List) -> Iterator[ast.AST]:
    if all(map(_is_string, node.elts)):
        yield _changed(node, elts=node.elts[::-1])


@edits.register
def _(node: ast.Dict) -> Iterator[ast.AST]:
    if None in node.keys:  # which of two merged mappings wins
        yield _changed(node, keys=node.keys[::-1], values=node.values[::-1])


# Expressions.


@edits.register
def _(node: ast.BinOp) -> Iterator[ast.AST]:
    for op in OPERATORS[type(node.op)]:
        yield _changed(node, op=op())


@edits.register
def _(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _changed(node, op=OPERATORS[type(node.op)][0]())
    for rest in _without(node.values):
        yield rest[0] if len(rest) == 1 else _changed(node, values=rest)


@edits.register
def _(node: ast.Compare) -> Iterator[ast.AST]:
    for index, op in enumerate(node.ops):
        for other in OPERATORS[type(op)]:
            yield _changed(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])


@edits.register
def _(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


@edits.register
def _(node: ast.IfExp) -> Iterator[ast.AST]:
    yield from (node.body, node.orelse)


@edits.register
def _(node: ast.comprehension) -> Iterator[ast.AST]:
    for rest in _without(node.ifs):
        yield _changed(node, ifs=rest)


@edits.register
def _(node: ast.Call) -> Iterator[ast.AST]:
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in NAMES:
        field = "attr" if isinstance(function, ast.Attribute) else "id"
        yield _changed(node, func=_changed(function, **{field: NAMES[name]}))
    if isinstance(function, ast.Attribute) and not node.args and not node.keywords and name not in UNSEEN:
        yield function.value
    if name in ("abs", "sorted", "reversed", "set") and node.args:
        yield node.args[0]
    if name == "sorted":
        yield ast.Subscript(node, ast.Slice(step=ast.UnaryOp(ast.USub(), ast.Constant(1))))
    for index in range(0 if name in ("min", "max") else len(node.args) - 1):
        swapped = [*node.args[:index], node.args[index + 1], node.args[index], *node.args[index + 2 :]]
        yield _changed(node, args=swapped)
    for index, keyword in enumerate(node.keywords):
        if not _is_prose(keyword, in_error=False):
            yield _changed(node, keywords=node.keywords[:index] + node.keywords[index + 1 :])


# Statements.


@edits.register
def _(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None:
        yield ast.Return(ast.Constant(None))


@edits.register
def _(node: ast.Expr) -> Iterator[ast.AST]:
    yield ast.Pass()


@edits.register
def _(node: ast.Assign) -> Iterator[ast.AST]:
    if isinstance(node.targets[0], (ast.Attribute, ast.Subscript)):
        yield ast.Pass()


@edits.register
def _(node: ast.AugAssign) -> Iterator[ast.AST]:
    yield ast.Pass()
    for op in OPERATORS[type(node.op)]:
        yield _changed(node, op=op())


@edits.register
def _(node: ast.If) -> Iterator[ast.AST]:
    if ast.unparse(node.test) != "TYPE_CHECKING":
        for value in (True, False):
            yield _changed(node, test=ast.Constant(value))


@edits.register
def _(node: ast.While) -> Iterator[ast.AST]:
    yield _changed(node, test=ast.Constant(value=False))


@edits.register
def _(node: ast.With) -> Iterator[ast.AST]:
    yield ast.If(ast.Constant(value=True), node.body, [])


@edits.register
def _(node: ast.Break) -> Iterator[ast.AST]:
    yield ast.Continue()


@edits.register
def _(node: ast.Continue) -> Iterator[ast.AST]:
    yield ast.Break()


@edits.register
def _(node: ast.FunctionDef) -> Iterator[ast.AST]:
    for rest in _without(node.decorator_list):
        yield _changed(node, decorator_list=rest)
