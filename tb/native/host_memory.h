// Host memory of the simulated machine: flat RAM regions, and sparse 4 KiB pages everywhere else when the test asks for them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace sluicegate {

enum class AccessStatus : std::uint8_t { Ok = 0, Failed = 1, Poisoned = 2 };

class HostMemory {
  public:
    static constexpr std::uint64_t PageBytes = 4096;

    void reset();
    // A flat region; its bytes are zero. Regions must not overlap.
    void add_region(std::uint64_t base, std::uint64_t bytes);
    // Accept accesses outside the regions, backed by pages that exist once written (unwritten bytes read 0).
    void set_sparse(bool sparse) { sparse_ = sparse; }
    // The dword at this 8-byte aligned address answers with an error or poison from now on (Ok: normally again).
    void set_fault(std::uint64_t address, AccessStatus status);

    bool contains(std::uint64_t address, std::uint64_t bytes) const;
    AccessStatus read(std::uint64_t address, std::span<std::uint8_t> out) const;
    // Writes bytes whose strobe is set (empty strobes: all). Nothing is written on failure.
    AccessStatus write(std::uint64_t address, std::span<const std::uint8_t> data, std::span<const std::uint8_t> strobes = {});
    // Access status of the aligned dword that holds this address, without touching data.
    AccessStatus status(std::uint64_t address, bool write) const;

    struct Region {
        std::uint64_t base;
        std::vector<std::uint8_t> bytes;
    };
    const std::vector<std::unique_ptr<Region>>& regions() const { return regions_; }

  private:
    using Page = std::array<std::uint8_t, PageBytes>;
    std::uint8_t* locate(std::uint64_t address, std::uint64_t bytes, bool create) const;

    std::vector<std::unique_ptr<Region>> regions_;
    mutable std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
    std::unordered_map<std::uint64_t, AccessStatus> faults_;
    bool sparse_ = false;
};

}  // namespace sluicegate
