// Host memory as a completer: commits posted writes, answers reads after a seeded latency, out of order and interleaved between
// requests, split at the read completion boundary (PCI Express, completion rules).
#pragma once

#include <cstdint>
#include <vector>

#include "host.h"
#include "random_stream.h"
#include "tlp.h"

namespace sluicegate {

class LinkSource;

enum class CompleterFault : std::uint8_t { None = 0, UnsupportedRequest = 1, CompleterAbort = 2, Poison = 3, NoAnswer = 4 };

struct CompleterTiming {
    std::uint32_t latency = 1;              // cycles from the request's last beat to its first completion, at least 1
    std::uint32_t jitter = 0;               // up to so many more, uniform
    std::uint32_t interleave_chance = 0;    // of 65536: pick any due request instead of the oldest
    std::uint32_t cut_chance = 0;           // of 65536: end a completion at an earlier boundary than necessary
    std::uint32_t read_completion_boundary = 64;
    std::uint32_t max_payload = 256;
};

class Completer {
  public:
    void reset(std::uint64_t seed, std::uint64_t channel);
    CompleterTiming& timing() { return timing_; }
    void add_fault(std::uint64_t base, std::uint64_t bytes, CompleterFault fault) { faults_.push_back({base, bytes, fault}); }

    // A request arrived: writes take effect and enter the log now, reads wait for their turn.
    void accept(std::uint64_t cycle, const Tlp& tlp, Host& host);
    // Moves due completions into the source, reading memory at that moment.
    void run(std::uint64_t cycle, Host& host, LinkSource& source);
    bool idle() const { return reads_.empty(); }

  private:
    struct Read {
        std::uint64_t due;
        std::array<std::uint32_t, 4> header;
        std::uint64_t address;         // next byte to deliver
        std::uint32_t bytes_left;      // Byte Count of the next completion
        std::uint32_t dwords_left;
        CompleterFault fault;
    };
    struct FaultRange {
        std::uint64_t base, bytes;
        CompleterFault fault;
    };
    void write(std::uint64_t cycle, const Tlp& tlp, Host& host);
    CompleterFault fault_at(std::uint64_t address) const;
    bool complete_next(std::uint64_t cycle, Read& read, Host& host, LinkSource& source);

    CompleterTiming timing_;
    RandomStream random_;
    std::vector<Read> reads_;   // in order of their due cycle
    std::vector<FaultRange> faults_;
};

}  // namespace sluicegate
