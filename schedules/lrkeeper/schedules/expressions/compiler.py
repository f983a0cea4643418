"""From tree to nested functions: an operation on numbers and names is one call, with no walk over the tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from lrkeeper.schedules.expressions.operations import CONSTANTS, Function, function_of, truth
from lrkeeper.schedules.expressions.tree import CHOICE, Name, Node, Number

Evaluator: TypeAlias = Callable[[Mapping[str, float]], float]
"""From the names' values to the tree's; raises what Python's arithmetic does."""

Watch: TypeAlias = Callable[[str, Function], Function]
"""Given an operation's symbol and function, returns what is called in the function's place."""


def compile_tree(node: Node, watch: Watch = lambda _, function: function) -> Evaluator:
    """Return the function of a tree; in a call of it each operation runs at most once."""
    node = _fixed(node)
    if isinstance(node, Number):
        number = node.value
        return lambda _: number
    if isinstance(node, Name):
        name = node.name
        return lambda values: values[name]
    symbol, operands = node.symbol, node.operands
    if symbol in (CHOICE, "and", "or"):
        return _lazy(symbol, [compile_tree(operand, watch) for operand in operands])
    function = watch(symbol, function_of(symbol, len(operands)))
    if len(operands) == 1:
        return _unary(function, compile_tree(operands[0], watch))
    if len(operands) == 2:
        return _binary(function, _fixed(operands[0]), _fixed(operands[1]), watch)
    several = [compile_tree(operand, watch) for operand in operands]
    return lambda values: function(*[evaluate(values) for evaluate in several])


def _fixed(node: Node) -> Node:
    """Return a constant as its number."""
    if isinstance(node, Name) and node.name in CONSTANTS:
        return Number(CONSTANTS[node.name])
    return node


def _lazy(symbol: str, evaluators: list[Evaluator]) -> Evaluator:
    first, second = evaluators[:2]
    if symbol == "and":
        return lambda values: truth(second(values)) if first(values) else 0.0
    if symbol == "or":
        return lambda values: 1.0 if first(values) else truth(second(values))
    third = evaluators[2]
    return lambda values: second(values) if first(values) else third(values)


def _unary(function: Function, operand: Evaluator) -> Evaluator:
    return lambda values: function(operand(values))


def _binary(function: Function, left: Node, right: Node, watch: Watch) -> Evaluator:
    """Return one function for the operation and those of its operands that are numbers or names."""
    match left, right:
        case Number(number), Name(name):
            return lambda values: function(number, values[name])
        case Name(name), Number(number):
            return lambda values: function(values[name], number)
        case Name(name), Name(other):
            return lambda values: function(values[name], values[other])
        case Number(number), _:
            after = compile_tree(right, watch)
            return lambda values: function(number, after(values))
        case Name(name), _:
            after = compile_tree(right, watch)
            return lambda values: function(values[name], after(values))
    before = compile_tree(left, watch)
    match right:
        case Number(number):
            return lambda values: function(before(values), number)
        case Name(name):
            return lambda values: function(before(values), values[name])
    after = compile_tree(right, watch)
    return lambda values: function(before(values), after(values))
