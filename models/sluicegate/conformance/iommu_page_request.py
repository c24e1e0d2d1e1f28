"""Replay of ``pri``: page request messages, their queue records, automatic responses and faults."""

from __future__ import annotations

from pathlib import Path

from sluicegate.conformance.iommu_case_replay import replay_whole_cases
from sluicegate.conformance.iommu_compare import page_request_difference
from sluicegate.conformance.iommu_dut import IommuUnderTest, ModelUnderTest
from sluicegate.conformance.iommu_parse import read_page_request_cases
from sluicegate.conformance.result import FileResult


def replay_page_requests(path: Path, device: IommuUnderTest | None = None) -> FileResult:
    """Replay a ``pri`` file on ``device`` (default: the golden model). Raises ConformanceError."""
    device = device or ModelUnderTest()
    return replay_whole_cases(
        path,
        read_page_request_cases(path),
        device,
        lambda case: page_request_difference(case.expected, device.run_page_request(case)),
    )
