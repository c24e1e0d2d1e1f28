"""Which collectors sample every run of a top; scoreboards and tests add their own."""

from __future__ import annotations

from tb.bridge.tops import Top
from tb.coverage.collector import Collector
from tb.coverage.command_collector import CommandCollector
from tb.coverage.descriptor_collector import DescriptorCollector
from tb.coverage.link_collector import LinkCollector
from tb.coverage.ring_collector import RingCollector

WITH_DESCRIPTORS = ("dma", "endpoint", "system")
WITH_RINGS = ("endpoint", "system")
WITH_IOMMU = ("iommu", "root_complex", "system")


def collectors_of(top: Top) -> list[Collector]:
    """New collectors for one run of ``top``."""
    made: list[Collector] = [LinkCollector(top)] if top.links else []
    if top.name in WITH_DESCRIPTORS:
        made.append(DescriptorCollector(top.name, rings=top.name in WITH_RINGS))
    if top.name in WITH_RINGS:
        made.append(RingCollector(top.name, wires=top.name in WITH_IOMMU))
    if top.name in WITH_IOMMU:
        made.append(CommandCollector())
    return made
