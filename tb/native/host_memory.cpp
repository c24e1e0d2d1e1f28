#include "host_memory.h"

#include <algorithm>
#include <cstring>

namespace sluicegate {

void HostMemory::reset() {
    regions_.clear();
    pages_.clear();
    faults_.clear();
    sparse_ = false;
}

void HostMemory::add_region(std::uint64_t base, std::uint64_t bytes) {
    auto region = std::make_unique<Region>();
    region->base = base;
    region->bytes.resize(bytes);
    regions_.push_back(std::move(region));
}

void HostMemory::set_fault(std::uint64_t address, AccessStatus status) {
    if (status == AccessStatus::Ok) {
        faults_.erase(address & ~7ULL);
    } else {
        faults_[address & ~7ULL] = status;
    }
}

bool HostMemory::contains(std::uint64_t address, std::uint64_t bytes) const {
    if (address + bytes < address) return false;
    if (sparse_) return true;
    return std::any_of(regions_.begin(), regions_.end(), [&](const auto& region) {
        return address >= region->base && address + bytes <= region->base + region->bytes.size();
    });
}

AccessStatus HostMemory::status(std::uint64_t address, bool write) const {
    const std::uint64_t dword = address & ~7ULL;
    if (!contains(dword, 8)) return AccessStatus::Failed;
    if (faults_.empty()) return AccessStatus::Ok;
    const auto fault = faults_.find(dword);
    if (fault == faults_.end() || (write && fault->second == AccessStatus::Poisoned)) return AccessStatus::Ok;
    return fault->second;
}

// A pointer to `bytes` bytes that must not cross a page when they are sparse; null for unwritten pages.
std::uint8_t* HostMemory::locate(std::uint64_t address, std::uint64_t bytes, bool create) const {
    for (const auto& region : regions_) {
        if (address >= region->base && address + bytes <= region->base + region->bytes.size()) {
            return region->bytes.data() + (address - region->base);
        }
    }
    auto found = pages_.find(address / PageBytes);
    if (found == pages_.end()) {
        if (!create) return nullptr;
        found = pages_.emplace(address / PageBytes, std::make_unique<Page>()).first;
        found->second->fill(0);
    }
    return found->second->data() + address % PageBytes;
}

AccessStatus HostMemory::read(std::uint64_t address, std::span<std::uint8_t> out) const {
    if (!contains(address, out.size())) return AccessStatus::Failed;
    AccessStatus worst = AccessStatus::Ok;
    if (!faults_.empty()) {
        for (std::uint64_t dword = address & ~7ULL; dword < address + out.size(); dword += 8) {
            const AccessStatus one = status(dword, false);
            if (one == AccessStatus::Failed) return one;
            if (one == AccessStatus::Poisoned) worst = one;
        }
    }
    for (std::size_t done = 0; done < out.size();) {
        const std::size_t count = std::min<std::size_t>(out.size() - done, PageBytes - (address + done) % PageBytes);
        const std::uint8_t* source = locate(address + done, count, false);
        if (source != nullptr) {
            std::memcpy(out.data() + done, source, count);
        } else {
            std::memset(out.data() + done, 0, count);
        }
        done += count;
    }
    return worst;
}

AccessStatus HostMemory::write(std::uint64_t address, std::span<const std::uint8_t> data, std::span<const std::uint8_t> strobes) {
    if (!contains(address, data.size())) return AccessStatus::Failed;
    if (!faults_.empty()) {
        for (std::uint64_t dword = address & ~7ULL; dword < address + data.size(); dword += 8) {
            if (status(dword, true) == AccessStatus::Failed) return AccessStatus::Failed;
        }
        for (std::uint64_t dword = address & ~7ULL; dword < address + data.size(); dword += 8) faults_.erase(dword);
    }
    for (std::size_t done = 0; done < data.size();) {
        const std::size_t count = std::min<std::size_t>(data.size() - done, PageBytes - (address + done) % PageBytes);
        std::uint8_t* target = locate(address + done, count, true);
        if (strobes.empty()) {
            std::memcpy(target, data.data() + done, count);
        } else {
            for (std::size_t i = 0; i < count; ++i) {
                if (strobes[done + i] != 0) target[i] = data[done + i];
            }
        }
        done += count;
    }
    return AccessStatus::Ok;
}

}  // namespace sluicegate
