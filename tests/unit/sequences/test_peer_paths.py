"""The register-level machine offers the peer-to-peer paths of the hardware: same host bridge, same decision as Linux makes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sluicegate.driver.enumerate import EnumerationSettings, enumerate_pci
from sluicegate.machine.hierarchy import HOST_BRIDGE_ID
from sluicegate.machine.model_platform import ModelPlatform
from sluicegate.p2pdma.distance import PeerPath, peer_path
from sluicegate.p2pdma.map_type import P2pdmaMapType
from sluicegate.pci.topology import AcsControl
from sluicegate.switch.acs import ISOLATED

ROOT_CONFIGURATION = Path(__file__).parents[3] / "hdl" / "root" / "root_configuration.v"


@pytest.mark.parametrize(
    ("acs", "map_type"), [(AcsControl.NONE, P2pdmaMapType.BUS_ADDR), (ISOLATED, P2pdmaMapType.THRU_HOST_BRIDGE)]
)
def test_acs_decides_the_path_between_the_endpoints(acs: AcsControl, map_type: P2pdmaMapType) -> None:
    first, second = enumerate_pci(ModelPlatform(), EnumerationSettings(acs=acs)).endpoints
    assert peer_path(first.device, second.device) == PeerPath(map_type, 4)


def test_model_and_rtl_have_the_same_host_bridge() -> None:
    found = dict(re.findall(r"HOST_BRIDGE_(VENDOR|DEVICE)_ID = 16'h(\w+)", ROOT_CONFIGURATION.read_text(encoding="utf-8")))
    assert (int(found["VENDOR"], 16), int(found["DEVICE"], 16)) == HOST_BRIDGE_ID
