"""Python functions as JavaScript: so that the verdict's rule is written once (`bench.recommend.rule`).

Only what that file needs is known, and anything else is refused: numbers, words, arithmetic, comparisons, conditions,
assignments, loops over ``zip``, dictionaries and lists, and the functions of `math` that both languages have.
"""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_COMPARED = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "===", ast.NotEq: "!==", ast.Is: "===",
}  # fmt: skip
_MATH = {name: f"Math.{name}" for name in ("ceil", "exp", "floor", "hypot", "log", "max", "min", "sqrt")}
_NAMES = {"inf": "Infinity", "nan": "NaN", "isnan": "Number.isNaN", "zip": "zipped"} | _MATH
_CONSTANTS = {True: "true", False: "false", None: "null"}


class TranslationError(ValueError):
    """Python that has no translation here; the message names the construct and its line."""


def javascript(module: ModuleType) -> str:
    """The module's functions and its capital constants."""
    tree = ast.parse(inspect.getsource(module))
    parts = ["const zipped = (a, b) => Array.from(a, (value, k) => [value, b[k]]);"]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            parts.append(_function(node))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            parts.append(f"const {node.targets[0].id} = {_value(node.value)};")
    return "\n".join(parts) + "\n"


def _function(node: ast.FunctionDef) -> str:
    arguments = [argument.arg for argument in node.args.args]
    own = sorted({name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)})
    declared = [f"let {', '.join(own)};"] if own else []
    return f"function {node.name}({', '.join(arguments)}) {_block(node.body, declared)}"


def _block(body: list[ast.stmt], first: list[str] | None = None) -> str:
    return "{ " + " ".join([*(first or []), *map(_statement, body)]) + " }"


def _statement(node: ast.stmt) -> str:
    match node:
        case ast.Expr(ast.Constant(str())):  # a docstring
            return ""
        case ast.Return(value) if value is not None:
            return f"return {_value(value)};"
        case ast.Assign([target], value):
            return f"{_value(target)} = {_value(value)};"
        case ast.AugAssign(target, operator, value) if type(operator) in _BINARY:
            return f"{_value(target)} {_BINARY[type(operator)]}= {_value(value)};"
        case ast.If(test, body, []):
            return f"if ({_value(test)}) {_block(body)}"
        case ast.For(target, iterated, body, []):
            return f"for ({_value(target)} of {_value(iterated)}) {_block(body)}"
    raise _unknown(node)


def _value(node: ast.expr) -> str:
    match node:
        case ast.Constant(value) if value is None or isinstance(value, bool):
            return _CONSTANTS[value]
        case ast.Constant(str() | int() | float() as value):
            return repr(value)
        case ast.Name(name):
            return _NAMES.get(name, name)
        case ast.Attribute(value, name):
            return f"{_value(value)}.{name}"
        case ast.Subscript(value, index):
            return f"{_value(value)}[{_value(index)}]"
        case ast.BinOp(left, operator, right) if type(operator) in _BINARY:
            return f"({_value(left)} {_BINARY[type(operator)]} {_value(right)})"
        case ast.BoolOp(operator, values):
            return "(" + (" && " if isinstance(operator, ast.And) else " || ").join(map(_value, values)) + ")"
        case ast.UnaryOp(ast.Not(), value):
            return f"!({_value(value)})"
        case ast.UnaryOp(ast.USub(), value):
            return f"(-{_value(value)})"
        case ast.Compare(left, [operator], [right]) if type(operator) in _COMPARED:
            return f"({_value(left)} {_COMPARED[type(operator)]} {_value(right)})"
        case ast.IfExp(test, body, otherwise):
            return f"({_value(test)} ? {_value(body)} : {_value(otherwise)})"
        case ast.Call(ast.Name(name), arguments, keywords) if all(keyword.arg == "strict" for keyword in keywords):
            return f"{_NAMES.get(name, name)}({', '.join(map(_value, arguments))})"
        case ast.Dict(keys, values) if None not in keys:
            pairs = zip(keys, values, strict=True)
            return "({" + ", ".join(f"[{_value(key)}]: {_value(value)}" for key, value in pairs if key) + "})"
        case ast.List(values) | ast.Tuple(values):
            return "[" + ", ".join(map(_value, values)) + "]"
    raise _unknown(node)


def _unknown(node: ast.AST) -> TranslationError:
    return TranslationError(f"line {getattr(node, 'lineno', '?')}: {type(node).__name__} has no translation")
