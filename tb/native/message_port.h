// Messages between devices and the IOMMU core (docs/interfaces.md section 6): drives page requests and invalidate completions in the block
// testbench, in the order in which they were queued, and records messages of both directions.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "event_log.h"
#include "random_stream.h"

namespace sluicegate {

// A message to or from the IOMMU; which fields count depends on the kind in `bits` (EventRecord, MessageBits).
struct DeviceMessage {
    std::uint64_t payload = 0;      // page request, invalidate request, response: bytes 8 to 15; invalidate completion: tags
    std::uint32_t device_id = 0;
    std::uint32_t process_id = 0;
    std::uint32_t bits = 0;
};

class MessagePort {
  public:
    void reset(std::uint64_t seed, std::uint64_t channel) {
        *this = MessagePort();
        random_ = RandomStream(seed, channel);
    }
    void set_stall_chances(std::uint32_t request, std::uint32_t message) { request_stall_ = request, message_stall_ = message; }

    void push(const DeviceMessage& message) { queue_.push_back(message); }
    // The next message of a device to present; nothing while stalled.
    std::optional<DeviceMessage> next() {
        if (queue_.empty() || random_.chance(request_stall_)) return std::nullopt;
        const DeviceMessage message = queue_.front();
        queue_.pop_front();
        return message;
    }
    bool ready() { return !random_.chance(message_stall_); }

    void stage_arrived(const DeviceMessage& message) { arrived_ = message; }
    void stage_sent(const DeviceMessage& message) { sent_ = message; }
    void commit_arrived(std::uint64_t cycle, EventLog& log) const { append(cycle, EventKind::DeviceMessage, arrived_, log); }
    void commit_sent(std::uint64_t cycle, EventLog& log) {
        append(cycle, EventKind::IommuMessage, sent_, log);
        ++messages_;
    }
    // Messages that the IOMMU sent.
    std::uint64_t messages() const { return messages_; }

  private:
    static void append(std::uint64_t cycle, EventKind kind, const DeviceMessage& message, EventLog& log) {
        EventRecord record{};
        record.cycle = cycle;
        record.kind = static_cast<std::uint8_t>(kind);
        record.address = message.payload;
        record.header = {message.device_id, message.process_id, message.bits, 0};
        log.append(record, {});
    }

    RandomStream random_;
    std::uint32_t request_stall_ = 0, message_stall_ = 0;
    std::deque<DeviceMessage> queue_;
    DeviceMessage arrived_, sent_;
    std::uint64_t messages_ = 0;
};

}  // namespace sluicegate
