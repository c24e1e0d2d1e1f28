// Seeded random numbers, one independent stream per channel, so that the behaviour of one transactor never depends on how often
// another one asked. tb/link/random_stream.py is the same generator for pin-level models.
#pragma once

#include <cstdint>

namespace sluicegate {

// xorshift64* (Vigna), seeded through two rounds of splitmix64 of the run's seed and the channel number.
class RandomStream {
  public:
    RandomStream() = default;
    RandomStream(std::uint64_t seed, std::uint64_t channel) {
        state_ = mix(mix(seed) ^ (channel * 0x9E3779B97F4A7C15ULL));
        if (state_ == 0) state_ = 1;
    }

    std::uint32_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return static_cast<std::uint32_t>((state_ * 0x2545F4914F6CDD1DULL) >> 32);
    }

    // True with probability chance / 65536; draws nothing when the answer is certain.
    bool chance(std::uint32_t chance) {
        if (chance == 0) return false;
        if (chance >= 65536) return true;
        return (next() >> 16) < chance;
    }

    // Uniform in 0..bound (inclusive); draws nothing when bound is 0.
    std::uint32_t upto(std::uint32_t bound) {
        if (bound == 0) return 0;
        return static_cast<std::uint32_t>((static_cast<std::uint64_t>(next()) * (static_cast<std::uint64_t>(bound) + 1)) >> 32);
    }

  private:
    static std::uint64_t mix(std::uint64_t value) {
        value += 0x9E3779B97F4A7C15ULL;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
        return value ^ (value >> 31);
    }

    std::uint64_t state_ = 1;
};

}  // namespace sluicegate
