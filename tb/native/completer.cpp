#include "completer.h"

#include <algorithm>

#include "link_source.h"

namespace sluicegate {

namespace {

constexpr std::uint32_t StatusSc = 0, StatusUr = 1, StatusCa = 4;
constexpr std::uint16_t CompleterId = 0;            // the host bridge, 00:00.0
constexpr std::size_t QueuedCompletions = 4;        // memory is read when a completion is about to leave, not long before

EventRecord memory_event(EventKind kind, std::uint64_t cycle, std::uint64_t address, std::size_t bytes, std::uint16_t requester) {
    EventRecord record{};
    record.cycle = cycle;
    record.kind = static_cast<std::uint8_t>(kind);
    record.source = static_cast<std::uint8_t>(Actor::Link);
    record.length = static_cast<std::uint32_t>(bytes);
    record.argument = requester;
    record.address = address;
    return record;
}

std::uint16_t flag_of(AccessStatus status) {
    if (status == AccessStatus::Failed) return FlagFailed;
    return status == AccessStatus::Poisoned ? FlagPoisoned : 0;
}

// A completion header for a request header: TC, RO, NS and tag copied, IDO not.
Tlp completion(const std::array<std::uint32_t, 4>& request, std::uint32_t status, std::uint32_t byte_count,
               std::uint32_t lower_address, std::uint32_t dwords) {
    Tlp tlp;
    const std::uint32_t copied = request[0] & 0x00F83000U;   // T9, TC, T8, RO, NS
    tlp.header[0] = (dwords != 0 ? 0x4AU : 0x0AU) << 24 | copied | (dwords & 0x3FFU);
    tlp.header[1] = static_cast<std::uint32_t>(CompleterId) << 16 | status << 13 | (byte_count & 0xFFFU);
    tlp.header[2] = (request[1] & 0xFFFFFF00U) | (lower_address & 0x7FU);
    return tlp;
}

}  // namespace

void Completer::reset(std::uint64_t seed, std::uint64_t channel) {
    *this = Completer();
    random_ = RandomStream(seed, channel);
}

CompleterFault Completer::fault_at(std::uint64_t address) const {
    for (const FaultRange& range : faults_) {
        if (address >= range.base && address - range.base < range.bytes) return range.fault;
    }
    return CompleterFault::None;
}

void Completer::write(std::uint64_t cycle, const Tlp& tlp, Host& host) {
    if (tlp.poisoned() || tlp.nullified) return;
    // One event for each run of enabled bytes.
    const auto commit = [&](std::size_t begin, std::size_t end) {
        const std::uint64_t address = tlp.address() + begin;
        const auto bytes = std::span<const std::uint8_t>(tlp.payload).subspan(begin, end - begin);
        const AccessStatus status = fault_at(address) == CompleterFault::None ? host.memory.write(address, bytes) : AccessStatus::Failed;
        EventRecord record = memory_event(EventKind::MemoryWrite, cycle, address, bytes.size(), tlp.requester_id());
        record.flags = flag_of(status);
        host.log.append(record, bytes);
    };
    if (host.interrupts.claims(tlp.address())) {
        std::uint32_t identity = 0;
        for (std::size_t byte = 0; byte < 4; ++byte) identity |= static_cast<std::uint32_t>(tlp.payload[byte]) << (8 * byte);
        host.interrupts.raise(cycle, identity, false, host.log);
        return;
    }
    const std::size_t total = tlp.payload.size();
    if (total > 8) {   // longer writes enable everything between the first and the last enabled byte
        const ByteSpan span = enabled_span(tlp.length_field(), tlp.first_be(), tlp.last_be());
        commit(span.lead, span.lead + span.count);
        return;
    }
    const std::uint32_t enables = tlp.first_be() | (total > 4 ? tlp.last_be() << 4 : 0);
    std::size_t begin = 0;
    for (std::size_t byte = 0; byte <= total; ++byte) {
        if (byte < total && (enables >> byte & 1U) != 0) continue;
        if (begin < byte) commit(begin, byte);
        begin = byte + 1;
    }
}

void Completer::accept(std::uint64_t cycle, const Tlp& tlp, Host& host) {
    if (tlp.tlp_class() == TlpClass::Posted) {
        if (tlp.is_memory_request()) write(cycle, tlp, host);
        return;
    }
    Read read{};
    read.due = cycle + std::max<std::uint32_t>(timing_.latency, 1) + random_.upto(timing_.jitter);
    read.header = tlp.header;
    if ((tlp.fmt_type() & 0x1FU) != 0x00) {
        read.fault = CompleterFault::UnsupportedRequest;   // atomics, locked reads, IO: not offered by this memory
    } else {
        const ByteSpan span = enabled_span(tlp.length_field(), tlp.first_be(), tlp.last_be());
        read.address = tlp.address() + span.lead;
        read.bytes_left = span.count;
        read.dwords_left = tlp.length_field();
        read.fault = fault_at(read.address);
        if (!host.memory.contains(tlp.address(), 4ULL * tlp.length_field())) read.fault = CompleterFault::UnsupportedRequest;
    }
    if (read.fault == CompleterFault::NoAnswer) return;
    const auto later = [](std::uint64_t due, const Read& other) { return due < other.due; };
    reads_.insert(std::upper_bound(reads_.begin(), reads_.end(), read.due, later), read);
}

// Sends the next completion of a read; true when it was the last.
bool Completer::complete_next(std::uint64_t cycle, Read& read, Host& host, LinkSource& source) {
    if (read.fault == CompleterFault::UnsupportedRequest || read.fault == CompleterFault::CompleterAbort) {
        const std::uint32_t status = read.fault == CompleterFault::CompleterAbort ? StatusCa : StatusUr;
        source.push(completion(read.header, status, 4, 0, 0), cycle);
        return true;
    }
    const std::uint64_t start = read.address & ~3ULL;
    const std::uint32_t lead = static_cast<std::uint32_t>(read.address & 3U);
    const std::uint32_t boundary = timing_.read_completion_boundary;
    std::uint32_t dwords = read.dwords_left;
    // A completion that is not the last ends on a boundary; take as much as the payload limit and that rule allow.
    const std::uint64_t limit = (start + timing_.max_payload) / boundary * boundary;
    if (start + 4ULL * dwords > limit) {
        const std::uint64_t end = limit > start ? limit : (start / boundary + 1) * boundary;
        dwords = std::min<std::uint32_t>(dwords, static_cast<std::uint32_t>((end - start) / 4));
    }
    const auto to_boundary = static_cast<std::uint32_t>((boundary - start % boundary) / 4);
    if (dwords > to_boundary && random_.chance(timing_.cut_chance)) {
        dwords = to_boundary + boundary / 4 * random_.upto((dwords - to_boundary - 1) / (boundary / 4));
    }
    Tlp tlp = completion(read.header, StatusSc, read.bytes_left, static_cast<std::uint32_t>(read.address), dwords);
    tlp.payload.resize(4ULL * dwords);
    const AccessStatus status = host.memory.read(start, tlp.payload);
    if (read.fault == CompleterFault::Poison || status != AccessStatus::Ok) tlp.header[0] |= 1U << 14;
    EventRecord record = memory_event(EventKind::MemoryRead, cycle, start, tlp.payload.size(),
                                      static_cast<std::uint16_t>(read.header[1] >> 16));
    record.flags = flag_of(status);
    host.log.append(record, {});
    source.push(std::move(tlp), cycle);
    const std::uint32_t delivered = 4 * dwords - lead;
    const bool last = dwords == read.dwords_left;
    read.bytes_left -= std::min(delivered, read.bytes_left);
    read.dwords_left -= dwords;
    read.address = start + 4ULL * dwords;
    return last;
}

void Completer::run(std::uint64_t cycle, Host& host, LinkSource& source) {
    while (!reads_.empty() && reads_.front().due <= cycle && source.waiting(TlpClass::Completion) < QueuedCompletions) {
        std::size_t chosen = 0;
        if (random_.chance(timing_.interleave_chance)) {
            const auto due = static_cast<std::uint32_t>(
                std::count_if(reads_.begin(), reads_.end(), [&](const Read& read) { return read.due <= cycle; }));
            chosen = random_.upto(due - 1);
        }
        if (complete_next(cycle, reads_[chosen], host, source)) {
            reads_.erase(reads_.begin() + static_cast<std::ptrdiff_t>(chosen));
        }
    }
}

}  // namespace sluicegate
