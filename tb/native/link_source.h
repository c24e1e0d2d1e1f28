// Sender side of a TLP link: queues per class, credit check, ordering, and the cutting of TLPs into beats with seeded idle cycles.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>

#include "credits.h"
#include "random_stream.h"
#include "tlp.h"

namespace sluicegate {

// One beat for the pins of tlp_link_source.sv.
struct SourceBeat {
    bool valid = false, sop = false, eop = false, nullified = false, prefix_valid = false;
    std::uint32_t empty = 0;   // DWs
    std::uint32_t prefix = 0;
    std::array<std::uint32_t, 4> header{};
    std::span<const std::uint8_t> data;   // valid until the next call
};

class LinkSource {
  public:
    void reset(std::uint64_t seed, std::uint64_t channel);
    void set_stall_chance(std::uint32_t chance) { stall_chance_ = chance; }

    // Queues a TLP that must not start before this cycle. Non-posted TLPs and completions stay behind earlier posted ones.
    void push(Tlp tlp, std::uint64_t not_before);
    std::size_t waiting(TlpClass tlp_class) const { return queues_[static_cast<unsigned>(tlp_class)].size(); }
    bool idle() const { return !active_ && waiting_ == 0; }

    // Called at each clock edge on which the pins may take a new beat. data_bytes: width of the link.
    SourceBeat next_beat(std::uint64_t cycle, std::uint32_t data_bytes, std::uint64_t credit_limit, std::uint32_t credit_infinite);

  private:
    struct Entry {
        Tlp tlp;
        std::uint64_t not_before;
        std::uint64_t posted_before;   // posted TLPs that were queued earlier
    };
    bool choose(std::uint64_t cycle, std::uint64_t credit_limit, std::uint32_t credit_infinite);

    std::array<std::deque<Entry>, 3> queues_;
    RandomStream random_;
    CreditConsumer credits_;
    std::uint32_t stall_chance_ = 0;
    std::uint64_t posted_queued_ = 0, posted_sent_ = 0;
    std::size_t waiting_ = 0;
    Tlp current_;
    bool active_ = false;
    std::size_t sent_bytes_ = 0;
};

}  // namespace sluicegate
