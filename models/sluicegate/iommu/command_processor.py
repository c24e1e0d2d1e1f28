"""Execution of the command queue: fetch, legality, completion of fences, ATS invalidations in flight.

Commands execute in order, as soon as they can. Invalidations of translations have nothing to do in a model without caches.
Source: RISC-V IOMMU specification, *Command-Queue*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sluicegate.iommu.ats import InvalidateRequest, PageRequestGroupResponse
from sluicegate.iommu.capabilities import IommuConfiguration
from sluicegate.iommu.commands import COMMAND_BYTES, Fence, SendInvalidate, SendPageResponse, decode_command
from sluicegate.iommu.queues import MemoryQueue
from sluicegate.iommu.registers import CommandQueueCsr
from sluicegate.memory import Memory, MemoryAccessError, MemoryPoisonError

_ERRORS = CommandQueueCsr.CQMF | CommandQueueCsr.CMD_TO | CommandQueueCsr.CMD_ILL
_CLEARABLE = _ERRORS | CommandQueueCsr.FENCE_W_IP


@dataclass(slots=True)
class OutstandingInvalidation:
    """An invalidate request that waits for its completion messages; ``remaining`` is None until the first one came."""

    device_id: int
    remaining: int | None = None


class CommandProcessor:
    """The command queue and everything that its commands wait for."""

    def __init__(
        self,
        memory: Memory,
        address_limit: int,
        itags: int,
        send_invalidate: Callable[[InvalidateRequest], None] | None,
        send_page_response: Callable[[PageRequestGroupResponse], None] | None,
    ) -> None:
        if not 1 <= itags <= 32:
            raise ValueError(f"{itags} invalidation tags: choose 1 to 32")
        self.queue = MemoryQueue(COMMAND_BYTES)
        self.csr = CommandQueueCsr(0)
        """CQEN, CIE, the error bits and FENCE_W_IP; CQON is the queue's own state."""
        self._memory = memory
        self._address_limit = address_limit
        self._itags = itags
        self._send_invalidate = send_invalidate
        self._send_page_response = send_page_response
        self._outstanding: dict[int, OutstandingInvalidation] = {}
        self._timed_out = False
        self._running = False

    @property
    def csr_value(self) -> int:
        """``cqcsr`` as read."""
        return int(self.csr) | (CommandQueueCsr.CQON if self.queue.on else 0)

    @property
    def interrupting(self) -> bool:
        """True while a condition of ``ipsr.cip`` holds."""
        return bool(self.csr & CommandQueueCsr.CIE and self.csr & _CLEARABLE)

    @property
    def outstanding_invalidations(self) -> int:
        """Invalidate requests without completion."""
        return len(self._outstanding)

    def write_csr(self, value: int, configuration: IommuConfiguration) -> None:
        """A write of ``cqcsr``: enables are stored, error bits and FENCE_W_IP are cleared by ones."""
        enables = CommandQueueCsr(value & (CommandQueueCsr.CQEN | CommandQueueCsr.CIE))
        flags = self.csr & _CLEARABLE & ~CommandQueueCsr(value & int(_CLEARABLE))
        if enables & CommandQueueCsr.CQEN and not self.queue.on:
            self.queue.head = 0
            flags = CommandQueueCsr(0)
        self.queue.on = bool(enables & CommandQueueCsr.CQEN)
        self.csr = enables | flags

    def run(self, configuration: IommuConfiguration) -> None:
        """Execute commands until the queue is empty, an error stops it, or a command must wait.

        A device that answers a message at once calls back into this: the outer call then goes on.
        """
        if self._running:
            return
        self._running = True
        try:
            self._execute(configuration)
        finally:
            self._running = False

    def _execute(self, configuration: IommuConfiguration) -> None:
        while self.queue.on and not self.queue.empty and not self.csr & _ERRORS:
            try:
                words = self.queue.peek(configuration.big_endian, self._memory, self._address_limit)
            except (MemoryAccessError, MemoryPoisonError):
                self.csr |= CommandQueueCsr.CQMF
                return
            command = decode_command((words[0], words[1]), configuration)
            if command is None:
                self.csr |= CommandQueueCsr.CMD_ILL
                return
            if isinstance(command, Fence):
                if not self._complete_fence(command, configuration):
                    return
            elif isinstance(command, SendInvalidate):
                if not self._issue_invalidation(command.message):
                    return
            elif isinstance(command, SendPageResponse) and self._send_page_response is not None:
                self._send_page_response(command.message)
            self.queue.advance_head()

    def complete_invalidation(self, device_id: int, itag_vector: int, completion_count: int) -> None:
        """Count a completion message against each tag in ``itag_vector``; the last of ``completion_count`` retires it.

        ``device_id`` is the segment, where the message names none 0, and the requester ID. Tags of other devices are left alone.
        """
        for itag in range(32):
            waiting = self._outstanding.get(itag)
            if not itag_vector >> itag & 1 or waiting is None or waiting.device_id != device_id:
                continue
            if waiting.remaining is None:
                waiting.remaining = completion_count
            waiting.remaining -= 1
            if waiting.remaining == 0:
                del self._outstanding[itag]

    def time_out_invalidations(self) -> None:
        """Give up on every outstanding invalidate request; the next fence reports it."""
        self._timed_out = self._timed_out or bool(self._outstanding)
        self._outstanding.clear()

    def _issue_invalidation(self, message: InvalidateRequest) -> bool:
        """Send the message with a free tag; False while none is free. Without a link it completes at once."""
        if self._send_invalidate is None:
            return True
        free = next((itag for itag in range(self._itags) if itag not in self._outstanding), None)
        if free is None:
            return False
        self._outstanding[free] = OutstandingInvalidation(message.device_id)
        self._send_invalidate(replace(message, itag=free))
        return True

    def _complete_fence(self, fence: Fence, configuration: IommuConfiguration) -> bool:
        """True when the fence completed; otherwise it waits, or has stopped the queue with an error."""
        if self._outstanding:
            return False
        if self._timed_out:
            self._timed_out = False
            self.csr |= CommandQueueCsr.CMD_TO
            return False
        if fence.store_address is not None:
            order = "big" if configuration.big_endian else "little"
            try:
                if fence.store_address + 4 > self._address_limit:
                    raise MemoryAccessError(fence.store_address, write=True)
                self._memory.write(fence.store_address, fence.data.to_bytes(4, order))  # type: ignore[arg-type]
            except MemoryAccessError:
                self.csr |= CommandQueueCsr.CQMF
                return False
        if fence.wired_interrupt:
            self.csr |= CommandQueueCsr.FENCE_W_IP
        return True
