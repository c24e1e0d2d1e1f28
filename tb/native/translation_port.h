// The IOMMU's translation port (docs/interfaces.md section 3): drives queued requests in the block testbench, and records requests
// and responses wherever the port is watched.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "event_log.h"
#include "random_stream.h"

namespace sluicegate {

struct TranslationRequest {
    std::uint64_t iova = 0;
    std::uint32_t device_id = 0;
    std::uint32_t process_id = 0;
    std::uint32_t bits = 0;   // RequestPv ... and the address type, as in EventRecord
    std::uint32_t id = 0;
};

struct TranslationResponse {
    std::uint64_t spa = 0;
    std::uint32_t bits = 0;   // ResponseStatusShift ..., as in EventRecord
    std::uint32_t id = 0;
    std::uint32_t mrif_nid = 0;
    std::uint64_t mrif_nppn = 0;
};

class TranslationPort {
  public:
    void reset(std::uint64_t seed, std::uint64_t channel);
    void set_stall_chances(std::uint32_t request, std::uint32_t response) { request_stall_ = request, response_stall_ = response; }
    void set_identifiers(std::uint32_t count) { free_.clear(); for (std::uint32_t id = 0; id < count; ++id) free_.push_back(id); }

    void push(const TranslationRequest& request) { queue_.push_back(request); }
    // The next request to present, with an id that nobody uses; nothing while stalled or out of ids.
    std::optional<TranslationRequest> next_request();
    bool response_ready() { return !random_.chance(response_stall_); }

    void stage_request(const TranslationRequest& request) { staged_request_ = request; }
    void stage_response(const TranslationResponse& response) { staged_response_ = response; }
    void commit_request(std::uint64_t cycle, EventLog& log);
    void commit_response(std::uint64_t cycle, EventLog& log);
    std::uint64_t responses() const { return responses_; }

  private:
    RandomStream random_;
    std::uint32_t request_stall_ = 0, response_stall_ = 0;
    std::deque<TranslationRequest> queue_;
    std::deque<std::uint32_t> free_;
    TranslationRequest staged_request_;
    TranslationResponse staged_response_;
    std::uint64_t responses_ = 0;
    bool drives_ = false;
};

}  // namespace sluicegate
