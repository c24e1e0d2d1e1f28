"""The native agents as Python reaches them: a typed binding of the C interface in ``tb/native/api.cpp``.

The library is the simulator's own executable, so this module works only inside a simulation process. Everything that changes the
machine is an action (``tb/native/action.h``); it is checked there and refused as a whole when impossible.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tb.bridge.event_log import EVENT_DTYPE, EventArray, LogBatch


class ActionKind(IntEnum):
    """What can be done to the machine; operands stand in ``action.h``."""

    BEGIN = 1
    ADD_MEMORY_REGION = 2
    SET_SPARSE_MEMORY = 3
    SET_MEMORY_FAULT = 4
    WRITE_MEMORY = 5
    ATTACH_HOST = 6
    ATTACH_CPU = 7
    SET_KNOB = 8
    SET_INTERRUPT_PAGE = 9
    SET_REGISTER_PAGE = 10
    ADD_COMPLETER_FAULT = 11
    SUBMIT_CPU_ACCESS = 12
    SEND_TLP = 13
    TRANSLATE = 14
    SUBMIT_DESCRIPTORS = 15
    MARK = 16
    CONSUME_INTERRUPT = 17
    FORGET_CPU_ACCESS = 18
    SEND_MESSAGE = 19


class Knob(IntEnum):
    """How an agent behaves. Chances are of 65536 per cycle; latencies are in cycles."""

    SOURCE_STALL_CHANCE = 1
    SINK_STALL_CHANCE = 2
    SINK_ROOM = 3
    SINK_CREDIT_DELAY = 4
    COMPLETER_LATENCY = 5
    COMPLETER_JITTER = 6
    COMPLETER_INTERLEAVE_CHANCE = 7
    COMPLETER_BOUNDARY = 8
    COMPLETER_MAX_PAYLOAD = 9
    MEMORY_PORT_LATENCY = 10
    MEMORY_PORT_JITTER = 11
    MEMORY_PORT_REQUEST_STALL_CHANCE = 12
    MEMORY_PORT_RESPONSE_STALL_CHANCE = 13
    TRANSLATION_STALL_CHANCES = 14
    TRANSLATION_IDENTIFIERS = 15
    ENGINE_STALL_CHANCES = 16
    COMPLETER_CUT_CHANCE = 17
    MESSAGE_STALL_CHANCES = 18


class WakeKind(IntEnum):
    """Conditions that ring the doorbell (``doorbell.h``)."""

    CYCLE = 1
    INTERRUPT = 2
    CPU_ACCESS = 3
    TRANSLATIONS = 4
    STATUSES = 5
    LINK_TLPS = 6
    MEMORY_IDLE = 7
    MESSAGES = 8
    MEMORY_CHANGE = 9


class CpuOperation(IntEnum):
    """Accesses of the CPU (``cpu.h``)."""

    MMIO_READ = 0
    MMIO_WRITE = 1
    CONFIG_READ = 2
    CONFIG_WRITE = 3


class CompleterFault(IntEnum):
    """How the memory completer misbehaves in a range (``completer.h``)."""

    NONE = 0
    UNSUPPORTED_REQUEST = 1
    COMPLETER_ABORT = 2
    POISON = 3
    NO_ANSWER = 4


class NativeError(Exception):
    """An action that the native side refused, or a log that overflowed."""


TRANSLATION_DTYPE = np.dtype([("iova", "<u8"), ("device_id", "<u4"), ("process_id", "<u4"), ("bits", "<u4"), ("unused", "<u4")])
"""A request for the translation port; ``bits`` are ``RequestBit`` and the address type at ``REQUEST_AT_SHIFT``."""

NO_LINK = (1 << 64) - 1


class _LogWindow(ctypes.Structure):
    _fields_ = [
        ("records", ctypes.c_void_p),
        ("record_capacity", ctypes.c_uint64),
        ("record_read", ctypes.c_uint64),
        ("record_write", ctypes.c_uint64),
        ("payload", ctypes.c_void_p),
        ("payload_capacity", ctypes.c_uint64),
        ("payload_read", ctypes.c_uint64),
        ("payload_write", ctypes.c_uint64),
        ("overflowed", ctypes.c_uint64),
    ]


def _bytes_at(pointer: int, count: int) -> NDArray[np.uint8]:
    """A live view of ``count`` bytes of native memory."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * count).from_address(pointer))


_Item = TypeVar("_Item", bound=np.generic)


def _unroll(ring: NDArray[_Item], start: int, stop: int) -> NDArray[_Item]:
    """A contiguous copy of ring positions ``start..stop``: the ring is written on while the copy is judged."""
    first, last = start % len(ring), stop % len(ring)
    if start == stop:
        return ring[:0].copy()
    if first < last:
        return ring[first:last].copy()
    return np.concatenate([ring[first:], ring[:last]])


class Native:
    """The machine of this process."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        u32, u64 = ctypes.c_uint32, ctypes.c_uint64
        self._act = library.sluicegate_act
        self._act.argtypes = [u32, u64, u64, u64, u64, ctypes.c_char_p, u64]
        self._act.restype = ctypes.c_int64
        self._cycle = library.sluicegate_cycle
        self._cycle.restype = u64
        self._read = library.sluicegate_read_memory
        self._read.argtypes = [u64, ctypes.c_void_p, u64]
        self._region = library.sluicegate_memory_region
        self._region.argtypes = [u32, ctypes.POINTER(u64), ctypes.POINTER(u64)]
        self._region.restype = ctypes.c_void_p
        self._log = library.sluicegate_log
        self._log.argtypes = [ctypes.POINTER(_LogWindow)]
        self._log.restype = None
        self._log_release = library.sluicegate_log_release
        self._log_release.argtypes = [u64, u64]
        self._log_release.restype = None
        self._arm = library.sluicegate_arm
        self._arm.argtypes = [u32, u32, u32, u64]
        self._arm.restype = None
        self._disarm = library.sluicegate_disarm
        self._disarm.argtypes = [u32]
        self._disarm.restype = None
        self._fired = library.sluicegate_fired
        self._fired.restype = u32
        self._rings = library.sluicegate_rings
        self._rings.restype = u64
        self._cpu_result = library.sluicegate_cpu_result
        self._cpu_result.argtypes = [u64, ctypes.POINTER(u32), ctypes.POINTER(u64)]
        self._pending = library.sluicegate_interrupt_pending
        self._pending.argtypes = [u32]
        self._pending.restype = u32
        self._journal = library.sluicegate_record_journal
        self._journal.argtypes = [ctypes.c_char_p]
        self._rings_of_log: tuple[EventArray, NDArray[np.uint8]] | None = None

    def act(self, kind: ActionKind, a: int = 0, b: int = 0, c: int = 0, d: int = 0, blob: bytes = b"") -> int:
        """Apply an action now, between two clock edges; the result is that of ``apply`` in ``action.h``."""
        result = int(self._act(kind, a, b, c, d, blob, len(blob)))
        if result < 0:
            raise NativeError(f"{kind.name} with {a:#x}, {b:#x}, {c:#x}, {d:#x} and {len(blob)} bytes was refused ({result})")
        return result

    def record_journal(self, path: Path | None) -> None:
        """Record every action from now on into a file that the bare main replays; None stops."""
        if self._journal(b"" if path is None else str(path).encode()) != 0:
            raise NativeError(f"the journal {path} cannot be written")

    @property
    def cycle(self) -> int:
        """Clock edges that have taken effect."""
        return int(self._cycle())

    @property
    def rings(self) -> int:
        """How often the doorbell rang."""
        return int(self._rings())

    def set_knob(self, knob: Knob, value: int, link: int = 0, kind: int = 0) -> None:
        """Set a knob of a link or of the ports (link 0); ``kind`` selects the credit of SINK_ROOM."""
        self.act(ActionKind.SET_KNOB, knob, kind << 8 | link, value)

    def read_memory(self, address: int, length: int) -> tuple[bytes, int]:
        """Bytes and access status (0 good, 1 failed, 2 poisoned) of host memory; not logged."""
        buffer = ctypes.create_string_buffer(length)
        status = int(self._read(address, buffer, length))
        return buffer.raw[:length], status

    def memory_regions(self) -> list[tuple[int, NDArray[np.uint8]]]:
        """Base address and a read-only live view of each flat memory region."""
        regions: list[tuple[int, NDArray[np.uint8]]] = []
        base, size = ctypes.c_uint64(), ctypes.c_uint64()
        while pointer := self._region(len(regions), ctypes.byref(base), ctypes.byref(size)):
            view = _bytes_at(pointer, size.value)
            view.flags.writeable = False
            regions.append((base.value, view))
        return regions

    @property
    def log_position(self) -> int:
        """Sequence number of the next record of the log."""
        window = _LogWindow()
        self._log(ctypes.byref(window))
        return int(window.record_write)

    def drain_log(self) -> LogBatch:
        """Everything logged since the last drain, copied out of the rings, which are free again."""
        window = _LogWindow()
        self._log(ctypes.byref(window))
        if window.overflowed:
            raise NativeError("the event log overflowed: it was drained too rarely, so this run cannot be judged")
        if self._rings_of_log is None:
            ring: EventArray = _bytes_at(window.records, window.record_capacity * EVENT_DTYPE.itemsize).view(EVENT_DTYPE)
            self._rings_of_log = ring, _bytes_at(window.payload, window.payload_capacity)
        records = _unroll(self._rings_of_log[0], window.record_read, window.record_write)
        payload = _unroll(self._rings_of_log[1], window.payload_read, window.payload_write)
        self._log_release(window.record_write - window.record_read, window.payload_write - window.payload_read)
        return LogBatch(records, payload, window.payload_read)

    def arm(self, slot: int, kind: WakeKind, threshold: int, argument: int = 0) -> None:
        """Ring once when the condition holds."""
        self._arm(slot, kind, argument, threshold)

    def disarm(self, slot: int) -> None:
        self._disarm(slot)

    def take_fired(self) -> int:
        """A bit for each slot that fired since the last call."""
        return int(self._fired())

    def cpu_result(self, ticket: int) -> tuple[bool, int, int]:
        """Whether an access is done, its completion status and its data."""
        status, value = ctypes.c_uint32(), ctypes.c_uint64()
        done = self._cpu_result(ticket, ctypes.byref(status), ctypes.byref(value))
        return bool(done), status.value, value.value

    def interrupt_pending(self, identity: int) -> int:
        """Occurrences of an interrupt identity that nobody consumed yet."""
        return int(self._pending(identity))
