"""Replay of ``seq_*``: requests, table edits and invalidations on one persistent IOMMU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluicegate.conformance.iommu_case_replay import replay_whole_cases
from sluicegate.conformance.iommu_cases import CheckOperation, CommandOperation, RequestOperation, SequenceCase
from sluicegate.conformance.iommu_compare import response_difference
from sluicegate.conformance.iommu_dut import IommuUnderTest, ModelUnderTest, OperationOutcome
from sluicegate.conformance.iommu_parse import read_sequence_cases
from sluicegate.conformance.result import FileResult


def sequence_difference(case: SequenceCase, outcomes: Sequence[OperationOutcome], reports_msi: bool = True) -> str | None:
    """The first operation whose outcome is none of the accepted ones, or None."""
    for index, (operation, outcome) in enumerate(zip(case.operations, outcomes, strict=True)):
        match operation:
            case RequestOperation():
                if outcome.response is None:
                    return f"op {index}: no response"
                got = outcome.response
                differences = [response_difference(accepted, got, reports_msi) for accepted in operation.accepted]
                if None not in differences:
                    return f"op {index}: none of {len(differences)} accepted answers: {'; '.join(map(str, differences))}"
            case CommandOperation():
                if outcome.consumed is not operation.done:
                    return f"op {index}: command consumed {operation.done} expected, got {outcome.consumed}"
            case CheckOperation():
                if outcome.value != operation.value:
                    return f"op {index}: {operation.value:#x} at {operation.address:#x} expected, got {outcome.value}"
            case _:
                pass
    return None


def replay_sequences(path: Path, device: IommuUnderTest | None = None) -> FileResult:
    """Replay a ``seq_*`` file on ``device`` (default: the golden model). Raises ConformanceError."""
    device = device or ModelUnderTest()
    return replay_whole_cases(
        path,
        read_sequence_cases(path),
        device,
        lambda case: sequence_difference(case, device.run_sequence(case), device.reports_msi),
    )
