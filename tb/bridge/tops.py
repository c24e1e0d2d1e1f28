"""What each testbench top connects: its links by number, who serves them, and the ports it has.

The numbers are the ``LINK`` parameters in ``tb/tops/``; names are what results, scoreboards and waves call a link.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tb.bridge.native import NO_LINK, ActionKind, Native


@dataclass(frozen=True)
class Link:
    """One direction of a TLP link.

    ``source``/``sink``: a native agent sends or receives here. ``completions``: host memory serves the requests that arrive
    and completes on this link; ``to_cpu``: completions that arrive are the CPU's.
    """

    number: int
    name: str
    source: bool = False
    sink: bool = False
    completions: str | None = None
    to_cpu: bool = False


@dataclass(frozen=True)
class Top:
    """A testbench top."""

    name: str
    links: tuple[Link, ...] = ()
    cpu_requests: str | None = None
    translation_port: bool = False
    descriptor_port: bool = False
    by_name: Mapping[str, Link] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {link.name: link for link in self.links})

    @property
    def host_links(self) -> tuple[int, ...]:
        """Links on which host memory takes requests."""
        return tuple(link.number for link in self.links if link.completions is not None)

    def attach(self, native: Native) -> None:
        """Connect host memory and CPU to the links they serve."""
        for link in self.links:
            if link.completions is not None or link.to_cpu:
                completion = NO_LINK if link.completions is None else self.by_name[link.completions].number
                native.act(ActionKind.ATTACH_HOST, link.number, completion)
        if self.cpu_requests is not None:
            native.act(ActionKind.ATTACH_CPU, self.by_name[self.cpu_requests].number)


TLP_LINK: Final = Top(
    "tlp_link",
    (
        Link(0, "request_in", source=True),
        Link(1, "request_out", sink=True),
        Link(2, "completion_in", source=True),
        Link(3, "completion_out", sink=True),
    ),
)
TLP_LINK_PINS: Final = Top("tlp_link_pins", (Link(0, "request_in"), Link(1, "request_out")))
DMA: Final = Top(
    "dma",
    (
        Link(0, "engine_request", sink=True, completions="engine_completion"),
        Link(1, "engine_completion", source=True),
    ),
    descriptor_port=True,
)
IOMMU: Final = Top("iommu", translation_port=True)
SWITCH: Final = Top(
    "switch",
    (
        Link(0, "switch_up", sink=True),
        Link(1, "switch_down", source=True),
        Link(2, "endpoint0_up", source=True),
        Link(3, "endpoint0_down", sink=True),
        Link(4, "endpoint1_up", source=True),
        Link(5, "endpoint1_down", sink=True),
    ),
)
ENDPOINT: Final = Top(
    "endpoint",
    (
        Link(0, "endpoint0_up", sink=True, completions="endpoint0_down", to_cpu=True),
        Link(1, "endpoint0_down", source=True),
    ),
    cpu_requests="endpoint0_down",
)
ENDPOINT_PINS: Final = Top("endpoint_pins", (Link(0, "endpoint0_up"), Link(1, "endpoint0_down")))
ROOT_COMPLEX: Final = Top(
    "root_complex",
    (
        Link(4, "switch_up", source=True),
        Link(5, "switch_down", sink=True),
        Link(6, "memory_request", sink=True, completions="memory_completion"),
        Link(7, "memory_completion", source=True),
        Link(8, "cpu_request", source=True),
        Link(9, "cpu_completion", sink=True, to_cpu=True),
    ),
    cpu_requests="cpu_request",
)
SYSTEM: Final = Top(
    "system",
    (
        Link(0, "endpoint0_up"),
        Link(1, "endpoint0_down"),
        Link(2, "endpoint1_up"),
        Link(3, "endpoint1_down"),
        Link(4, "switch_up"),
        Link(5, "switch_down"),
        Link(6, "memory_request", sink=True, completions="memory_completion"),
        Link(7, "memory_completion", source=True),
        Link(8, "cpu_request", source=True),
        Link(9, "cpu_completion", sink=True, to_cpu=True),
    ),
    cpu_requests="cpu_request",
)
TOPS: Final = {
    top.name: top for top in (TLP_LINK, TLP_LINK_PINS, DMA, IOMMU, SWITCH, ENDPOINT, ENDPOINT_PINS, ROOT_COMPLEX, SYSTEM)
}
