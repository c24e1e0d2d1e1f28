"""What the front page calls unsupported is what the conformance replay is allowed to leave out."""

from __future__ import annotations

import json

from sluicegate.iommu.request import Feature

from tests.unit.docs.pages import ROOT, load


def test_the_readme_names_every_unsupported_feature_and_no_other() -> None:
    committed = json.loads((ROOT / "models/sluicegate/conformance/unsupported.json").read_text(encoding="utf-8"))
    features = {feature.value for feature in Feature}
    named = {text for _, text in load("README.md").spans() if text in features}
    assert named == {feature for dut in committed.values() for feature in dut}
