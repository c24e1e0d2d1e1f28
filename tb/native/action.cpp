#include "action.h"

#include <cstring>

#include "machine.h"

namespace sluicegate {

namespace {

bool is_link(std::uint64_t link) { return link < MaximumLinks; }

std::int64_t write_memory(Machine& target, const Action& action) {
    const AccessStatus status = target.host.memory.write(action.a, action.blob);
    if (status != AccessStatus::Ok) return -1;
    EventRecord record{};
    record.cycle = target.cycle();
    record.kind = static_cast<std::uint8_t>(EventKind::MemoryWrite);
    record.source = static_cast<std::uint8_t>(action.b);
    record.address = action.a;
    record.length = static_cast<std::uint32_t>(action.blob.size());
    target.host.log.append(record, action.blob);
    return 0;
}

std::int64_t send_tlp(Machine& target, const Action& action) {
    if (!is_link(action.a) || action.blob.size() < 16) return -1;
    Tlp tlp;
    std::memcpy(tlp.header.data(), action.blob.data(), 16);
    tlp.prefix = static_cast<std::uint32_t>(action.c);
    tlp.prefix_valid = (action.c >> 32 & 1U) != 0;
    tlp.nullified = (action.c >> 33 & 1U) != 0;
    const auto payload = action.blob.subspan(16);
    if (payload.size() != tlp.payload_bytes()) return -2;
    tlp.payload.assign(payload.begin(), payload.end());
    target.source(static_cast<unsigned>(action.a)).push(std::move(tlp), action.b);
    return 0;
}

std::int64_t translate(Machine& target, const Action& action) {
    constexpr std::size_t RecordBytes = 24;   // iova 8, device 4, process 4, bits 4, unused 4
    if (action.blob.size() % RecordBytes != 0) return -1;
    for (std::size_t at = 0; at < action.blob.size(); at += RecordBytes) {
        TranslationRequest request;
        std::memcpy(&request.iova, action.blob.data() + at, 8);
        std::memcpy(&request.device_id, action.blob.data() + at + 8, 4);
        std::memcpy(&request.process_id, action.blob.data() + at + 12, 4);
        std::memcpy(&request.bits, action.blob.data() + at + 16, 4);
        target.translation.push(request);
    }
    return 0;
}

std::int64_t submit_descriptors(Machine& target, const Action& action) {
    if (action.blob.size() % 64 != 0) return -1;
    for (std::size_t at = 0; at < action.blob.size(); at += 64) {
        DescriptorEntry entry;
        std::memcpy(entry.bytes.data(), action.blob.data() + at, 64);
        entry.id = static_cast<std::uint32_t>(action.a + at / 64);
        target.engine.push(entry);
    }
    return 0;
}

std::int64_t mark(Machine& target, const Action& action) {
    EventRecord record{};
    record.cycle = target.cycle();
    record.kind = static_cast<std::uint8_t>(EventKind::Mark);
    record.argument = static_cast<std::uint32_t>(action.a);
    record.address = action.b;
    record.length = static_cast<std::uint32_t>(action.blob.size());
    record.header = {static_cast<std::uint32_t>(action.c), static_cast<std::uint32_t>(action.c >> 32),
                     static_cast<std::uint32_t>(action.d), static_cast<std::uint32_t>(action.d >> 32)};
    target.host.log.append(record, action.blob);
    return 0;
}

std::int64_t set_knob(Machine& target, const Action& action) {
    const auto link = static_cast<unsigned>(action.b & 0xFFU);
    const auto value = static_cast<std::uint32_t>(action.c);
    if (!is_link(link)) return -1;
    switch (static_cast<Knob>(action.a)) {
        case Knob::SourceStallChance: target.source(link).set_stall_chance(value); return 0;
        case Knob::SinkStallChance: target.sink(link).set_stall_chance(value); return 0;
        case Knob::SinkRoom:
            if (action.b >> 8 > 5) return -1;
            target.sink(link).set_room(static_cast<unsigned>(action.b >> 8), value);
            return 0;
        case Knob::SinkCreditDelay: target.sink(link).set_credit_delay(value); return 0;
        case Knob::CompleterLatency: target.completer(link).timing().latency = value; return 0;
        case Knob::CompleterJitter: target.completer(link).timing().jitter = value; return 0;
        case Knob::CompleterInterleaveChance: target.completer(link).timing().interleave_chance = value; return 0;
        case Knob::CompleterCutChance: target.completer(link).timing().cut_chance = value; return 0;
        case Knob::CompleterBoundary:
            if (value != 64 && value != 128) return -1;
            target.completer(link).timing().read_completion_boundary = value;
            return 0;
        case Knob::CompleterMaxPayload:
            if (value < 128 || value > 4096) return -1;
            target.completer(link).timing().max_payload = value;
            return 0;
        case Knob::MemoryPortLatency: target.memory_port.timing().latency = value; return 0;
        case Knob::MemoryPortJitter: target.memory_port.timing().jitter = value; return 0;
        case Knob::MemoryPortRequestStallChance: target.memory_port.timing().request_stall_chance = value; return 0;
        case Knob::MemoryPortResponseStallChance: target.memory_port.timing().response_stall_chance = value; return 0;
        case Knob::TranslationStallChances: target.translation.set_stall_chances(value, static_cast<std::uint32_t>(action.c >> 32)); return 0;
        case Knob::TranslationIdentifiers: target.translation.set_identifiers(value); return 0;
        case Knob::MessageStallChances: target.messages.set_stall_chances(value, static_cast<std::uint32_t>(action.c >> 32)); return 0;
        case Knob::EngineStallChances: target.engine.set_stall_chances(value, static_cast<std::uint32_t>(action.c >> 32)); return 0;
    }
    return -1;
}

std::int64_t submit_cpu_access(Machine& target, const Action& action) {
    CpuAccess access;
    access.operation = static_cast<CpuOperation>(action.a & 0xFFU);
    access.width = static_cast<std::uint32_t>(action.a >> 8);
    access.address = action.b;
    access.value = action.c;
    if (access.width != 1 && access.width != 2 && access.width != 4 && access.width != 8) return -1;
    if (access.address % access.width != 0) return -2;
    return static_cast<std::int64_t>(target.cpu.submit(access));
}

}  // namespace

std::int64_t apply(const Action& action) {
    Machine& target = machine();
    if (action.kind != ActionKind::Begin) target.settle();
    switch (action.kind) {
        case ActionKind::Begin: target.begin(action.a); return 0;
        case ActionKind::AddMemoryRegion: target.host.memory.add_region(action.a, action.b); return 0;
        case ActionKind::SetSparseMemory: target.host.memory.set_sparse(action.a != 0); return 0;
        case ActionKind::SetMemoryFault:
            if (action.b > 2) return -1;
            target.host.memory.set_fault(action.a, static_cast<AccessStatus>(action.b));
            return 0;
        case ActionKind::WriteMemory: return write_memory(target, action);
        case ActionKind::AttachHost: {
            const bool completes = action.b != ~0ULL;
            if (!is_link(action.a) || (completes && !is_link(action.b))) return -1;
            target.attach_host(static_cast<int>(action.a), completes ? static_cast<int>(action.b) : Machine::NoLink);
            return 0;
        }
        case ActionKind::AttachCpu:
            if (!is_link(action.a)) return -1;
            target.attach_cpu(static_cast<int>(action.a));
            return 0;
        case ActionKind::SetKnob: return set_knob(target, action);
        case ActionKind::SetInterruptPage: target.host.interrupts.set_page(action.a, action.b); return 0;
        case ActionKind::SetRegisterPage: target.cpu.set_register_page(action.a, action.b); return 0;
        case ActionKind::AddCompleterFault:
            if (!is_link(action.a) || action.d > 4) return -1;
            target.completer(static_cast<unsigned>(action.a)).add_fault(action.b, action.c, static_cast<CompleterFault>(action.d));
            return 0;
        case ActionKind::SubmitCpuAccess: return submit_cpu_access(target, action);
        case ActionKind::SendTlp: return send_tlp(target, action);
        case ActionKind::Translate: return translate(target, action);
        case ActionKind::SubmitDescriptors: return submit_descriptors(target, action);
        case ActionKind::Mark: return mark(target, action);
        case ActionKind::ConsumeInterrupt: return target.host.interrupts.consume(static_cast<std::uint32_t>(action.a)) ? 1 : 0;
        case ActionKind::SendMessage:
            target.messages.push({action.a, static_cast<std::uint32_t>(action.b), static_cast<std::uint32_t>(action.b >> 32),
                                  static_cast<std::uint32_t>(action.c)});
            return 0;
        case ActionKind::ForgetCpuAccess: target.cpu.forget(action.a); return 0;
    }
    return -1;
}

}  // namespace sluicegate
