// All native agents of a testbench, and the order in which they act.
//
// Transactors call in at each clock edge in an order that the simulator chooses. What they report is staged, and takes effect in the
// first call of the next cycle, by agent number; then the timed agents run. So the log and every answer depend on the cycle alone,
// never on the order of always blocks in one build.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "completer.h"
#include "cpu.h"
#include "doorbell.h"
#include "engine_port.h"
#include "host.h"
#include "iommu_memory_port.h"
#include "link_monitor.h"
#include "link_sink.h"
#include "link_source.h"
#include "message_port.h"
#include "translation_port.h"

namespace sluicegate {

// Agent numbers: bits of the staged mask, and random channels.
constexpr unsigned MaximumLinks = 24;
enum Agent : unsigned {
    AgentLink0 = 0,
    AgentRegisterBus = 24,
    AgentTranslationRequest = 25,
    AgentTranslationResponse = 26,
    AgentMemoryPort = 27,
    AgentDescriptor = 28,
    AgentStatus = 29,
    AgentWires = 30,
    AgentCommand = 31,
    AgentFault = 32,
    AgentMessageArrived = 33,
    AgentMessageSent = 34,
    AgentLookup = 35,
};

// Random channels: one for each thing that draws.
constexpr std::uint64_t ChannelSource = 0x100, ChannelSink = 0x200, ChannelCompleter = 0x300, ChannelPorts = 0x400;

class Machine {
  public:
    static constexpr int NoLink = -1;
    static constexpr std::size_t LogRecords = 1U << 17;
    static constexpr std::size_t LogPayload = 1U << 26;

    Machine();
    // Back to the state before the first clock edge; every random stream starts anew from the seed.
    void begin(std::uint64_t seed);

    // Brings the machine to this cycle: commits what earlier cycles staged, then runs the timed agents. Called by every transactor.
    void advance(std::uint64_t cycle) {
        if (cycle != cycle_) step(cycle);
    }
    // Commits what is staged now, before the testbench acts between two clock edges.
    void settle() { commit_staged(); }
    std::uint64_t cycle() const { return cycle_; }
    void stage(unsigned agent) { staged_ |= 1ULL << agent; }
    bool ring() ;

    // Requests that arrive on `request` are served by host memory, which completes on `completion`; completions that arrive are the CPU's.
    void attach_host(int request, int completion);
    void attach_cpu(int request) { cpu_link_ = request; }

    LinkSource& source(unsigned link) { return sources_.at(link); }
    LinkSink& sink(unsigned link) { return sinks_.at(link); }
    LinkMonitor& monitor(unsigned link) { return monitors_.at(link); }
    Completer& completer(unsigned link) { return completers_.at(link); }

    Host host;
    Cpu cpu;
    IommuMemoryPort memory_port;
    TranslationPort translation;
    MessagePort messages;
    EnginePort engine;
    Doorbell doorbell;

    struct StagedRegister {
        bool write = false;
        std::uint32_t address = 0, strobe = 0;
        std::uint64_t data = 0;
    } staged_register;
    struct StagedCommand {
        std::uint64_t dword0 = 0, dword1 = 0;
    } staged_command;
    std::uint32_t staged_wires = 0;
    std::uint32_t staged_lookup = 0;

  private:
    void step(std::uint64_t cycle);
    void commit_staged();
    void commit_link(unsigned link);
    void commit_register();
    void commit_wires();
    bool holds(const WakeCondition& condition) const;
    bool memory_idle() const;
    bool memory_differs(std::uint64_t address, std::uint32_t value) const;

    struct Role {
        bool host = false;
        int completion = NoLink;
    };
    std::uint64_t cycle_ = 0;
    std::uint64_t staged_ = 0;
    std::array<LinkSource, MaximumLinks> sources_;
    std::array<LinkSink, MaximumLinks> sinks_;
    std::array<LinkMonitor, MaximumLinks> monitors_;
    std::array<Completer, MaximumLinks> completers_;
    std::array<Role, MaximumLinks> roles_{};
    std::array<std::uint64_t, MaximumLinks> link_tlps_{};
    int cpu_link_ = NoLink;
    std::uint32_t wires_ = 0;
};

// The machine of this process: DPI calls have no other way to find it.
Machine& machine();

}  // namespace sluicegate
