"""Lets the module with the known coverage run past the cycle at which it stands still."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import Timer

from tests.flow.example.test_counter import leave_evidence


@cocotb.test()
async def runs(dut: Any) -> None:
    """Far more than 100 cycles."""
    await Timer(400, "ns")
    assert int(dut.taken.value) == 5
    leave_evidence(200, 1)
