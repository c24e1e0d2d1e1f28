// Passive side of a TLP link: rebuilds TLPs from the beats that moved, checks the rules of docs/interfaces.md section 1.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "credits.h"
#include "event_log.h"
#include "tlp.h"

namespace sluicegate {

// What tlp_link_monitor.sv saw move on one clock edge.
struct MonitorBeat {
    bool sop = false, eop = false, nullified = false, prefix_valid = false;
    std::uint32_t empty = 0;   // DWs
    std::uint32_t prefix = 0;
    std::array<std::uint32_t, 4> header{};
    std::span<const std::uint8_t> data;   // a whole beat
    std::uint64_t credit_limit = 0;
    std::uint32_t credit_infinite = 0;
};

struct ObservedTlp {
    Tlp tlp;
    std::uint32_t duration = 0;   // cycles from sop to eop
    unsigned lacking = 0;         // credits that another TLP like it lacked at its sop (CreditConsumer::lacking)
};

class LinkMonitor {
  public:
    void reset() { *this = LinkMonitor(); }
    // Takes a beat; a TLP that it completed, and rules that it broke, wait until taken.
    void beat(std::uint64_t cycle, const MonitorBeat& beat);
    std::optional<ObservedTlp> take();
    // Nothing has moved on the link for a while. Credits of each kind that the receiver has not returned, when they have changed.
    void quiet(std::uint64_t credit_limit, std::uint32_t credit_infinite);
    std::optional<std::array<std::uint16_t, 6>> take_held();
    std::vector<ProtocolRule> take_errors();
    void report(ProtocolRule rule) { errors_.push_back(rule); }

  private:
    CreditConsumer credits_;
    std::optional<std::uint64_t> room_;   // the limit before anything was consumed
    std::array<std::uint16_t, 6> held_{};
    bool held_changed_ = false;
    Tlp current_;
    bool inside_ = false;
    std::uint64_t started_ = 0;
    std::uint32_t expected_bytes_ = 0;
    unsigned lacking_ = 0;
    std::optional<ObservedTlp> completed_;
    std::vector<ProtocolRule> errors_;
};

}  // namespace sluicegate
