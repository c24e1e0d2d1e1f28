// The DMA engine's native descriptor and status port (docs/interfaces.md section 7), driven at up to one descriptor per cycle.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>

#include "event_log.h"
#include "random_stream.h"

namespace sluicegate {

struct DescriptorEntry {
    std::array<std::uint8_t, 64> bytes{};
    std::uint32_t id = 0;
};

struct StatusEntry {
    std::uint32_t id = 0, code = 0, bytes = 0;
    std::uint64_t cookie = 0;
};

class EnginePort {
  public:
    void reset(std::uint64_t seed, std::uint64_t channel) {
        *this = EnginePort();
        random_ = RandomStream(seed, channel);
    }
    void set_stall_chances(std::uint32_t descriptor, std::uint32_t status) { descriptor_stall_ = descriptor, status_stall_ = status; }

    void push(const DescriptorEntry& entry) { queue_.push_back(entry); }
    std::optional<DescriptorEntry> next_descriptor() {
        if (queue_.empty() || random_.chance(descriptor_stall_)) return std::nullopt;
        const DescriptorEntry entry = queue_.front();
        queue_.pop_front();
        return entry;
    }
    bool status_ready() { return !random_.chance(status_stall_); }
    std::uint64_t statuses() const { return statuses_; }

    void stage_descriptor(const DescriptorEntry& entry) { staged_descriptor_ = entry; }
    void stage_status(const StatusEntry& entry) { staged_status_ = entry; }
    void commit_descriptor(std::uint64_t cycle, EventLog& log) {
        EventRecord record{};
        record.cycle = cycle;
        record.kind = static_cast<std::uint8_t>(EventKind::Descriptor);
        record.argument = staged_descriptor_.id;
        record.length = static_cast<std::uint32_t>(staged_descriptor_.bytes.size());
        log.append(record, staged_descriptor_.bytes);
    }
    void commit_status(std::uint64_t cycle, EventLog& log) {
        EventRecord record{};
        record.cycle = cycle;
        record.kind = static_cast<std::uint8_t>(EventKind::Status);
        record.argument = staged_status_.id;
        record.header = {staged_status_.code, staged_status_.bytes, 0, 0};
        record.address = staged_status_.cookie;
        log.append(record, {});
        ++statuses_;
    }

  private:
    RandomStream random_;
    std::uint32_t descriptor_stall_ = 0, status_stall_ = 0;
    std::deque<DescriptorEntry> queue_;
    DescriptorEntry staged_descriptor_;
    StatusEntry staged_status_;
    std::uint64_t statuses_ = 0;
};

}  // namespace sluicegate
