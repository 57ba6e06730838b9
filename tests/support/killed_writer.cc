// The threads of the child, and what its parent asks of the log.
#include "support/killed_writer.h"

#include <fmt/format.h>

#include <array>
#include <deque>
#include <thread>
#include <vector>

#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {

Options random_writer_options(std::mt19937_64& random) {
  constexpr std::array kMethods{SyncMethod::automatic, SyncMethod::direct_dsync, SyncMethod::dsync,
                                SyncMethod::fdatasync};
  constexpr std::array kAlignments{0U, 0U, 512U, 4096U};
  return {.segment_bytes = uint64_t{4608} << (random() % 4),
          .sync_method = kMethods[random() % kMethods.size()],
          .standby_segments = static_cast<uint32_t>(random() % 4),
          .async_bytes = random() % 2 == 0 ? 4096U : 64U << 20,
          .sync_interval_ms = 5,
          .flush_interval_ms = 1,
          .frame_alignment = kAlignments[random() % kAlignments.size()]};
}

int work_until_killed(const std::string& path, const Options& options, uint64_t seed,
                      LogHistory& history) {
  auto log = Log::open(path, options);
  if (!log) {
    history.life.complain(log.error());
    return 3;
  }
  history.note_opening(*log);
  history.life.opened.add(1);
  std::mt19937_64 random(seed);
  std::deque<HistoryWriter> writers;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < LogHistory::kWriters; ++i) {
    HistoryWriter& writer = writers.emplace_back(history, *log, i, random());
    threads.emplace_back([&] {
      while (true) {
        if (auto done = writer.step(); !done) return history.life.complain(done.error());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 4;
}

std::optional<std::string> SurvivingLog::look() {
  const auto report = ReadOnlyLog::verify(path_);
  if (!report) {
    // Killed before the log was made.
    if (report.error().code() == ErrorCode::not_found && check_.records() == 0) return {};
    return fmt::format("verify: {}", report.error().message());
  }
  if (report->verdict == VerifyReport::Verdict::corruption) {
    return fmt::format("verify: {}", report->findings.front().what);
  }
  const auto log = ReadOnlyLog::open(path_);
  if (!log) return fmt::format("open to read: {}", log.error().message());
  if (auto wrong = check_.compare(*log)) return wrong;
  if (check_.records() != report->records) return "verify counts other records than were read";
  return std::nullopt;
}

std::optional<std::string> SurvivingLog::recover(const Options& options, bool closes) {
  auto log = Log::open(path_, options);
  if (!log) return fmt::format("open: {}", log.error().message());
  const RecoveryReport& report = log->recovery_report();
  if (report.outcome == RecoveryReport::Outcome::torn_tail) ++torn_tails_;
  if (auto wrong = check_.compare(*log)) return wrong;
  if (check_.records() != report.records) return "the report counts other records than were read";
  if (!closes) return std::nullopt;
  if (auto closed = log->close(); !closed)
    return fmt::format("close: {}", closed.error().message());
  return std::nullopt;
}

std::optional<std::string> SurvivingLog::look_or_recover(std::mt19937_64& random) {
  const uint64_t pick = random() % 8;
  const Options options{.segment_bytes = 8192, .background = BackgroundWork::stepped};
  if (pick < 3) return look();
  if (pick < 6) return recover(options, random() % 2 == 0);
  return std::nullopt;
}

}  // namespace writeahead::test
