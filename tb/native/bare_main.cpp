// The bench's yardstick: the same objects of model and native agents, without Python and without a call of VPI. Replays the journal of
// a run, so the traffic is the same to the cycle, and prints what it did for comparison with that run.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "Vtop.h"
#include "action.h"
#include "machine.h"
#include "verilated.h"

namespace {

vluint64_t now = 0;

double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

double sc_time_stamp() { return static_cast<double>(now); }

// Usage: bare_main JOURNAL CYCLES
int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s JOURNAL CYCLES [+verilator+...]\n", argv[0]);
        return 2;
    }
    Verilated::commandArgs(argc, argv);
    const auto entries = sluicegate::read_journal(argv[1]);
    const std::uint64_t cycles = std::strtoull(argv[2], nullptr, 10);
    if (entries.empty() || cycles == 0) return 2;

    const auto top = std::make_unique<Vtop>("");
    sluicegate::Machine& machine = sluicegate::machine();
    sluicegate::EventLog& log = machine.host.log;
    std::uint64_t tlps = 0;
    std::uint64_t counted = 0;
    const auto drain = [&] {
        for (; counted < log.written(); ++counted) {
            const auto& record = log.records()[counted % log.record_capacity()];
            tlps += record.kind == static_cast<std::uint8_t>(sluicegate::EventKind::Tlp) ? 1 : 0;
        }
        log.release(log.written() - log.record_read(), log.payload_written() - log.payload_read());
    };

    top->clk = 0;   // inputs start at random values, too
    top->eval();
    const double start = cpu_seconds();
    std::size_t next = 0;
    while (machine.cycle() < cycles && !Verilated::gotFinish()) {
        while (next < entries.size() && entries[next].cycle <= machine.cycle()) {
            sluicegate::apply(entries[next].action);
            ++next;
        }
        now += 1000;
        top->clk = 1;
        top->eval();
        now += 1000;
        top->clk = 0;
        top->eval();
        if (log.half_full()) drain();
    }
    machine.settle();
    drain();
    const double seconds = cpu_seconds() - start;
    std::printf("{\"cycles\": %" PRIu64 ", \"records\": %" PRIu64 ", \"payload_bytes\": %" PRIu64 ", \"tlps\": %" PRIu64
                ", \"actions\": %zu, \"cpu_seconds\": %.6f}\n",
                machine.cycle(), log.written(), log.payload_written(), tlps, next, seconds);
    top->final();
    return log.overflowed() || next != entries.size() ? 1 : 0;
}
