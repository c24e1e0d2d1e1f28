// DPI-C functions of the SystemVerilog transactors. Each brings the machine to the caller's cycle first (machine.h).
#include <array>
#include <cstring>

#include "machine.h"
#include "svdpi.h"

using namespace sluicegate;

namespace {

constexpr std::uint32_t BeatValid = 1U << 0, BeatSop = 1U << 1, BeatEop = 1U << 2, BeatErr = 1U << 3, BeatPrefix = 1U << 4;
constexpr unsigned BeatEmptyShift = 8;

// Headers travel as bit [127:0] with DW0 in [127:96].
std::array<std::uint32_t, 4> header_of(const svBitVecVal* bits) { return {bits[3], bits[2], bits[1], bits[0]}; }

void header_to(const std::array<std::uint32_t, 4>& header, svBitVecVal* bits) {
    for (unsigned dw = 0; dw < 4; ++dw) bits[3 - dw] = header[dw];
}

}  // namespace

extern "C" {

// 1: ring the doorbell.
int sluicegate_tick(long long cycle) {
    machine().advance(static_cast<std::uint64_t>(cycle));
    return machine().ring() ? 1 : 0;
}

int sluicegate_source_beat(long long cycle, int link, int data_bytes, const svBitVecVal* credit_limit, int credit_infinite,
                           svBitVecVal* data, svBitVecVal* header, int* prefix) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    const std::uint64_t limit = static_cast<std::uint64_t>(credit_limit[1]) << 32 | credit_limit[0];
    const SourceBeat beat = target.source(static_cast<unsigned>(link))
                                .next_beat(static_cast<std::uint64_t>(cycle), static_cast<std::uint32_t>(data_bytes), limit,
                                           static_cast<std::uint32_t>(credit_infinite));
    if (!beat.valid) return 0;
    std::memset(data, 0, 64);
    if (!beat.data.empty()) std::memcpy(data, beat.data.data(), beat.data.size());
    header_to(beat.header, header);
    *prefix = static_cast<int>(beat.prefix);
    return static_cast<int>(BeatValid | (beat.sop ? BeatSop : 0) | (beat.eop ? BeatEop : 0) | (beat.nullified ? BeatErr : 0) |
                            (beat.prefix_valid ? BeatPrefix : 0) | beat.empty << BeatEmptyShift);
}

// Whether the receiver is ready in the next cycle, and what it grants.
int sluicegate_sink(long long cycle, int link, svBitVecVal* credit_limit, int* credit_infinite) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    LinkSink& sink = target.sink(static_cast<unsigned>(link));
    const std::uint64_t limit = sink.credit_limit();
    credit_limit[0] = static_cast<std::uint32_t>(limit);
    credit_limit[1] = static_cast<std::uint32_t>(limit >> 32);
    *credit_infinite = static_cast<int>(sink.credit_infinite());
    return sink.ready() ? 1 : 0;
}

void sluicegate_monitor_beat(long long cycle, int link, int data_bytes, int control, const svBitVecVal* data, const svBitVecVal* header,
                             int prefix, const svBitVecVal* credit_limit, int credit_infinite) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    const auto flags = static_cast<std::uint32_t>(control);
    MonitorBeat beat;
    beat.sop = (flags & BeatSop) != 0;
    beat.eop = (flags & BeatEop) != 0;
    beat.nullified = (flags & BeatErr) != 0 && beat.eop;
    beat.prefix_valid = (flags & BeatPrefix) != 0 && beat.sop;
    beat.empty = flags >> BeatEmptyShift;
    beat.prefix = beat.prefix_valid ? static_cast<std::uint32_t>(prefix) : 0;
    beat.header = header_of(header);
    beat.data = {reinterpret_cast<const std::uint8_t*>(data), static_cast<std::size_t>(data_bytes)};
    beat.credit_limit = static_cast<std::uint64_t>(credit_limit[1]) << 32 | credit_limit[0];
    beat.credit_infinite = static_cast<std::uint32_t>(credit_infinite);
    target.monitor(static_cast<unsigned>(link)).beat(static_cast<std::uint64_t>(cycle), beat);
    target.stage(AgentLink0 + static_cast<unsigned>(link));
}

void sluicegate_monitor_quiet(long long cycle, int link, const svBitVecVal* credit_limit, int credit_infinite) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    const std::uint64_t limit = static_cast<std::uint64_t>(credit_limit[1]) << 32 | credit_limit[0];
    target.monitor(static_cast<unsigned>(link)).quiet(limit, static_cast<std::uint32_t>(credit_infinite));
    target.stage(AgentLink0 + static_cast<unsigned>(link));
}

void sluicegate_protocol_error(long long cycle, int link, int rule) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    target.monitor(static_cast<unsigned>(link)).report(static_cast<ProtocolRule>(rule));
    target.stage(AgentLink0 + static_cast<unsigned>(link));
}

// The access to present on the register bus: 1 while there is one.
int sluicegate_register_access(long long cycle, int* write, int* address, long long* data, int* strobe) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    const RegisterAccess access = target.cpu.register_access();
    *write = access.write ? 1 : 0;
    *address = static_cast<int>(access.address);
    *data = static_cast<long long>(access.data);
    *strobe = static_cast<int>(access.strobe);
    return access.valid ? 1 : 0;
}

void sluicegate_register_done(long long cycle, int write, int address, long long data, int strobe) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    target.staged_register = {write != 0, static_cast<std::uint32_t>(address), static_cast<std::uint32_t>(strobe),
                              static_cast<std::uint64_t>(data)};
    target.stage(AgentRegisterBus);
}

int sluicegate_memory_ready(long long cycle) {
    machine().advance(static_cast<std::uint64_t>(cycle));
    return machine().memory_port.request_ready() ? 1 : 0;
}

void sluicegate_memory_request(long long cycle, int id, int operation, long long address, int size, const svBitVecVal* data,
                               long long strobe, int attributes) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    MemoryPortRequest request;
    request.id = static_cast<std::uint32_t>(id);
    request.operation = static_cast<MemoryOperation>(operation);
    request.address = static_cast<std::uint64_t>(address);
    request.size = static_cast<std::uint32_t>(size);
    std::memcpy(request.data.data(), data, request.data.size());
    request.strobe = static_cast<std::uint64_t>(strobe);
    request.attributes = static_cast<std::uint32_t>(attributes);
    target.memory_port.stage(request);
    target.stage(AgentMemoryPort);
}

int sluicegate_memory_response(long long cycle, int* id, svBitVecVal* data, int* error, int* poison) {
    machine().advance(static_cast<std::uint64_t>(cycle));
    const std::optional<MemoryPortResponse> response = machine().memory_port.next_response();
    if (!response) return 0;
    *id = static_cast<int>(response->id);
    std::memcpy(data, response->data.data(), response->data.size());
    *error = response->error;
    *poison = response->poison;
    return 1;
}

int sluicegate_translation_next(long long cycle, int* id, int* device_id, int* process_id, int* bits, long long* iova) {
    machine().advance(static_cast<std::uint64_t>(cycle));
    const std::optional<TranslationRequest> request = machine().translation.next_request();
    if (!request) return 0;
    *id = static_cast<int>(request->id);
    *device_id = static_cast<int>(request->device_id);
    *process_id = static_cast<int>(request->process_id);
    *bits = static_cast<int>(request->bits);
    *iova = static_cast<long long>(request->iova);
    return 1;
}

int sluicegate_translation_ready(long long cycle) {
    machine().advance(static_cast<std::uint64_t>(cycle));
    return machine().translation.response_ready() ? 1 : 0;
}

void sluicegate_translation_request(long long cycle, int id, int device_id, int process_id, int bits, long long iova) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    target.translation.stage_request({static_cast<std::uint64_t>(iova), static_cast<std::uint32_t>(device_id),
                                      static_cast<std::uint32_t>(process_id), static_cast<std::uint32_t>(bits),
                                      static_cast<std::uint32_t>(id)});
    target.stage(AgentTranslationRequest);
}

void sluicegate_translation_response(long long cycle, int id, int bits, long long spa, int mrif_nid, long long mrif_nppn) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    target.translation.stage_response({static_cast<std::uint64_t>(spa), static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(id),
                                       static_cast<std::uint32_t>(mrif_nid), static_cast<std::uint64_t>(mrif_nppn)});
    target.stage(AgentTranslationResponse);
}

int sluicegate_message_next(long long cycle, int* device_id, int* process_id, int* bits, long long* payload) {
    machine().advance(static_cast<std::uint64_t>(cycle));
    const std::optional<DeviceMessage> message = machine().messages.next();
    if (!message) return 0;
    *device_id = static_cast<int>(message->device_id);
    *process_id = static_cast<int>(message->process_id);
    *bits = static_cast<int>(message->bits);
    *payload = static_cast<long long>(message->payload);
    return 1;
}

int sluicegate_message_ready(long long cycle) {
    machine().advance(static_cast<std::uint64_t>(cycle));
    return machine().messages.ready() ? 1 : 0;
}

void sluicegate_message_arrived(long long cycle, int device_id, int process_id, int bits, long long payload) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    target.messages.stage_arrived({static_cast<std::uint64_t>(payload), static_cast<std::uint32_t>(device_id),
                                   static_cast<std::uint32_t>(process_id), static_cast<std::uint32_t>(bits)});
    target.stage(AgentMessageArrived);
}

void sluicegate_message_sent(long long cycle, int device_id, int process_id, int bits, long long payload) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    target.messages.stage_sent({static_cast<std::uint64_t>(payload), static_cast<std::uint32_t>(device_id),
                                static_cast<std::uint32_t>(process_id), static_cast<std::uint32_t>(bits)});
    target.stage(AgentMessageSent);
}

int sluicegate_descriptor_next(long long cycle, int* id, svBitVecVal* descriptor) {
    machine().advance(static_cast<std::uint64_t>(cycle));
    const std::optional<DescriptorEntry> entry = machine().engine.next_descriptor();
    if (!entry) return 0;
    *id = static_cast<int>(entry->id);
    std::memcpy(descriptor, entry->bytes.data(), entry->bytes.size());
    return 1;
}

void sluicegate_descriptor_accepted(long long cycle, int id, const svBitVecVal* descriptor) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    DescriptorEntry entry;
    entry.id = static_cast<std::uint32_t>(id);
    std::memcpy(entry.bytes.data(), descriptor, entry.bytes.size());
    target.engine.stage_descriptor(entry);
    target.stage(AgentDescriptor);
}

int sluicegate_status_ready(long long cycle) {
    machine().advance(static_cast<std::uint64_t>(cycle));
    return machine().engine.status_ready() ? 1 : 0;
}

void sluicegate_status(long long cycle, int id, int code, int bytes, long long cookie) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    target.engine.stage_status({static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(code), static_cast<std::uint32_t>(bytes),
                                static_cast<std::uint64_t>(cookie)});
    target.stage(AgentStatus);
}

void sluicegate_wires(long long cycle, int lines) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    target.staged_wires = static_cast<std::uint32_t>(lines);
    target.stage(AgentWires);
}

void sluicegate_command(long long cycle, long long dword0, long long dword1) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    target.staged_command = {static_cast<std::uint64_t>(dword0), static_cast<std::uint64_t>(dword1)};
    target.stage(AgentCommand);
}

void sluicegate_fault(long long cycle) {
    machine().advance(static_cast<std::uint64_t>(cycle));
    machine().stage(AgentFault);
}

void sluicegate_lookup(long long cycle, int outcome) {
    Machine& target = machine();
    target.advance(static_cast<std::uint64_t>(cycle));
    target.staged_lookup = static_cast<std::uint32_t>(outcome);
    target.stage(AgentLookup);
}
}
