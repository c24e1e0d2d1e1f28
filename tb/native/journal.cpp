#include "action.h"

#include <array>
#include <cstring>

namespace sluicegate {

namespace {
// One entry: cycle, kind | blob length << 32, a, b, c, d, then the blob.
using EntryHeader = std::array<std::uint64_t, 6>;
}  // namespace

Journal& journal() {
    static Journal instance;
    return instance;
}

bool Journal::record_to(const std::string& path) {
    file_.reset(path.empty() ? nullptr : std::fopen(path.c_str(), "wb"));
    return path.empty() || file_ != nullptr;
}

void Journal::record(std::uint64_t cycle, const Action& action) {
    if (!file_) return;
    const EntryHeader header{cycle, static_cast<std::uint64_t>(action.kind) | action.blob.size() << 32, action.a, action.b, action.c, action.d};
    std::fwrite(header.data(), sizeof header, 1, file_.get());
    if (!action.blob.empty()) std::fwrite(action.blob.data(), action.blob.size(), 1, file_.get());
}

std::vector<JournalEntry> read_journal(const std::string& path) {
    std::vector<JournalEntry> entries;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (!file) {
        std::fprintf(stderr, "cannot read the journal %s\n", path.c_str());
        return entries;
    }
    EntryHeader header{};
    while (std::fread(header.data(), sizeof header, 1, file.get()) == 1) {
        JournalEntry entry;
        entry.cycle = header[0];
        entry.action.kind = static_cast<ActionKind>(header[1] & 0xFFFFFFFFU);
        entry.action.a = header[2];
        entry.action.b = header[3];
        entry.action.c = header[4];
        entry.action.d = header[5];
        entry.bytes.resize(header[1] >> 32);
        if (!entry.bytes.empty() && std::fread(entry.bytes.data(), entry.bytes.size(), 1, file.get()) != 1) {
            std::fprintf(stderr, "the journal %s ends inside an entry\n", path.c_str());
            return {};
        }
        entries.push_back(std::move(entry));
        entries.back().action.blob = entries.back().bytes;
    }
    return entries;
}

}  // namespace sluicegate
