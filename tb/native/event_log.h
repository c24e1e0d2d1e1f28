// The ordered log of everything that happens in a simulation: fixed 64-byte records beside one stream of payload bytes.
// Python sees the same memory as a numpy structured array (tb/bridge/event_log.py); keep the two in step.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluicegate {

enum class EventKind : std::uint8_t {
    Tlp = 1,                   // source link; header, prefix; payload; address = routed address of memory requests, else 0; argument = cycles from sop to eop
    MemoryWrite = 2,           // source Actor; address, payload: one contiguous run of enabled bytes; argument = requester ID or port id; memory port: as MemoryRead
    MemoryRead = 3,            // source Actor; address, length; argument = requester ID (link) or id (memory port); no payload; memory port: header[0] = PBMT [25:24], MCID [23:12], RCID [11:0], [1] = operation (0 read, 1 write, 2 CAS64, 3 OR64; these two log a read, and a write when they store)
    TranslationRequest = 4,    // source port; address = IOVA; header[0] = id, [1] = device ID, [2] = process ID, [3] = request bits
    TranslationResponse = 5,   // source port; address = SPA; header[0] = id, [1] = response bits, [2] = MRIF NID, [3] = MRIF NPPN low; prefix = NPPN high
    RegisterWrite = 6,         // address = offset; header[0..1] = data low, high; argument = byte strobes
    RegisterRead = 7,          // as RegisterWrite, data read
    Interrupt = 8,             // argument = identity (IMSIC message data, or wired base + line); source 0 message, 1 wire
    Descriptor = 9,            // descriptor port handshake: payload = 64 descriptor bytes; argument = id
    Status = 10,               // status port handshake: argument = id; header[0] = code, [1] = bytes; address = cookie
    Mark = 11,                 // written by a driver or sequence: argument = MarkKind, the rest by kind
    IommuCommand = 12,         // the IOMMU completed a command: header[0..1] = dword 0, header[2..3] = dword 1
    ProtocolError = 13,        // a transactor saw a broken rule: source link, argument = ProtocolRule
    FaultRecord = 14,          // the IOMMU reported a fault record written (its bytes are a MemoryWrite)
    DeviceMessage = 15,        // a device's message reached the IOMMU core: address = payload (tags of an invalidate completion); header[0] = segment and requester ID, [1] = process ID, [2] = message bits
    IommuMessage = 16,         // the IOMMU core sent a message to a device: fields as DeviceMessage
    Lookup = 17,               // a translation request left the IOTLBs, in the order of the requests: argument = 1 first level, 2 second level, 3 miss
    CreditsHeld = 18,          // a quiet link: header[0..2] = credits that its receiver has not returned, 16 bits a kind; when they change
};

enum class Actor : std::uint8_t { Cpu = 0, Link = 1, Iommu = 2 };

// EventRecord::flags
constexpr std::uint16_t FlagPrefixValid = 1U << 0;
constexpr std::uint16_t FlagNullified = 1U << 1;   // TLP ended with err: the receiver discards it
constexpr std::uint16_t FlagFailed = 1U << 2;      // memory access answered with an error
constexpr std::uint16_t FlagPoisoned = 1U << 3;    // memory access answered with poison
constexpr unsigned FlagCreditShift = 4;            // TLP: what another one like it lacked at its sop; bit 4 a header credit, bit 5 data credits

// Request bits (TranslationRequest header[3])
constexpr std::uint32_t RequestPv = 1U << 0;
constexpr std::uint32_t RequestPriv = 1U << 1;
constexpr std::uint32_t RequestExec = 1U << 2;
constexpr std::uint32_t RequestWrite = 1U << 3;
constexpr std::uint32_t RequestNoWrite = 1U << 4;
constexpr unsigned RequestAtShift = 8;             // two bits

// Response bits (TranslationResponse header[1])
constexpr unsigned ResponseStatusShift = 0;        // two bits
constexpr unsigned ResponsePbmtShift = 4;          // two bits
constexpr unsigned ResponsePermissionsShift = 8;   // eight bits
constexpr unsigned ResponseSizeShift = 16;         // six bits
constexpr std::uint32_t ResponseMrif = 1U << 24;

// Message bits (DeviceMessage and IommuMessage header[2])
constexpr std::uint32_t MessagePv = 1U << 0;
constexpr std::uint32_t MessagePriv = 1U << 1;
constexpr std::uint32_t MessageExec = 1U << 2;
constexpr std::uint32_t MessageSegmentValid = 1U << 3;
constexpr std::uint32_t MessageInvalidate = 1U << 4;      // invalidate request; else, from the IOMMU, a page-request-group response
constexpr std::uint32_t MessageCompletion = 1U << 5;      // invalidate completion; else, from a device, a page request
constexpr unsigned MessageCountShift = 8;                 // three bits: completions announced
constexpr unsigned MessageItagShift = 16;                 // five bits

enum class ProtocolRule : std::uint32_t {
    CreditExceeded = 1,      // TLP presented without credit
    Unstable = 2,            // a beat changed while valid and not ready
    MissingSop = 3,          // data beat outside a TLP
    UnexpectedSop = 4,       // sop inside a TLP
    WrongBeatCount = 5,      // eop does not fit the header's length
    WrongEmpty = 6,          // empty does not fit the header's length
    SentWhileLinkDown = 7,
};

struct EventRecord {
    std::uint64_t cycle;
    std::uint8_t kind;
    std::uint8_t source;
    std::uint16_t flags;
    std::uint32_t length;              // bytes
    std::array<std::uint32_t, 4> header;
    std::uint32_t prefix;
    std::uint32_t argument;
    std::uint64_t address;
    std::uint64_t payload;             // position of the first payload byte in the payload stream of the run
    std::uint64_t sequence;            // index of this record in the run
};
static_assert(sizeof(EventRecord) == 64);

// Records and payload live in two rings; Python drains both before they fill (half full rings the doorbell), so that the log
// never delays the design. A full ring is an error of the run, never a silent loss.
class EventLog {
  public:
    EventLog(std::size_t records, std::size_t payload_bytes);
    void reset();

    // Appends a record (its sequence and payload position are set here) and its payload.
    void append(EventRecord record, std::span<const std::uint8_t> payload);

    bool half_full() const;
    bool overflowed() const { return overflow_; }
    std::uint64_t written() const { return record_write_; }
    std::uint64_t payload_written() const { return payload_write_; }
    void release(std::uint64_t records, std::uint64_t payload_bytes);

    const EventRecord* records() const { return records_.data(); }
    std::size_t record_capacity() const { return records_.size(); }
    const std::uint8_t* payload() const { return payload_.data(); }
    std::size_t payload_capacity() const { return payload_.size(); }
    std::uint64_t record_read() const { return record_read_; }
    std::uint64_t payload_read() const { return payload_read_; }

  private:
    std::vector<EventRecord> records_;
    std::vector<std::uint8_t> payload_;
    std::uint64_t record_write_ = 0, record_read_ = 0;
    std::uint64_t payload_write_ = 0, payload_read_ = 0;
    bool overflow_ = false;
};

}  // namespace sluicegate
