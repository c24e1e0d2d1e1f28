"""Replay of ``cmd``: one command each, legal or not, with its stores and messages."""

from __future__ import annotations

from pathlib import Path

from sluicegate.conformance.iommu_case_replay import replay_whole_cases
from sluicegate.conformance.iommu_cases import CommandCase
from sluicegate.conformance.iommu_dut import IommuUnderTest, ModelUnderTest
from sluicegate.conformance.iommu_parse import read_command_cases
from sluicegate.conformance.result import FileResult


def replay_commands(path: Path, device: IommuUnderTest | None = None) -> FileResult:
    """Replay a ``cmd`` file on ``device`` (default: the golden model). Raises ConformanceError."""
    device = device or ModelUnderTest()

    def difference(case: CommandCase) -> str | None:
        got = device.run_command(case)
        return None if got == case.expected else f"{case.expected} expected, got {got}"

    return replay_whole_cases(path, read_command_cases(path), device, difference)
