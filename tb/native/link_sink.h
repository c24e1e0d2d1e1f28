// Receiver side of a TLP link: grants credits, takes them back as TLPs are consumed, and stalls at random.
#pragma once

#include <cstdint>
#include <deque>

#include "credits.h"
#include "random_stream.h"

namespace sluicegate {

class LinkSink {
  public:
    void reset(std::uint64_t seed, std::uint64_t channel) {
        *this = LinkSink();
        random_ = RandomStream(seed, channel);
    }
    void set_stall_chance(std::uint32_t chance) { stall_chance_ = chance; }
    // Room for one kind of credit (PH PD NPH NPD CPLH CPLD); 0 is infinite.
    void set_room(unsigned kind, std::uint32_t room) { grants_.configure(kind, room); }
    // Cycles between a TLP's last beat and the return of its credits.
    void set_credit_delay(std::uint32_t cycles) { credit_delay_ = cycles; }

    bool ready() { return !random_.chance(stall_chance_); }
    std::uint64_t credit_limit() const { return grants_.limit(); }
    std::uint32_t credit_infinite() const { return grants_.infinite(); }

    void consumed(std::uint64_t cycle, const Tlp& tlp) { returning_.push_back({cycle + credit_delay_, tlp.tlp_class(), data_credits(tlp)}); }
    void run(std::uint64_t cycle) {
        while (!returning_.empty() && returning_.front().due <= cycle) {
            grants_.release(returning_.front().tlp_class, 1, returning_.front().data);
            returning_.pop_front();
        }
    }

  private:
    struct Return {
        std::uint64_t due;
        TlpClass tlp_class;
        std::uint32_t data;
    };
    RandomStream random_;
    CreditGrants grants_;
    std::deque<Return> returning_;
    std::uint32_t stall_chance_ = 0, credit_delay_ = 0;
};

}  // namespace sluicegate
