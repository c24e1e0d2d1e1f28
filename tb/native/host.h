// What every agent on the host side shares: memory, the interrupt file and the log.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "event_log.h"
#include "host_memory.h"

namespace sluicegate {

// The IMSIC page: a 4-byte write at its base makes the identity it carries pending. Wires enter as identities of their own.
class InterruptFile {
  public:
    void reset() { *this = InterruptFile(); }
    void set_page(std::uint64_t base, std::uint64_t bytes) { base_ = base, bytes_ = bytes; }
    bool claims(std::uint64_t address) const { return bytes_ != 0 && address >= base_ && address - base_ < bytes_; }

    void raise(std::uint64_t cycle, std::uint32_t identity, bool wire, EventLog& log) {
        ++pending_[identity];
        EventRecord record{};
        record.cycle = cycle;
        record.kind = static_cast<std::uint8_t>(EventKind::Interrupt);
        record.source = wire ? 1 : 0;
        record.argument = identity;
        log.append(record, {});
    }
    std::uint32_t pending(std::uint32_t identity) const {
        const auto found = pending_.find(identity);
        return found == pending_.end() ? 0 : found->second;
    }
    // Takes one occurrence; false when none is pending.
    bool consume(std::uint32_t identity) {
        const auto found = pending_.find(identity);
        if (found == pending_.end() || found->second == 0) return false;
        --found->second;
        return true;
    }

  private:
    std::uint64_t base_ = 0, bytes_ = 0;
    std::unordered_map<std::uint32_t, std::uint32_t> pending_;
};

struct Host {
    HostMemory memory;
    InterruptFile interrupts;
    EventLog log;
};

}  // namespace sluicegate
