"""A cocotb test whose log depends on a register that is never reset: what the determinism check has to notice."""

from __future__ import annotations

import hashlib
from typing import Any

import cocotb

from tests.flow.example.test_counter import leave_evidence, start


@cocotb.test()
async def follows_unset(dut: Any) -> None:
    """Puts the value that X-initialisation chose into the log hash."""
    await start(dut)
    leave_evidence(5, 5, log_hash=hashlib.sha256(str(dut.unset.value).encode()).hexdigest())
