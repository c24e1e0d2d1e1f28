// The C interface that Python loads from the simulator's own executable (tb/bridge/native.py declares the same).
#include <cstring>

#include "action.h"
#include "machine.h"

using namespace sluicegate;

extern "C" {

// Applies an action (action.h) and records it in the journal; the result is that of apply().
std::int64_t sluicegate_act(std::uint32_t kind, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d,
                            const std::uint8_t* blob, std::uint64_t blob_bytes) {
    const Action action{static_cast<ActionKind>(kind), a, b, c, d, {blob, blob == nullptr ? 0 : blob_bytes}};
    const std::int64_t result = apply(action);
    if (result >= 0) journal().record(machine().cycle(), action);
    return result;
}

int sluicegate_record_journal(const char* path) { return journal().record_to(path) ? 0 : -1; }

std::uint64_t sluicegate_cycle() { return machine().cycle(); }

int sluicegate_read_memory(std::uint64_t address, std::uint8_t* out, std::uint64_t bytes) {
    machine().settle();
    return static_cast<int>(machine().host.memory.read(address, {out, bytes}));
}

// Base pointer of flat region `index`; its address and size through the pointers. Null past the last.
const std::uint8_t* sluicegate_memory_region(std::uint32_t index, std::uint64_t* base, std::uint64_t* bytes) {
    const auto& regions = machine().host.memory.regions();
    if (index >= regions.size()) return nullptr;
    *base = regions[index]->base;
    *bytes = regions[index]->bytes.size();
    return regions[index]->bytes.data();
}

struct sluicegate_log_window {
    const EventRecord* records;
    std::uint64_t record_capacity, record_read, record_write;
    const std::uint8_t* payload;
    std::uint64_t payload_capacity, payload_read, payload_write;
    std::uint64_t overflowed;
};

// The rings and their positions, after everything of this cycle is in.
void sluicegate_log(sluicegate_log_window* window) {
    machine().settle();
    const EventLog& log = machine().host.log;
    *window = {log.records(), log.record_capacity(), log.record_read(), log.written(), log.payload(), log.payload_capacity(),
               log.payload_read(), log.payload_written(), log.overflowed() ? 1ULL : 0ULL};
}
void sluicegate_log_release(std::uint64_t records, std::uint64_t payload_bytes) { machine().host.log.release(records, payload_bytes); }

void sluicegate_arm(std::uint32_t slot, std::uint32_t kind, std::uint32_t argument, std::uint64_t threshold) {
    if (slot < Doorbell::Slots) machine().doorbell.arm(slot, {static_cast<WakeKind>(kind), argument, threshold});
}
void sluicegate_disarm(std::uint32_t slot) {
    if (slot < Doorbell::Slots) machine().doorbell.disarm(slot);
}
std::uint32_t sluicegate_fired() { return machine().doorbell.take_fired(); }
std::uint64_t sluicegate_rings() { return machine().doorbell.rings(); }

// 1 when the access is done; its completion status and data through the pointers.
int sluicegate_cpu_result(std::uint64_t ticket, std::uint32_t* status, std::uint64_t* value) {
    machine().settle();
    const CpuResult result = machine().cpu.result(ticket);
    *status = result.status;
    *value = result.value;
    return result.done ? 1 : 0;
}
std::uint32_t sluicegate_interrupt_pending(std::uint32_t identity) {
    machine().settle();
    return machine().host.interrupts.pending(identity);
}
}
