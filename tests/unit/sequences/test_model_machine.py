"""Every sequence on the register-level machine: the same drivers and checks as on the RTL, in seconds and without a simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sluicegate.driver.enumerate import EnumerationSettings, enumerate_pci
from sluicegate.machine.model_platform import ModelPlatform
from sluicegate.pci.topology import AcsControl

from sequences.address_space import Contexts
from sequences.bulk_transfers import bulk_transfers
from sequences.churn import churn
from sequences.directory_faults import directory_faults
from sequences.machine import Machine, bring_up, shut_down
from sequences.peer_reads import mutual_peer_reads, peer_reads
from sequences.peer_writes import peer_writes
from sequences.random_mix import random_mix
from sequences.read_failures import read_failures
from sequences.recorded_lists import load_recorded_lists
from sequences.refused_requests import refused_requests
from sequences.scatter_gather import scatter_gather
from sequences.second_mapping import second_mapping
from sequences.single_transfers import single_transfers
from sequences.transfers import SequenceError
from sequences.unmap_access import unmap_access
from sequences.window_access import window_access

RECORDED = Path(__file__).parents[2] / "conformance" / "data" / "dma_api" / "map_sg.jsonl.gz"
ISOLATED = (
    AcsControl.SOURCE_VALIDATION | AcsControl.REQUEST_REDIRECT | AcsControl.COMPLETION_REDIRECT | AcsControl.UPSTREAM_FORWARDING
)


def machine(acs: AcsControl = AcsControl.NONE, contexts: Contexts = Contexts.FIRST_STAGE) -> Machine:
    platform = ModelPlatform()
    return bring_up(platform, enumerate_pci(platform, EnumerationSettings(acs=acs)), contexts=contexts)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(1)


def test_single_transfers(random: np.random.Generator) -> None:
    running = machine()
    single_transfers(running, random, batches=2)
    shut_down(running)


def test_scatter_gather(random: np.random.Generator) -> None:
    running = machine()
    scatter_gather(running, random, load_recorded_lists(RECORDED, 48 * 1024), count=4)
    shut_down(running)


def test_refused_requests(random: np.random.Generator) -> None:
    running = machine()
    refused_requests(running, random)
    shut_down(running)


def test_unmap_access(random: np.random.Generator) -> None:
    running = machine()
    unmap_access(running, random)
    shut_down(running)


def test_churn(random: np.random.Generator) -> None:
    running = machine()
    churn(running, random)
    shut_down(running)


def test_directory_faults(random: np.random.Generator) -> None:
    running = machine()
    directory_faults(running, random)
    shut_down(running)


def test_read_failures(random: np.random.Generator) -> None:
    running = machine()
    read_failures(running, random)
    shut_down(running)


def test_bulk_transfers(random: np.random.Generator) -> None:
    running = machine()
    bulk_transfers(running, random, rounds=1)
    shut_down(running)


def test_second_mapping(random: np.random.Generator) -> None:
    running = machine()
    second_mapping(running, random)
    shut_down(running)


def test_random_mix(random: np.random.Generator) -> None:
    running = machine()
    random_mix(running, random, load_recorded_lists(RECORDED, 48 * 1024), steps=12)
    shut_down(running)


@pytest.mark.parametrize("acs", [AcsControl.NONE, ISOLATED])
def test_peer_writes(random: np.random.Generator, acs: AcsControl) -> None:
    running = machine(acs)
    peer_writes(running, random)
    shut_down(running)


@pytest.mark.parametrize("acs", [AcsControl.NONE, ISOLATED])
def test_peer_reads(random: np.random.Generator, acs: AcsControl) -> None:
    running = machine(acs)
    peer_reads(running, random)
    shut_down(running)


@pytest.mark.parametrize("acs", [AcsControl.NONE, ISOLATED])
def test_mutual_peer_reads(random: np.random.Generator, acs: AcsControl) -> None:
    running = machine(acs)
    mutual_peer_reads(running, random)
    shut_down(running)


def test_window_access(random: np.random.Generator) -> None:
    running = machine(ISOLATED)
    window_access(running, random)
    shut_down(running)


def test_window_access_is_caught_where_nothing_redirects(random: np.random.Generator) -> None:
    with pytest.raises(SequenceError, match="ended with SUCCESS, expected UNSUPPORTED_REQUEST"):
        window_access(machine(), random)


@pytest.mark.parametrize("contexts", [Contexts.NESTED, Contexts.PROCESS])
def test_other_address_spaces(random: np.random.Generator, contexts: Contexts) -> None:
    running = machine(contexts=contexts)
    single_transfers(running, random, batches=1)
    unmap_access(running, random, rounds=1)
    churn(running, random, rounds=1)
    shut_down(running)
