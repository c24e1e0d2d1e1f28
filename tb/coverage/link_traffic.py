"""Which TLPs each link of each testbench top may carry: what its sender can build, whoever drives it.

A link that the testbench drives may carry anything that the protocol allows; one that a block drives carries what that block can
send. What stands here is what the cover groups of links take as possible: more on a link fails the run, less is a hole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tb.bridge.tops import TOPS, Top

COMPLETIONS: Final = frozenset({"completion", "completion with data"})
MEMORY: Final = frozenset({"memory read", "memory write"})
CONFIGURATION: Final = frozenset({"configuration read", "configuration write"})
MESSAGES: Final = frozenset({"message", "message with data"})
IO: Final = frozenset({"IO read", "IO write"})
ADDRESSED: Final = MEMORY | {"atomic", "deferrable write"}
ANYTHING: Final = ADDRESSED | CONFIGURATION | MESSAGES | IO | COMPLETIONS


STATUSES: Final = frozenset({"SC", "SC with data", "UR", "CA"})
WITH_RETRY: Final = STATUSES | {"CRS"}
LONGEST: Final = 1024


@dataclass(frozen=True)
class Traffic:
    """What the sender ``block`` of a link can send.

    ``kinds``: of :data:`tb.coverage.tlp_axes.KIND`; ``statuses``: of its completions; ``longest_write``, ``longest_read``,
    ``longest_completion`` in DW; ``gaps``: byte enables that skip bytes; ``zero_length``: operations on no bytes; ``prefixed``:
    PASID prefixes; ``translates``: address types other than untranslated; ``attributes``: any of RO, IDO, NS.
    """

    kinds: frozenset[str]
    block: str
    statuses: frozenset[str] = WITH_RETRY
    longest_write: int = LONGEST
    longest_read: int = LONGEST
    longest_completion: int = LONGEST
    gaps: bool = True
    zero_length: frozenset[str] = frozenset({"read", "write"})
    prefixed: bool = True
    translates: bool = True
    attributes: bool = True


_FLUSH: Final = frozenset({"read"})
_STIMULUS: Final = Traffic(ANYTHING, "testbench")
# The testbench completes with 512 bytes at a time at most; engines take Max_Payload_Size up to 1024, endpoints up to 512.
_HOST_COMPLETIONS: Final = Traffic(COMPLETIONS, "testbench", STATUSES - {"SC"}, longest_completion=128)
_ENGINE: Final = Traffic(MEMORY, "dma", longest_write=256, gaps=False, zero_length=_FLUSH, translates=False)
_ENDPOINT: Final = Traffic(
    MEMORY | COMPLETIONS,
    "endpoint",
    STATUSES,
    longest_write=128,
    longest_completion=128,
    gaps=False,
    zero_length=_FLUSH,
    translates=False,
)
_CPU: Final = Traffic(
    MEMORY | CONFIGURATION,
    "testbench",
    longest_write=2,
    longest_read=2,
    gaps=False,
    zero_length=frozenset(),
    prefixed=False,
    translates=False,
    attributes=False,
)
_TO_ENDPOINT: Final = Traffic(
    MEMORY | CONFIGURATION | MESSAGES | COMPLETIONS,
    "switch",
    STATUSES,
    longest_write=128,
    longest_completion=128,
    gaps=False,
    zero_length=_FLUSH,
    translates=False,
)
_TO_CPU: Final = Traffic(COMPLETIONS, "root_complex", STATUSES, longest_completion=2, attributes=False)

_LINKS: Final[Mapping[str, Mapping[str, Traffic]]] = {
    "tlp_link": {
        "request_in": _STIMULUS,
        "request_out": replace(_STIMULUS, block="tlp"),
        "completion_in": _STIMULUS,
        "completion_out": replace(_STIMULUS, block="tlp"),
    },
    "tlp_link_pins": {"request_in": _STIMULUS, "request_out": replace(_STIMULUS, block="tlp")},
    "dma": {"engine_request": _ENGINE, "engine_completion": _HOST_COMPLETIONS},
    "switch": {
        "switch_up": Traffic(ANYTHING - CONFIGURATION, "switch"),
        "switch_down": _STIMULUS,
        "endpoint0_up": _STIMULUS,
        "endpoint0_down": Traffic(ANYTHING - IO, "switch"),
        "endpoint1_up": _STIMULUS,
        "endpoint1_down": Traffic(ANYTHING - IO, "switch"),
    },
    "endpoint": {"endpoint0_up": _ENDPOINT, "endpoint0_down": _STIMULUS},
    "endpoint_pins": {"endpoint0_up": _ENDPOINT, "endpoint0_down": _STIMULUS},
    "root_complex": {
        "switch_up": _STIMULUS,
        "switch_down": Traffic(ANYTHING - IO, "root_complex"),
        "memory_request": Traffic(ADDRESSED, "root_complex", prefixed=False, translates=False),
        "memory_completion": _HOST_COMPLETIONS,
        "cpu_request": _STIMULUS,
        "cpu_completion": Traffic(COMPLETIONS, "root_complex"),
    },
    "system": {
        "endpoint0_up": _ENDPOINT,
        "endpoint0_down": _TO_ENDPOINT,
        "endpoint1_up": _ENDPOINT,
        "endpoint1_down": _TO_ENDPOINT,
        "switch_up": replace(_ENDPOINT, block="switch"),
        "switch_down": replace(_TO_ENDPOINT, block="root_complex", prefixed=False),
        "memory_request": replace(_ENDPOINT, kinds=MEMORY, block="root_complex", prefixed=False),
        "memory_completion": _HOST_COMPLETIONS,
        "cpu_request": _CPU,
        "cpu_completion": _TO_CPU,
    },
}


def traffic_of(top: Top) -> list[Traffic]:
    """What the links of a top may carry, in the order of ``top.links``."""
    return [_LINKS[top.name][link.name] for link in top.links]


assert all(set(_LINKS[top.name]) == {link.name for link in top.links} for top in TOPS.values() if top.links)
