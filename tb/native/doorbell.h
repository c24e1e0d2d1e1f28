// When Python is woken: conditions that it arms in slots; one doorbell for all of them.
#pragma once

#include <array>
#include <cstdint>

namespace sluicegate {

enum class WakeKind : std::uint32_t {
    None = 0,
    Cycle = 1,              // threshold = first cycle at which to wake
    Interrupt = 2,          // argument = identity: an occurrence is pending
    CpuAccess = 3,          // threshold = ticket: done
    Translations = 4,       // threshold = responses seen
    Statuses = 5,           // threshold = statuses seen on the descriptor port
    LinkTlps = 6,           // argument = link, threshold = TLPs seen on it
    MemoryIdle = 7,         // no read or memory port access in flight on the host side
    Messages = 8,           // threshold = messages that the IOMMU core sent
    MemoryChange = 9,       // threshold = address of a 32-bit word of memory, argument = its value: it has another one
};

struct WakeCondition {
    WakeKind kind = WakeKind::None;
    std::uint32_t argument = 0;
    std::uint64_t threshold = 0;
};

class Doorbell {
  public:
    static constexpr unsigned Slots = 32;

    void reset() { *this = Doorbell(); }
    void arm(unsigned slot, WakeCondition condition) {
        conditions_.at(slot) = condition;
        armed_ |= 1U << slot;
    }
    void disarm(unsigned slot) {
        conditions_.at(slot) = {};
        armed_ &= ~(1U << slot);
    }

    // Fires every armed slot whose condition holds; true when the doorbell must ring (a full log rings without a slot).
    template <typename Holds>
    bool poll(bool log_filling, Holds holds) {
        std::uint32_t waiting = armed_;
        while (waiting != 0) {
            const auto slot = static_cast<unsigned>(__builtin_ctz(waiting));
            waiting &= waiting - 1;
            if (holds(conditions_[slot])) {
                fired_ |= 1U << slot;
                armed_ &= ~(1U << slot);
                ring_ = true;
            }
        }
        if (log_filling) ring_ = true;
        const bool now = ring_;
        ring_ = false;
        rings_ += now ? 1 : 0;
        return now;
    }
    std::uint32_t take_fired() {
        const std::uint32_t fired = fired_;
        fired_ = 0;
        return fired;
    }
    std::uint64_t rings() const { return rings_; }

  private:
    std::array<WakeCondition, Slots> conditions_{};
    std::uint32_t armed_ = 0, fired_ = 0;
    std::uint64_t rings_ = 0;
    bool ring_ = false;
};

}  // namespace sluicegate
