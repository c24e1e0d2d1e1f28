#include "translation_port.h"

namespace sluicegate {

void TranslationPort::reset(std::uint64_t seed, std::uint64_t channel) {
    *this = TranslationPort();
    random_ = RandomStream(seed, channel);
}

std::optional<TranslationRequest> TranslationPort::next_request() {
    if (queue_.empty() || free_.empty() || random_.chance(request_stall_)) return std::nullopt;
    TranslationRequest request = queue_.front();
    queue_.pop_front();
    request.id = free_.front();
    free_.pop_front();
    drives_ = true;
    return request;
}

void TranslationPort::commit_request(std::uint64_t cycle, EventLog& log) {
    EventRecord record{};
    record.cycle = cycle;
    record.kind = static_cast<std::uint8_t>(EventKind::TranslationRequest);
    record.address = staged_request_.iova;
    record.header = {staged_request_.id, staged_request_.device_id, staged_request_.process_id, staged_request_.bits};
    log.append(record, {});
}

void TranslationPort::commit_response(std::uint64_t cycle, EventLog& log) {
    EventRecord record{};
    record.cycle = cycle;
    record.kind = static_cast<std::uint8_t>(EventKind::TranslationResponse);
    record.address = staged_response_.spa;
    record.header = {staged_response_.id, staged_response_.bits, staged_response_.mrif_nid,
                     static_cast<std::uint32_t>(staged_response_.mrif_nppn)};
    record.prefix = static_cast<std::uint32_t>(staged_response_.mrif_nppn >> 32);
    log.append(record, {});
    ++responses_;
    if (drives_) free_.push_back(staged_response_.id);
}

}  // namespace sluicegate
