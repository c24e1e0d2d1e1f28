#include "link_source.h"

#include <algorithm>
#include <utility>

namespace sluicegate {

void LinkSource::reset(std::uint64_t seed, std::uint64_t channel) {
    *this = LinkSource();
    random_ = RandomStream(seed, channel);
}

void LinkSource::push(Tlp tlp, std::uint64_t not_before) {
    const auto which = static_cast<unsigned>(tlp.tlp_class());
    queues_[which].push_back({std::move(tlp), not_before, posted_queued_});
    if (which == 0) ++posted_queued_;
    ++waiting_;
}

bool LinkSource::choose(std::uint64_t cycle, std::uint64_t credit_limit, std::uint32_t credit_infinite) {
    constexpr std::array<unsigned, 3> preference{0, 2, 1};   // posted, completions, non-posted
    for (const unsigned which : preference) {
        auto& queue = queues_[which];
        if (queue.empty()) continue;
        Entry& entry = queue.front();
        if (entry.not_before > cycle) continue;
        if (which != 0 && posted_sent_ < entry.posted_before) continue;
        if (!credits_.allows(entry.tlp, credit_limit, credit_infinite)) continue;
        credits_.consume(entry.tlp);
        current_ = std::move(entry.tlp);
        queue.pop_front();
        --waiting_;
        active_ = true;
        sent_bytes_ = 0;
        return true;
    }
    return false;
}

SourceBeat LinkSource::next_beat(std::uint64_t cycle, std::uint32_t data_bytes, std::uint64_t credit_limit,
                                 std::uint32_t credit_infinite) {
    SourceBeat beat;
    if (!active_ && waiting_ == 0) return beat;
    if (random_.chance(stall_chance_)) return beat;
    const bool starts = !active_;
    if (starts && !choose(cycle, credit_limit, credit_infinite)) return beat;

    const std::size_t left = current_.payload.size() - sent_bytes_;
    const std::size_t count = std::min<std::size_t>(left, data_bytes);
    beat.valid = true;
    beat.sop = starts;
    beat.eop = count == left;
    beat.data = std::span<const std::uint8_t>(current_.payload).subspan(sent_bytes_, count);
    if (beat.sop) {
        beat.header = current_.header;
        beat.prefix = current_.prefix;
        beat.prefix_valid = current_.prefix_valid;
    }
    if (beat.eop) {
        beat.nullified = current_.nullified;
        beat.empty = count == 0 ? 0 : static_cast<std::uint32_t>((data_bytes - count) / 4);
        active_ = false;
        if (current_.tlp_class() == TlpClass::Posted) ++posted_sent_;
    }
    sent_bytes_ += count;
    return beat;
}

}  // namespace sluicegate
