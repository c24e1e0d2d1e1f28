#include "link_monitor.h"

#include <algorithm>
#include <utility>

namespace sluicegate {

void LinkMonitor::beat(std::uint64_t cycle, const MonitorBeat& beat) {
    if (beat.sop) {
        if (inside_) report(ProtocolRule::UnexpectedSop);
        current_ = Tlp();
        current_.header = beat.header;
        current_.prefix = beat.prefix;
        current_.prefix_valid = beat.prefix_valid;
        expected_bytes_ = current_.payload_bytes();
        current_.payload.reserve(expected_bytes_);
        inside_ = true;
        started_ = cycle;
        if (!room_) room_ = beat.credit_limit;
        if (!credits_.allows(current_, beat.credit_limit, beat.credit_infinite)) report(ProtocolRule::CreditExceeded);
        credits_.consume(current_);
        lacking_ = credits_.lacking(current_, beat.credit_limit, beat.credit_infinite);
    } else if (!inside_) {
        report(ProtocolRule::MissingSop);
        return;
    }

    const std::size_t left = expected_bytes_ - current_.payload.size();
    const std::size_t count = std::min(left, beat.data.size());
    current_.payload.insert(current_.payload.end(), beat.data.begin(), beat.data.begin() + static_cast<std::ptrdiff_t>(count));
    const bool complete = current_.payload.size() == expected_bytes_;
    if (complete != beat.eop) report(ProtocolRule::WrongBeatCount);
    const std::size_t unused = beat.eop && count != 0 ? (beat.data.size() - count) / 4 : 0;
    if (beat.empty != unused) report(ProtocolRule::WrongEmpty);
    if (beat.eop) {
        current_.nullified = beat.nullified;
        inside_ = false;
        completed_ = ObservedTlp{std::move(current_), static_cast<std::uint32_t>(cycle - started_), lacking_};
    }
}

void LinkMonitor::quiet(std::uint64_t credit_limit, std::uint32_t credit_infinite) {
    if (!room_) room_ = credit_limit;
    std::array<std::uint16_t, 6> held{};
    for (unsigned kind = 0; kind < 6; ++kind) {
        if ((credit_infinite >> kind & 1U) != 0) continue;
        const auto granted = static_cast<std::uint32_t>((credit_limit >> CreditShift[kind]) - (*room_ >> CreditShift[kind]));
        held[kind] = static_cast<std::uint16_t>((credits_.consumed(kind) - granted) & CreditMask[kind]);
    }
    held_changed_ = held_changed_ || held != held_;
    held_ = held;
}

std::optional<std::array<std::uint16_t, 6>> LinkMonitor::take_held() {
    if (!std::exchange(held_changed_, false)) return std::nullopt;
    return held_;
}

std::optional<ObservedTlp> LinkMonitor::take() { return std::exchange(completed_, std::nullopt); }

std::vector<ProtocolRule> LinkMonitor::take_errors() { return std::exchange(errors_, {}); }

}  // namespace sluicegate
