"""Checks of arguments: a call that is given nonsense says so in one sentence, before it has changed anything.

The rules follow from a function's annotations: an ``int`` is an unsigned 64-bit quantity (bytes, a count, a mask, attribute
bits) and never an address; an address parameter takes its own address type or a plain ``int``; any other class must be met, and
an object that can go away (it has ``check_present``) must still be there.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Sequence
from functools import wraps
from operator import index
from typing import Any, ParamSpec, TypeVar

from sluicegate.address import DmaAddress, PeerAddress, PhysicalAddress

P = ParamSpec("P")
R = TypeVar("R")
Rule = Callable[[Any], Any]

_LIMIT = 1 << 64
_ADDRESSES = (DmaAddress, PeerAddress, PhysicalAddress)


def unsigned(value: Any, what: str) -> int:
    """``value`` as a plain ``int`` of 0 to 2^64 - 1. ``what`` names call and parameter. TypeError, ValueError."""
    if isinstance(value, (bool, *_ADDRESSES)) or not hasattr(value, "__index__"):
        raise TypeError(f"{what} is {_shown(value)}: give a plain whole number")
    number = int(index(value))
    if not 0 <= number < _LIMIT:
        raise ValueError(f"{what} is {number}: give an unsigned 64-bit value, 0 to 2^64 - 1")
    return number


def instance(value: Any, kinds: tuple[type, ...], what: str) -> Any:
    """``value``, which must be of one of ``kinds`` and still be there. TypeError, or what ``check_present`` raises."""
    if not isinstance(value, kinds):
        names = " or ".join("None" if kind is types.NoneType else kind.__name__ for kind in kinds)
        raise TypeError(f"{what} is {_shown(value)}: give a {names}")
    check_present = getattr(value, "check_present", None)
    if check_present is not None:
        check_present()
    return value


def validated(function: Callable[P, R]) -> Callable[P, R]:
    """Check (and turn numpy integers into plain ones) all arguments of ``function`` by its annotations."""
    rules: dict[str, Rule] = {}
    in_order: list[Rule] = []

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not in_order:
            # At the first call, as modules that name each other's classes are not complete before.
            rules.update(_rules(function))
            in_order.extend(rules.values())
        # Superfluous and unknown arguments stay, for the call itself to refuse.
        positional: Any = [rule(value) for rule, value in zip(in_order, args, strict=False)]
        positional += args[len(positional) :]
        named: Any = kwargs and {name: rules[name](value) if name in rules else value for name, value in kwargs.items()}
        return function(*positional, **named)

    return call


def _rules(function: Callable[..., object]) -> dict[str, Rule]:
    hints = typing.get_type_hints(function)
    hints.pop("return")
    return {name: _rule(hint, f"{function.__name__}: {name}") for name, hint in hints.items()}


def _rule(hint: Any, what: str) -> Rule:
    kinds: tuple[type, ...] = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if int in kinds:
        own = next((kind for kind in kinds if kind in _ADDRESSES), None)
        return _number(own, what)
    if typing.get_origin(hint) is Sequence:
        return _sequence(typing.get_args(hint), what)
    if issubclass(kinds[0], enum.IntEnum | enum.IntFlag):
        return _number_of(kinds[0], what)
    return _instance_of(kinds, what)


def _number(own: type | None, what: str) -> Rule:
    def check(value: Any) -> Any:
        if value.__class__ is int and 0 <= value < _LIMIT:
            return value
        if own is not None and isinstance(value, _ADDRESSES):
            if value.__class__ is own:
                return value
            raise TypeError(f"{what} is a {_shown(value)}: the address spaces differ, give a {own.__name__}")
        return unsigned(value, what)

    return check


def _number_of(kind: type[enum.Enum], what: str) -> Rule:
    """Enumerations are numbers too; which of them a call takes is its own rule."""

    def check(value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, (bool, *_ADDRESSES)):
            return value
        raise TypeError(f"{what} is {_shown(value)}: give a {kind.__name__}")

    return check


def _instance_of(kinds: tuple[type[Any], ...], what: str) -> Rule:
    usual = kinds[0]
    stays = not hasattr(usual, "check_present")

    def check(value: Any) -> Any:
        if value.__class__ is usual:
            if not stays:
                value.check_present()
            return value
        return instance(value, kinds, what)

    return check


def _sequence(kinds: tuple[type, ...], what: str) -> Rule:
    def check(value: Any) -> Any:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise TypeError(f"{what} is {_shown(value)}: give a list of {kinds[0].__name__}")
        for number, item in enumerate(value):
            instance(item, kinds, f"{what}[{number}]")
        return value

    return check


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
