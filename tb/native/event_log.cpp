#include "event_log.h"

#include <algorithm>
#include <cstring>

namespace sluicegate {

EventLog::EventLog(std::size_t records, std::size_t payload_bytes) : records_(records), payload_(payload_bytes) {}

void EventLog::reset() {
    record_write_ = record_read_ = 0;
    payload_write_ = payload_read_ = 0;
    overflow_ = false;
}

void EventLog::append(EventRecord record, std::span<const std::uint8_t> payload) {
    if (record_write_ - record_read_ >= records_.size() || payload_write_ - payload_read_ + payload.size() > payload_.size()) {
        overflow_ = true;
        return;
    }
    record.sequence = record_write_;
    record.payload = payload_write_;
    records_[record_write_ % records_.size()] = record;
    ++record_write_;
    const std::size_t start = payload_write_ % payload_.size();
    const std::size_t first = std::min(payload.size(), payload_.size() - start);
    if (first != 0) std::memcpy(payload_.data() + start, payload.data(), first);
    if (payload.size() > first) std::memcpy(payload_.data(), payload.data() + first, payload.size() - first);
    payload_write_ += payload.size();
}

bool EventLog::half_full() const {
    return record_write_ - record_read_ >= records_.size() / 2 || payload_write_ - payload_read_ >= payload_.size() / 2;
}

void EventLog::release(std::uint64_t records, std::uint64_t payload_bytes) {
    record_read_ += std::min(records, record_write_ - record_read_);
    payload_read_ += std::min(payload_bytes, payload_write_ - payload_read_);
}

}  // namespace sluicegate
