// A program of a user: public headers, installed or not, and the library, static or shared.
// Keeps a log in the directory that it is started in. Exits with 0 if it read what it wrote.
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "writeahead/batch.h"
#include "writeahead/env.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/version.h"

namespace {

constexpr const char* kDirectory = "consumer.log";

bool is(const writeahead::Result<writeahead::RecordView>& record, std::string_view expected) {
  return record && std::string_view(reinterpret_cast<const char*>(record->payload.data()),
                                    record->payload.size()) == expected;
}

/// Explains the first error on standard error.
bool fail(const writeahead::Error& error) {
  std::fprintf(stderr, "%s: %s\n", std::string(writeahead::to_string(error.code())).c_str(),
               std::string(error.message()).c_str());
  return false;
}

bool writes_and_reads() {
  auto opened = writeahead::Log::open(kDirectory, {.segment_bytes = 64 << 10});
  if (!opened) return fail(opened.error());
  writeahead::Log log = std::move(*opened);
  const auto first = log.append("first");
  if (!first) return fail(first.error());
  writeahead::Batch batch;
  batch.add("second");
  batch.add("third", {.type = 7});
  const auto range = log.append(batch);
  if (!range) return fail(range.error());
  int records = 0;
  for (auto& record : log.reader(log.first_lsn())) {
    if (!record) return fail(record.error());
    ++records;
  }
  const bool is_right = records == 3 && is(log.read(*first), "first") && is(log.last(), "third") &&
                        is(log.read(batch.lsn(0, *range)), "second") &&
                        log.find_ordinal(0) == *first && log.stats().records == 3 &&
                        log.durable_lsn() == log.end_lsn() && !log.is_empty();
  const auto closed = log.close();
  return closed ? is_right : fail(closed.error());
}

bool reads_beside() {
  const auto verified = writeahead::ReadOnlyLog::verify(kDirectory);
  if (!verified) return fail(verified.error());
  const auto log = writeahead::ReadOnlyLog::open(kDirectory, {.env = &writeahead::Env::posix()});
  if (!log) return fail(log.error());
  return verified->verdict == writeahead::VerifyReport::Verdict::ok && log->records() == 3;
}

}  // namespace

int main() {
  std::filesystem::remove_all(kDirectory);
  const bool is_good = writes_and_reads() && reads_beside();
  std::printf("writeahead %s: %s\n", WRITEAHEAD_VERSION, is_good ? "good" : "not as it should be");
  return is_good ? 0 : 1;
}
