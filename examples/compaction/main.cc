// Compaction of keyed state: a log that keeps the newest value of each key, in bounded space.
//
//   example_compaction [DIR]     DIR must not hold a log yet
//
// The index in memory leads from each key to the address of its newest record. What the oldest
// segments still have of live records is appended again, and then they are trimmed. A crash in
// between leaves some records twice, which a replay does not notice: the newest one wins.
#include <algorithm>
#include <expected>
#include <iostream>
#include <map>
#include <string>

#include "writeahead/log.h"

namespace {

using writeahead::Log;
using writeahead::Lsn;
using writeahead::RecordView;
using writeahead::Result;

constexpr size_t kMostSegments = 6;

Result<Log> open_log(const std::string& directory) {
  return Log::open(directory, {.segment_bytes = 8192});
}

std::string text_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}
std::string key_of(const std::string& text) { return text.substr(0, text.find('=')); }

/// Key to the address of its newest record.
using Index = std::map<std::string, Lsn>;

Result<Index> replay(const Log& log) {
  Index index;
  for (auto& record : log.reader(log.first_lsn())) {
    if (!record) return std::unexpected(record.error());
    index[key_of(text_of(*record))] = record->lsn;
  }
  return index;
}

/// Moves what is live out of the older half of the segments, and gives that half up.
Result<void> compact(Log& log, Index& index) {
  const auto segments = log.segments();
  const Lsn border = segments[segments.size() / 2].base_lsn;
  for (auto& [key, lsn] : index) {
    if (lsn >= border) continue;
    const auto record = log.read(lsn);
    if (!record) return std::unexpected(record.error());
    const auto moved = log.append(record->payload);
    if (!moved) return std::unexpected(moved.error());
    lsn = *moved;
  }
  // Every live record below is durable above by now.
  return log.trim_before(border);
}

/// Answers whether all was as it should be.
Result<bool> run(const std::string& directory) {
  auto log = open_log(directory);
  if (!log) return std::unexpected(log.error());
  Index index;
  std::map<std::string, std::string> model;
  size_t most_segments = 0;
  int compactions = 0;
  for (int i = 0; i < 300; ++i) {
    // Some keys are written once and have to be carried along, the others again and again.
    const std::string key = i < 10 ? "once" + std::to_string(i) : "key" + std::to_string(i % 5);
    const std::string text = key + "=" + std::to_string(i) + std::string(200, '.');
    const auto lsn = log->append(text);
    if (!lsn) return std::unexpected(lsn.error());
    index[key] = *lsn;
    model[key] = text;
    if (log->segments().size() > kMostSegments) {
      if (auto done = compact(*log, index); !done) return std::unexpected(done.error());
      ++compactions;
    }
    most_segments = std::max(most_segments, log->segments().size());
  }
  if (auto closed = log->close(); !closed) return std::unexpected(closed.error());

  log = open_log(directory);
  if (!log) return std::unexpected(log.error());
  const auto found = replay(*log);
  if (!found) return std::unexpected(found.error());
  bool is_right = *found == index && found->size() == model.size() && compactions > 0;
  for (const auto& [key, lsn] : *found) {
    const auto record = log->read(lsn);
    if (!record) return std::unexpected(record.error());
    is_right = is_right && text_of(*record) == model[key];
  }
  const bool is_bounded = most_segments <= kMostSegments + 1 && log->first_lsn() > Lsn{};
  std::cout << found->size() << " keys, each with its newest value: " << (is_right ? "yes" : "no")
            << "\nspace stayed bounded: " << (is_bounded ? "yes" : "no") << "\n";
  return is_right && is_bounded;
}

}  // namespace

int main(int count, char** arguments) {
  const auto done = run(count > 1 ? arguments[1] : "compaction.log");
  if (!done) {
    std::cerr << writeahead::to_string(done.error().code()) << ": " << done.error().message()
              << "\n";
    return 1;
  }
  std::cout.flush();
  return *done && std::cout.good() ? 0 : 1;
}
