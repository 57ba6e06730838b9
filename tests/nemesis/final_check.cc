// Reading the final log, and what is printed.
#include "nemesis/final_check.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "nemesis/history_checker.h"
#include "nemesis/history_file.h"
#include "nemesis/life.h"
#include "support/counts.h"
#include "writeahead/read_only_log.h"

namespace writeahead::nemesis {
namespace {

struct FinalLog {
  std::vector<FinalRecord> records;
  Lsn first_lsn;
};

/// All records, or why they cannot be read.
Result<FinalLog> read_all(const std::string& address) {
  const auto verified = ReadOnlyLog::verify(address);
  if (!verified) return std::unexpected(verified.error());
  if (verified->verdict != VerifyReport::Verdict::ok) {
    return std::unexpected(Error(ErrorCode::corruption, "verify log: it is not sound"));
  }
  const auto log = ReadOnlyLog::open(address);
  if (!log) return std::unexpected(log.error());
  std::vector<FinalRecord> records;
  for (auto& record : log->reader(log->first_lsn())) {
    if (!record) return std::unexpected(record.error());
    records.push_back({.lsn = record->lsn.value(), .id = id_of_payload(record->payload)});
  }
  if (records.size() != verified->records) {
    return std::unexpected(
        Error(ErrorCode::corruption, fmt::format("read log: {} records, where verify found {}",
                                                 records.size(), verified->records)));
  }
  return FinalLog{.records = std::move(records), .first_lsn = log->first_lsn()};
}

void print_counts(const HistoryCounts& counts) {
  const auto print = [](std::string_view what, uint64_t count) {
    test::print_count(test::part::kNemesis, what, count);
  };
  print("openings", counts.openings);
  print("acknowledged records", counts.acknowledged);
  print("of those trimmed", counts.trimmed);
  print("of unknown result", counts.unknown);
  print("of those in the log", counts.unknown_there);
  print("refused", counts.refused);
  print("reads", counts.reads);
  print("reads without an answer", counts.failed_reads);
  print("records read", counts.records_read);
  print("records in the final logs", counts.final_records);
  print("appends of zombies", counts.zombie_appends);
  print("of those accepted", counts.zombies_accepted);
  print("appends of zombies at the cluster itself", counts.zombie_changes);
  print("of those made", counts.zombie_changes_made);
}

}  // namespace

bool check_run(const std::filesystem::path& directory, const std::string& address,
               uint64_t least_acknowledged) {
  HistoryChecker checker;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".history") continue;
    const std::string number = entry.path().stem().string();
    uint64_t process = 0;
    std::from_chars(number.data(), number.data() + number.size(), process);
    checker.add(process, HistoryFile::read(entry.path()));
  }
  auto log = read_all(address);
  uint64_t violations = 0;
  if (log) {
    checker.set_final(std::move(log->records), log->first_lsn.value());
  } else {
    // What cannot be read is lost.
    fmt::print("violation: rule 1: the final log cannot be read: {}\n", log.error().message());
    ++violations;
  }
  for (const Violation& violation : checker.check()) {
    fmt::print("violation: {}\n", violation.text);
    ++violations;
  }
  print_counts(checker.counts());
  const HistoryCounts& counts = checker.counts();
  const bool has_much = counts.acknowledged >= least_acknowledged && counts.reads > 0;
  if (!has_much) {
    fmt::print("too little to check: {} acknowledged records, {} reads; at least {} and 1\n",
               counts.acknowledged, counts.reads, least_acknowledged);
  }
  return violations == 0 && has_much;
}

}  // namespace writeahead::nemesis
