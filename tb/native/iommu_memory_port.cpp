#include "iommu_memory_port.h"

#include <algorithm>
#include <cstring>

namespace sluicegate {

void IommuMemoryPort::reset(std::uint64_t seed, std::uint64_t channel) {
    *this = IommuMemoryPort();
    random_ = RandomStream(seed, channel);
}

void IommuMemoryPort::commit(std::uint64_t cycle) {
    const std::uint64_t due = cycle + std::max<std::uint32_t>(timing_.latency, 2) - 1 + random_.upto(timing_.jitter);
    const auto later = [](std::uint64_t value, const Pending& other) { return value < other.due; };
    pending_.insert(std::upper_bound(pending_.begin(), pending_.end(), due, later), {due, staged_});
}

void IommuMemoryPort::run(std::uint64_t cycle, Host& host) {
    std::size_t done = 0;
    while (done < pending_.size() && pending_[done].due <= cycle) {
        responses_.push_back(perform(cycle, pending_[done].request, host));
        ++done;
    }
    if (done != 0) pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(done));
}

MemoryPortResponse IommuMemoryPort::perform(std::uint64_t cycle, const MemoryPortRequest& request, Host& host) {
    MemoryPortResponse response;
    response.id = request.id;
    const std::uint32_t size = std::min<std::uint32_t>(request.size, 64);
    const std::uint64_t first = request.address & ~7ULL;
    const bool write = request.operation == MemoryOperation::Write;

    EventRecord record{};
    record.cycle = cycle;
    record.kind = static_cast<std::uint8_t>(write ? EventKind::MemoryWrite : EventKind::MemoryRead);
    record.source = static_cast<std::uint8_t>(Actor::Iommu);
    record.argument = request.id;
    record.address = request.address;
    record.length = size;
    record.header = {request.attributes, static_cast<std::uint32_t>(request.operation), 0, 0};

    if (write && host.interrupts.claims(request.address)) {
        std::uint32_t identity = 0;
        std::memcpy(&identity, request.data.data(), 4);
        host.interrupts.raise(cycle, identity, false, host.log);
        return response;
    }
    for (unsigned dword = 0; first + 8ULL * dword < request.address + size; ++dword) {
        const AccessStatus status = host.memory.status(first + 8ULL * dword, write);
        if (status == AccessStatus::Failed) response.error = static_cast<std::uint8_t>(response.error | 1U << dword);
        if (status == AccessStatus::Poisoned) response.poison = static_cast<std::uint8_t>(response.poison | 1U << dword);
    }
    if (response.error != 0) record.flags = FlagFailed;
    if (response.poison != 0) record.flags = static_cast<std::uint16_t>(record.flags | FlagPoisoned);

    if (write) {
        std::array<std::uint8_t, 64> strobes{};
        bool whole = true;
        for (std::uint32_t byte = 0; byte < size; ++byte) {
            strobes[byte] = static_cast<std::uint8_t>(request.strobe >> byte & 1U);
            whole = whole && strobes[byte] != 0;
        }
        const auto data = std::span<const std::uint8_t>(request.data).first(size);
        if (response.error == 0) host.memory.write(request.address, data, std::span<const std::uint8_t>(strobes).first(size));
        if (whole || response.error != 0) {
            host.log.append(record, data);
            return response;
        }
        for (std::uint32_t begin = 0; begin < size;) {   // one record for each run of enabled bytes
            std::uint32_t end = begin;
            while (end < size && strobes[end] != 0) ++end;
            if (end > begin) {
                record.address = request.address + begin;
                record.length = end - begin;
                host.log.append(record, data.subspan(begin, end - begin));
            }
            begin = end + 1;
        }
        return response;
    }

    // A read delivers every healthy dword even when a neighbour fails.
    for (std::uint32_t byte = 0; byte < size;) {
        const std::uint64_t address = request.address + byte;
        const std::uint32_t count = std::min<std::uint32_t>(size - byte, 8 - static_cast<std::uint32_t>(address & 7U));
        if (host.memory.status(address, false) == AccessStatus::Ok) {
            host.memory.read(address, std::span<std::uint8_t>(response.data).subspan(byte, count));
        }
        byte += count;
    }
    host.log.append(record, {});
    if (request.operation == MemoryOperation::Read || response.error != 0 || response.poison != 0) return response;

    std::uint64_t old = 0, operand = 0, expected = 0;
    std::memcpy(&old, response.data.data(), 8);
    std::memcpy(&operand, request.data.data(), 8);
    std::memcpy(&expected, request.data.data() + 8, 8);
    const bool swap = request.operation == MemoryOperation::CompareAndSwap64;
    if (swap && old != expected) return response;
    const std::uint64_t value = swap ? operand : old | operand;
    std::array<std::uint8_t, 8> bytes{};
    std::memcpy(bytes.data(), &value, 8);
    host.memory.write(request.address, bytes);
    record.kind = static_cast<std::uint8_t>(EventKind::MemoryWrite);
    record.length = 8;
    host.log.append(record, bytes);
    return response;
}

std::optional<MemoryPortResponse> IommuMemoryPort::next_response() {
    if (responses_.empty() || random_.chance(timing_.response_stall_chance)) return std::nullopt;
    const MemoryPortResponse response = responses_.front();
    responses_.pop_front();
    return response;
}

}  // namespace sluicegate
