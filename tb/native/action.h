// Everything the testbench does to the native machine, as data: applied at once, and recorded so that a bare main can replay the
// same traffic without Python.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sluicegate {

enum class ActionKind : std::uint32_t {
    Begin = 1,              // a = seed
    AddMemoryRegion = 2,    // a = base, b = bytes
    SetSparseMemory = 3,    // a = 0 or 1
    SetMemoryFault = 4,     // a = address, b = AccessStatus
    WriteMemory = 5,        // a = address, b = Actor; blob = bytes
    AttachHost = 6,         // a = request link, b = completion link, or all ones
    AttachCpu = 7,          // a = request link
    SetKnob = 8,            // a = Knob, b = link or kind << 8 | link, c = value
    SetInterruptPage = 9,   // a = base, b = bytes
    SetRegisterPage = 10,   // a = base, b = bytes
    AddCompleterFault = 11, // a = link, b = base, c = bytes, d = CompleterFault
    SubmitCpuAccess = 12,   // a = CpuOperation | width << 8, b = address, c = value
    SendTlp = 13,           // a = link, b = not before cycle, c = prefix | prefix_valid << 32 | nullified << 33; blob = header, payload
    Translate = 14,         // blob = TranslationRequest records of 24 bytes
    SubmitDescriptors = 15, // a = id of the first; blob = 64 bytes each, ids count up
    Mark = 16,              // a = argument, b = address, c = header[0..1], d = header[2..3]; blob = payload
    ConsumeInterrupt = 17,  // a = identity
    ForgetCpuAccess = 18,   // a = ticket
    SendMessage = 19,       // a message of a device to the IOMMU core: a = payload, b = device ID | process ID << 32, c = message bits (event_log.h)
};

// Knobs: how an agent behaves. Chances are of 65536.
enum class Knob : std::uint32_t {
    SourceStallChance = 1,
    SinkStallChance = 2,
    SinkRoom = 3,                 // index = kind << 8 | link
    SinkCreditDelay = 4,
    CompleterLatency = 5,
    CompleterJitter = 6,
    CompleterInterleaveChance = 7,
    CompleterBoundary = 8,        // read completion boundary, bytes
    CompleterMaxPayload = 9,      // bytes
    MemoryPortLatency = 10,
    MemoryPortJitter = 11,
    MemoryPortRequestStallChance = 12,
    MemoryPortResponseStallChance = 13,
    TranslationStallChances = 14, // request | response << 32
    TranslationIdentifiers = 15,
    EngineStallChances = 16,      // descriptor | status << 32
    CompleterCutChance = 17,
    MessageStallChances = 18,     // messages of devices | of the IOMMU << 32
};

struct Action {
    ActionKind kind = ActionKind::Begin;
    std::uint64_t a = 0, b = 0, c = 0, d = 0;
    std::span<const std::uint8_t> blob;
};

// Applies an action to the machine. Returns a ticket for SubmitCpuAccess, 1 for a ConsumeInterrupt that took one, else 0; a
// negative value when the action is impossible (nothing was changed).
std::int64_t apply(const Action& action);

// The record of a run's actions with the cycle of each.
class Journal {
  public:
    // An empty path stops recording.
    bool record_to(const std::string& path);
    void record(std::uint64_t cycle, const Action& action);

  private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Close> file_;
};

Journal& journal();

struct JournalEntry {
    std::uint64_t cycle = 0;
    Action action;                      // blob points into `bytes`
    std::vector<std::uint8_t> bytes;
};

// Reads a journal; empty when the file is missing or damaged (a message says which on stderr).
std::vector<JournalEntry> read_journal(const std::string& path);

}  // namespace sluicegate
