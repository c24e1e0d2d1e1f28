#include "cpu.h"

#include <utility>

#include "link_source.h"

namespace sluicegate {

namespace {
constexpr std::uint64_t AllOnes = ~0ULL;
constexpr std::size_t MaximumOutstanding = 16;
}  // namespace

std::uint64_t Cpu::submit(CpuAccess access) {
    access.ticket = ++tickets_;
    queue_.push_back(access);
    return access.ticket;
}

CpuResult Cpu::result(std::uint64_t ticket) const {
    const auto found = results_.find(ticket);
    return found == results_.end() ? CpuResult{} : found->second;
}

bool Cpu::on_register_bus(const CpuAccess& access) const {
    const bool mmio = access.operation == CpuOperation::MmioRead || access.operation == CpuOperation::MmioWrite;
    return mmio && access.address >= register_base_ && access.address - register_base_ < register_bytes_;
}

void Cpu::finish(const CpuAccess& access, std::uint32_t status, std::uint64_t value) {
    if (access.operation != CpuOperation::MmioWrite) results_[access.ticket] = {true, status, value};
}

Tlp Cpu::request(const CpuAccess& access, std::uint8_t tag) const {
    Tlp tlp;
    const bool write = access.operation == CpuOperation::MmioWrite || access.operation == CpuOperation::ConfigWrite;
    const bool config = access.operation == CpuOperation::ConfigRead || access.operation == CpuOperation::ConfigWrite;
    const std::uint32_t dwords = access.width == 8 ? 2 : 1;
    const auto lane = static_cast<std::uint32_t>(access.address & 3U);
    const std::uint32_t first_be = access.width >= 4 ? 0xFU : ((1U << access.width) - 1U) << lane;
    const bool wide = !config && access.address >> 32 != 0;
    const std::uint32_t fmt_type = config ? (write ? 0x45U : 0x05U) : (write ? 0x40U : 0x00U) | (wide ? 0x20U : 0U);
    tlp.header[0] = fmt_type << 24 | dwords;
    tlp.header[1] = static_cast<std::uint32_t>(RequesterId) << 16 | static_cast<std::uint32_t>(tag) << 8 |
                    (dwords == 2 ? 0xF0U : 0U) | first_be;
    const auto low = static_cast<std::uint32_t>(access.address & ~3ULL);
    if (config) {
        tlp.header[2] = static_cast<std::uint32_t>(access.address >> 12 & 0xFFFFU) << 16 | (low & 0xFFCU);
    } else if (wide) {
        tlp.header[2] = static_cast<std::uint32_t>(access.address >> 32);
        tlp.header[3] = low;
    } else {
        tlp.header[2] = low;
    }
    if (write) {
        const std::uint64_t lanes = access.value << (8 * lane);
        for (std::uint32_t byte = 0; byte < 4 * dwords; ++byte) {
            tlp.payload.push_back(static_cast<std::uint8_t>(lanes >> (8 * byte)));
        }
    }
    return tlp;
}

void Cpu::run(std::uint64_t cycle, LinkSource* source) {
    while (!queue_.empty()) {
        const CpuAccess access = queue_.front();
        if (on_register_bus(access)) {
            // The bus is one access at a time, and earlier link accesses keep their order before it.
            if (register_active_ || !outstanding_.empty() || (source != nullptr && !source->idle())) return;
            register_active_ = true;
            register_origin_ = access;
            const auto offset = static_cast<std::uint32_t>(access.address - register_base_);
            const std::uint32_t lane = offset & 7U;
            register_ = {true, access.operation == CpuOperation::MmioWrite, offset, access.value << (8 * lane),
                         (access.width == 8 ? 0xFFU : 0xFU) << lane & 0xFFU};
            queue_.pop_front();
            return;
        }
        if (register_active_) return;
        if (access.operation == CpuOperation::MmioWrite) {
            if (source != nullptr) source->push(request(access, 0), cycle);
            finish(access, 0, 0);
        } else {
            if (source == nullptr) {
                finish(access, 1, AllOnes);
            } else {
                if (outstanding_.size() >= MaximumOutstanding || outstanding_.contains(next_tag_)) return;
                source->push(request(access, next_tag_), cycle);
                outstanding_[next_tag_] = access;
                next_tag_ = static_cast<std::uint8_t>(next_tag_ + 1);
            }
        }
        queue_.pop_front();
    }
}

void Cpu::completion(const Tlp& tlp) {
    const auto found = outstanding_.find(tlp.tag());
    if (found == outstanding_.end()) return;
    const CpuAccess access = found->second;
    outstanding_.erase(found);
    const std::uint32_t status = tlp.header[1] >> 13 & 7U;
    std::uint64_t value = 0;
    if (status != 0 || tlp.poisoned()) {
        value = AllOnes;
    } else {
        for (std::size_t byte = 0; byte < tlp.payload.size() && byte < 8; ++byte) {
            value |= static_cast<std::uint64_t>(tlp.payload[byte]) << (8 * byte);
        }
        value >>= 8 * (access.address & 3U);
    }
    if (access.width < 8) value &= (1ULL << (8 * access.width)) - 1;
    finish(access, status, value);
}

void Cpu::register_done(std::uint64_t data) {
    const std::uint32_t lane = register_.address & 7U;
    std::uint64_t value = data >> (8 * lane);
    if (register_origin_.width < 8) value &= (1ULL << (8 * register_origin_.width)) - 1;
    register_ = {};
    register_active_ = false;
    finish(register_origin_, 0, value);
}

}  // namespace sluicegate
