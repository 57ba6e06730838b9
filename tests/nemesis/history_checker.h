// HistoryChecker: whether what processes saw of a log, together with what the log holds in the end,
// keeps the seven rules of a replicated log.
//
// Every acknowledgement names its place, so that nothing has to be searched for: all of it is
// sorting, O(n log n).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nemesis/operation.h"

namespace writeahead::nemesis {

/// The rules, by their numbers.
enum class Rule : uint8_t {
  acknowledged_is_there = 1,  ///< Once, at its Lsn, in the final log.
  lsn_has_one_value = 2,      ///< In acknowledgements, reads, and the final log.
  read_is_a_slice = 3,        ///< Without a gap, of the final log.
  order_of_time = 4,          ///< ack(A) before invoke(B) implies lsn(A) < lsn(B).
  read_reaches = 5,           ///< What was acknowledged before it began.
  unknown_at_most_once = 6,   ///< What was refused, or never appended, not at all; a batch whole.
  epochs_never_fall = 7,      ///< And no owner appends behind a takeover.
};
inline constexpr size_t kRules = 7;

struct Violation {
  Rule rule;
  std::string text;  ///< The operation, its Lsn, its time in s since the first one.
};

/// A record of the log as it is in the end.
struct FinalRecord {
  uint64_t lsn = 0;
  uint64_t id = 0;  ///< kDamagedId if its bytes are no writer's.
};

/// What was compared, so that nothing passes for being empty.
struct HistoryCounts {
  uint64_t openings = 0;
  uint64_t acknowledged = 0;
  uint64_t trimmed = 0;        ///< Of those, the ones that the final log has given up.
  uint64_t unknown = 0;        ///< Appends without an answer, or with one that leaves it open ...
  uint64_t unknown_there = 0;  ///< ... and those of them that are in the final log.
  uint64_t refused = 0;
  uint64_t reads = 0;
  uint64_t failed_reads = 0;  ///< They say nothing.
  uint64_t records_read = 0;
  uint64_t zombie_appends = 0;  ///< Begun by an owner after another one had taken the log over ...
  uint64_t zombies_accepted = 0;     ///< ... and acknowledged, or in the final log.
  uint64_t zombie_changes = 0;       ///< Appends that a fenced owner made at the cluster itself ...
  uint64_t zombie_changes_made = 0;  ///< ... and those that were not refused.
  uint64_t final_records = 0;
};

class HistoryChecker {
 public:
  /// What one process did; `process` is what its ids begin with.
  void add(uint64_t process, std::span<const Operation> operations);
  /// All records that the log holds when everybody is gone, in its order, and where it begins.
  void set_final(std::vector<FinalRecord> records, uint64_t first_lsn) {
    final_ = std::move(records);
    first_lsn_ = first_lsn;
  }

  /// All violations; called once.
  [[nodiscard]] std::vector<Violation> check();
  [[nodiscard]] const HistoryCounts& counts() const { return counts_; }

 private:
  struct Append {
    uint64_t process;
    Operation operation;
  };
  struct Read {
    uint64_t process;
    Operation operation;
    size_t first_seen;  // in seen_
  };
  struct Seen {
    uint64_t lsn;
    uint64_t id;
  };
  using Reach = std::vector<std::pair<uint64_t, uint64_t>>;  // time of an answer, highest Lsn

  void index();
  void count();
  void check_trims();
  void check_acknowledged();
  void check_values();
  void check_slice(const Read& read);
  void check_order();
  void check_reads();
  void check_final_ids();
  void check_batches();
  void check_epochs();
  void check_zombies();
  void check_zombie_changes();

  [[nodiscard]] static bool is_done(const Operation& operation) {
    return operation.outcome == Operation::Outcome::done;
  }
  [[nodiscard]] static std::string name_of(uint64_t id);
  void report(Rule rule, std::string text);
  [[nodiscard]] std::string describe(const Append& append) const;
  [[nodiscard]] std::string describe(const Read& read) const;
  [[nodiscard]] std::string time(uint64_t ns) const;
  [[nodiscard]] const Append* find_append(uint64_t id) const;
  [[nodiscard]] const FinalRecord* find_final(uint64_t lsn) const;
  [[nodiscard]] size_t times_in_final(uint64_t id) const;
  [[nodiscard]] Reach reach_of(const std::vector<const Append*>& appends) const;
  [[nodiscard]] static std::optional<uint64_t> reached_before(const Reach& reach, uint64_t ns);

  std::vector<Append> appends_;  // by id, once indexed
  std::vector<Append> opens_;    // by the time of their answer, once indexed
  std::vector<Append> zombies_;  // at the cluster itself
  std::vector<Read> reads_;
  std::vector<Seen> seen_;
  std::vector<FinalRecord> final_;
  uint64_t first_lsn_ = 0;
  uint64_t trimmed_to_ = 0;          // at the most, by anybody
  std::vector<uint64_t> final_ids_;  // sorted
  uint64_t begin_ns_ = UINT64_MAX;
  HistoryCounts counts_;
  std::vector<Violation> violations_;
  std::array<uint64_t, kRules + 1> per_rule_ = {};
};

}  // namespace writeahead::nemesis
