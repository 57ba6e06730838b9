// KilledWriter: a child that does random things to a log from several threads until it is killed.
// SurvivingLog: that log afterwards, with all that is known of it; always the same one, so that
// each recovery starts from what all earlier ones left.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "support/forked_process.h"
#include "support/log_history.h"
#include "writeahead/options.h"

namespace writeahead::test {

/// Small segments, short intervals, and whatever else a writer may choose: segment size, sync
/// method, alignment, standbys, and how much may be in memory.
[[nodiscard]] Options random_writer_options(std::mt19937_64& random);

/// The child: opens the log and works until it is killed, or the log fails.
int work_until_killed(const std::string& path, const Options& options, uint64_t seed,
                      LogHistory& history);

class SurvivingLog {
 public:
  SurvivingLog(std::string path, LogHistory& history, Durability safe)
      : path_(std::move(path)), check_(history, safe) {}

  // Each says the first thing that is wrong in words; nothing if the log is what was done to it.

  /// Without repairing anything. What is found stays.
  [[nodiscard]] std::optional<std::string> look();
  /// Opens it for writing, and closes it properly or just goes away.
  [[nodiscard]] std::optional<std::string> recover(const Options& options, bool closes);
  /// One of these, or nothing: then the next writer recovers what nobody has looked at.
  [[nodiscard]] std::optional<std::string> look_or_recover(std::mt19937_64& random);

  [[nodiscard]] const LogHistoryCheck& check() const { return check_; }
  [[nodiscard]] uint64_t torn_tails() const { return torn_tails_; }

 private:
  const std::string path_;
  LogHistoryCheck check_;
  uint64_t torn_tails_ = 0;
};

}  // namespace writeahead::test
