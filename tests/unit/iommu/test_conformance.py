"""The recorded cases: replay on the model, classification by feature, and that a wrong answer is noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sluicegate.conformance.iommu_cases import TranslationCase, TranslationTest
from sluicegate.conformance.iommu_dut import ModelUnderTest, TranslationOutcome
from sluicegate.conformance.iommu_parse import read_translation_cases
from sluicegate.conformance.iommu_translation import replay_translations
from sluicegate.conformance.registry import replay_directory
from sluicegate.conformance.result import ConformanceError
from sluicegate.iommu import Feature, translate

VECTORS = Path(__file__).parents[2] / "conformance" / "data" / "iommu"
FILES = sorted(VECTORS.glob("*.jsonl.gz"))


def test_every_recorded_case_passes() -> None:
    results = replay_directory(VECTORS)
    assert len(results) == 13
    assert sum(result.total for result in results) == 5012
    for result in results:
        assert (result.passed, dict(result.unsupported), result.mismatches) == (result.total, {}, ())


@pytest.mark.parametrize("file", sorted(VECTORS.glob("xlate_*")), ids=lambda file: file.name.split(".")[0])
def test_walks_read_memory_in_the_recorded_order(file: Path) -> None:
    for case in read_translation_cases(file):
        for test in case.tests:
            trace = translate(test.request, case.configuration, case.image.build()).trace
            assert tuple((read.address, read.length) for read in trace.reads) == test.reads


class FirstStageOnly(ModelUnderTest):
    """The model behind the feature list of a simple implementation."""

    features = frozenset(
        {
            Feature.ONE_LEVEL_DIRECTORY,
            Feature.TWO_LEVEL_DIRECTORY,
            Feature.FIRST_STAGE,
            Feature.SUPERPAGE,
        }
    )


def test_cases_are_classified_by_what_they_need() -> None:
    result = replay_translations(VECTORS / "xlate_core.jsonl.gz", FirstStageOnly())
    assert result.failed == 0
    assert set(result.unsupported) <= {"second_stage", "three_level_directory", "napot"}
    assert result.unsupported["second_stage"] > 100
    assert result.passed > 100


class WrongOffset(ModelUnderTest):
    """A model whose translated addresses are wrong in one bit."""

    def run_translations(self, case: TranslationCase, tests: Sequence[TranslationTest]) -> list[TranslationOutcome]:
        outcomes = super().run_translations(case, tests)
        return [
            replace(outcome, response=replace(outcome.response, spa=outcome.response.spa ^ 0x1000))
            if outcome.response.spa is not None
            else outcome
            for outcome in outcomes
        ]


class LosesUpdates(ModelUnderTest):
    """A model that reports no A/D updates."""

    def run_translations(self, case: TranslationCase, tests: Sequence[TranslationTest]) -> list[TranslationOutcome]:
        return [replace(outcome, updates=()) for outcome in super().run_translations(case, tests)]


def test_wrong_answers_are_noticed() -> None:
    file = VECTORS / "xlate_ad.jsonl.gz"
    tests = [test for case in read_translation_cases(file) for test in case.tests]
    assert replay_translations(file, WrongOffset()).failed == sum(test.expected.spa is not None for test in tests) > 50
    assert replay_translations(file, LosesUpdates()).failed == sum(bool(test.updates) for test in tests) > 30


def test_a_line_of_another_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "xlate_x.jsonl"
    file.write_text('{"id": 1}\n')
    with pytest.raises(ConformanceError, match="line 1"):
        replay_translations(file)
