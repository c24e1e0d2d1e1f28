#include "machine.h"

#include <cstring>

namespace sluicegate {

namespace {
constexpr std::uint32_t WiredInterruptBase = 0x700;   // sluicegate.platform.WIRED_INTERRUPT_BASE
}

Machine& machine() {
    static Machine instance;
    return instance;
}

Machine::Machine() : host{{}, {}, EventLog(LogRecords, LogPayload)} { begin(1); }

void Machine::begin(std::uint64_t seed) {
    cycle_ = 0;
    staged_ = 0;
    host.memory.reset();
    host.interrupts.reset();
    host.log.reset();
    cpu.reset();
    memory_port.reset(seed, ChannelPorts);
    translation.reset(seed, ChannelPorts + 1);
    engine.reset(seed, ChannelPorts + 2);
    messages.reset(seed, ChannelPorts + 3);
    doorbell.reset();
    for (unsigned link = 0; link < MaximumLinks; ++link) {
        sources_[link].reset(seed, ChannelSource + link);
        sinks_[link].reset(seed, ChannelSink + link);
        monitors_[link].reset();
        completers_[link].reset(seed, ChannelCompleter + link);
    }
    roles_.fill({});
    link_tlps_.fill(0);
    cpu_link_ = NoLink;
    wires_ = staged_wires = 0;
}

void Machine::attach_host(int request, int completion) { roles_.at(static_cast<unsigned>(request)) = {true, completion}; }

void Machine::step(std::uint64_t cycle) {
    commit_staged();
    cycle_ = cycle;
    memory_port.run(cycle, host);
    for (unsigned link = 0; link < MaximumLinks; ++link) {
        if (roles_[link].host && roles_[link].completion != NoLink) {
            completers_[link].run(cycle, host, sources_[static_cast<unsigned>(roles_[link].completion)]);
        }
        sinks_[link].run(cycle);
    }
    cpu.run(cycle, cpu_link_ == NoLink ? nullptr : &sources_[static_cast<unsigned>(cpu_link_)]);
}

void Machine::commit_staged() {
    while (staged_ != 0) {
        const auto agent = static_cast<unsigned>(__builtin_ctzll(staged_));
        staged_ &= staged_ - 1;
        switch (agent) {
            case AgentRegisterBus: commit_register(); break;
            case AgentTranslationRequest: translation.commit_request(cycle_, host.log); break;
            case AgentTranslationResponse: translation.commit_response(cycle_, host.log); break;
            case AgentMemoryPort: memory_port.commit(cycle_); break;
            case AgentDescriptor: engine.commit_descriptor(cycle_, host.log); break;
            case AgentStatus: engine.commit_status(cycle_, host.log); break;
            case AgentWires: commit_wires(); break;
            case AgentCommand: {
                EventRecord record{};
                record.cycle = cycle_;
                record.kind = static_cast<std::uint8_t>(EventKind::IommuCommand);
                record.header = {static_cast<std::uint32_t>(staged_command.dword0), static_cast<std::uint32_t>(staged_command.dword0 >> 32),
                                 static_cast<std::uint32_t>(staged_command.dword1), static_cast<std::uint32_t>(staged_command.dword1 >> 32)};
                host.log.append(record, {});
                break;
            }
            case AgentFault: {
                EventRecord record{};
                record.cycle = cycle_;
                record.kind = static_cast<std::uint8_t>(EventKind::FaultRecord);
                host.log.append(record, {});
                break;
            }
            case AgentMessageArrived: messages.commit_arrived(cycle_, host.log); break;
            case AgentMessageSent: messages.commit_sent(cycle_, host.log); break;
            case AgentLookup: {
                EventRecord record{};
                record.cycle = cycle_;
                record.kind = static_cast<std::uint8_t>(EventKind::Lookup);
                record.argument = staged_lookup;
                host.log.append(record, {});
                break;
            }
            default: commit_link(agent - AgentLink0); break;
        }
    }
}

void Machine::commit_link(unsigned link) {
    LinkMonitor& monitor = monitors_[link];
    for (const ProtocolRule rule : monitor.take_errors()) {
        EventRecord record{};
        record.cycle = cycle_;
        record.kind = static_cast<std::uint8_t>(EventKind::ProtocolError);
        record.source = static_cast<std::uint8_t>(link);
        record.argument = static_cast<std::uint32_t>(rule);
        host.log.append(record, {});
    }
    if (const auto held = monitor.take_held()) {
        EventRecord record{};
        record.cycle = cycle_;
        record.kind = static_cast<std::uint8_t>(EventKind::CreditsHeld);
        record.source = static_cast<std::uint8_t>(link);
        for (unsigned kind = 0; kind < held->size(); ++kind) {
            record.header[kind / 2] |= static_cast<std::uint32_t>((*held)[kind]) << (kind % 2 * 16);
        }
        host.log.append(record, {});
    }
    const std::optional<ObservedTlp> observed = monitor.take();
    if (!observed) return;
    const Tlp& tlp = observed->tlp;
    EventRecord record{};
    record.cycle = cycle_;
    record.kind = static_cast<std::uint8_t>(EventKind::Tlp);
    record.source = static_cast<std::uint8_t>(link);
    record.flags = static_cast<std::uint16_t>((tlp.prefix_valid ? FlagPrefixValid : 0) | (tlp.nullified ? FlagNullified : 0) |
                                              observed->lacking << FlagCreditShift);
    record.length = static_cast<std::uint32_t>(tlp.payload.size());
    record.header = tlp.header;
    record.prefix = tlp.prefix;
    record.argument = observed->duration;
    record.address = tlp.is_memory_request() ? tlp.address() : 0;
    host.log.append(record, tlp.payload);
    ++link_tlps_[link];
    sinks_[link].consumed(cycle_, tlp);

    if (!roles_[link].host || tlp.nullified) return;
    if (tlp.tlp_class() == TlpClass::Completion) {
        cpu.completion(tlp);
    } else {
        completers_[link].accept(cycle_, tlp, host);
    }
}

void Machine::commit_register() {
    EventRecord record{};
    record.cycle = cycle_;
    record.kind = static_cast<std::uint8_t>(staged_register.write ? EventKind::RegisterWrite : EventKind::RegisterRead);
    record.address = staged_register.address;
    record.header = {static_cast<std::uint32_t>(staged_register.data), static_cast<std::uint32_t>(staged_register.data >> 32), 0, 0};
    record.argument = staged_register.strobe;
    record.length = static_cast<std::uint32_t>(__builtin_popcount(staged_register.strobe));
    host.log.append(record, {});
    cpu.register_done(staged_register.data);
}

void Machine::commit_wires() {
    std::uint32_t rising = staged_wires & ~wires_;
    wires_ = staged_wires;
    while (rising != 0) {
        const auto line = static_cast<std::uint32_t>(__builtin_ctz(rising));
        rising &= rising - 1;
        host.interrupts.raise(cycle_, WiredInterruptBase + line, true, host.log);
    }
}

bool Machine::memory_idle() const {
    if (!memory_port.idle()) return false;
    for (unsigned link = 0; link < MaximumLinks; ++link) {
        if (!completers_[link].idle() || !sources_[link].idle()) return false;
    }
    return true;
}

bool Machine::memory_differs(std::uint64_t address, std::uint32_t value) const {
    std::array<std::uint8_t, 4> bytes{};
    std::uint32_t found = 0;
    if (host.memory.read(address, bytes) != AccessStatus::Ok) return true;
    std::memcpy(&found, bytes.data(), sizeof found);
    return found != value;
}

bool Machine::holds(const WakeCondition& condition) const {
    switch (condition.kind) {
        case WakeKind::Cycle: return cycle_ >= condition.threshold;
        case WakeKind::Interrupt: return host.interrupts.pending(condition.argument) != 0;
        case WakeKind::CpuAccess: return cpu.result(condition.threshold).done;
        case WakeKind::Translations: return translation.responses() >= condition.threshold;
        case WakeKind::Statuses: return engine.statuses() >= condition.threshold;
        case WakeKind::LinkTlps: return link_tlps_.at(condition.argument) >= condition.threshold;
        case WakeKind::MemoryIdle: return memory_idle();
        case WakeKind::Messages: return messages.messages() >= condition.threshold;
        case WakeKind::MemoryChange: return memory_differs(condition.threshold, condition.argument);
        case WakeKind::None: break;
    }
    return false;
}

bool Machine::ring() {
    return doorbell.poll(host.log.half_full(), [this](const WakeCondition& condition) { return holds(condition); });
}

}  // namespace sluicegate
