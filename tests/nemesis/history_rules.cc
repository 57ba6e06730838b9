// The seven rules, each a function or two.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "nemesis/history_checker.h"

namespace writeahead::nemesis {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
using Scope = Operation::Scope;

}  // namespace

/// Of rule 1: nothing goes that nobody has given up. Where the log begins before any trim is its
/// own.
void HistoryChecker::check_trims() {
  const bool has_lost = std::ranges::any_of(appends_, [&](const Append& append) {
    return is_done(append.operation) && append.operation.lsn < first_lsn_;
  });
  if (!has_lost || first_lsn_ <= trimmed_to_) return;
  report(
      Rule::acknowledged_is_there,
      fmt::format("the final log begins at {}, behind acknowledged records, and was trimmed to {} "
                  "at the most",
                  first_lsn_, trimmed_to_));
}

/// Rule 1: at its Lsn, unless that was trimmed, and not a second time.
void HistoryChecker::check_acknowledged() {
  for (const Append& append : appends_) {
    if (!is_done(append.operation) || append.operation.lsn < first_lsn_) continue;
    const FinalRecord* const found = find_final(append.operation.lsn);
    if (found == nullptr) {
      report(Rule::acknowledged_is_there, describe(append) + " is not in the final log");
    } else if (found->id != append.operation.id) {
      report(Rule::acknowledged_is_there,
             fmt::format("{}: the final log has {} there", describe(append), name_of(found->id)));
    }
    if (const size_t times = times_in_final(append.operation.id); times > 1) {
      report(Rule::acknowledged_is_there,
             fmt::format("{} is in the final log {} times", describe(append), times));
    }
  }
}

/// Rule 2.
void HistoryChecker::check_values() {
  std::vector<Seen> all = seen_;
  for (const Append& append : appends_) {
    if (is_done(append.operation)) all.push_back({append.operation.lsn, append.operation.id});
  }
  for (const FinalRecord& record : final_) all.push_back({record.lsn, record.id});
  std::ranges::sort(all, {}, [](const Seen& seen) { return std::pair(seen.lsn, seen.id); });
  for (size_t i = 1; i < all.size(); ++i) {
    const Seen& one = all[i - 1];
    const Seen& next = all[i];
    if (one.lsn != next.lsn || one.id == next.id) continue;
    report(Rule::lsn_has_one_value, fmt::format("Lsn {} was seen with {} and with {}", one.lsn,
                                                name_of(one.id), name_of(next.id)));
  }
}

/// Rules 3 and 5.
void HistoryChecker::check_reads() {
  std::vector<const Append*> everyone;
  std::map<uint64_t, std::vector<const Append*>> own;
  for (const Append& append : appends_) {
    if (!is_done(append.operation)) continue;
    everyone.push_back(&append);
    own[append.process].push_back(&append);
  }
  const Reach reach = reach_of(everyone);
  std::map<uint64_t, Reach> own_reach;
  for (const auto& [process, appends] : own) own_reach[process] = reach_of(appends);
  for (const Read& read : reads_) {
    const Operation& operation = read.operation;
    if (operation.outcome == Outcome::damaged) {
      report(Rule::read_is_a_slice, describe(read) + " found damage");
    }
    if (operation.outcome == Outcome::missing) {
      report(Rule::read_reaches, describe(read) +
                                     " found nothing, where an append had been "
                                     "acknowledged before it began");
    }
    if (!is_done(operation)) continue;
    check_slice(read);
    if (operation.kind == Kind::point || operation.scope == Scope::none) continue;
    const Reach& least = operation.scope == Scope::everyone ? reach : own_reach[read.process];
    const auto highest = reached_before(least, operation.invoked_ns);
    if (highest && operation.end <= *highest) {
      report(Rule::read_reaches,
             fmt::format("{} ended at {}, but the record at {} had been acknowledged before it "
                         "began",
                         describe(read), operation.end, *highest));
    }
  }
}

/// Rule 3: what was seen is what the final log has from where the read began, one after the other;
/// of what was trimmed, it has nothing.
void HistoryChecker::check_slice(const Read& read) {
  const Operation& operation = read.operation;
  const size_t count = operation.kind == Kind::point ? 1 : operation.count;
  auto place = std::ranges::lower_bound(final_, operation.lsn, {}, &FinalRecord::lsn);
  for (size_t i = 0; i < count; ++i) {
    const Seen& seen = seen_[read.first_seen + i];
    if (seen.lsn < first_lsn_) continue;
    if (place != final_.end() && place->lsn == seen.lsn && place->id == seen.id) {
      ++place;
      continue;
    }
    report(Rule::read_is_a_slice,
           fmt::format("{} saw {} at {}, where the final log has {}", describe(read),
                       name_of(seen.id), seen.lsn,
                       place == final_.end()
                           ? "ended"
                           : fmt::format("{} at {}", name_of(place->id), place->lsn)));
    return;
  }
}

/// Rule 4, also for those that were not acknowledged and are there.
void HistoryChecker::check_order() {
  std::vector<const Append*> done;
  std::map<uint64_t, const Append*> by_lsn;
  for (const Append& append : appends_) {
    if (!is_done(append.operation)) continue;
    done.push_back(&append);
    by_lsn[append.operation.lsn] = &append;
  }
  const Reach reach = reach_of(done);
  const auto judge = [&](const Append& append, uint64_t lsn) {
    const auto before = reached_before(reach, append.operation.invoked_ns);
    if (!before || lsn > *before) return;
    report(Rule::order_of_time, fmt::format("{} lies at {}, not behind {}", describe(append), lsn,
                                            describe(*by_lsn[*before])));
  };
  for (const Append* append : done) judge(*append, append->operation.lsn);
  for (const FinalRecord& record : final_) {
    const Append* const append = find_append(record.id);
    if (append != nullptr && !is_done(append->operation)) judge(*append, record.lsn);
  }
}

/// Rule 6.
void HistoryChecker::check_final_ids() {
  for (const FinalRecord& record : final_) {
    const Append* const append = find_append(record.id);
    if (append == nullptr) {
      report(Rule::unknown_at_most_once,
             fmt::format("the final log has {} at {}, which was never appended", name_of(record.id),
                         record.lsn));
      continue;
    }
    if (append->operation.outcome == Outcome::refused) {
      report(Rule::unknown_at_most_once,
             fmt::format("{} is in the final log at {}", describe(*append), record.lsn));
    }
    if (!is_done(append->operation) && times_in_final(record.id) > 1) {
      report(Rule::unknown_at_most_once,
             fmt::format("{} is in the final log {} times, at {} too", describe(*append),
                         times_in_final(record.id), record.lsn));
    }
  }
}

/// Of rule 6, too: the records of a batch are there together.
void HistoryChecker::check_batches() {
  for (const Append& append : appends_) {
    const Operation& first = append.operation;
    if (first.index != 0 || first.count < 2) continue;
    size_t there = 0;
    for (uint32_t i = 0; i < first.count; ++i) {
      there += std::min<size_t>(times_in_final(first.id + i), 1);
    }
    if (there == 0 || there == first.count) continue;
    report(Rule::unknown_at_most_once,
           fmt::format("of the batch of {} records that {} begins, the final log has {}",
                       first.count, describe(append), there));
  }
}

/// Rule 7, along the log.
void HistoryChecker::check_epochs() {
  uint64_t highest = 0;
  for (const FinalRecord& record : final_) {
    const Append* const append = find_append(record.id);
    if (append == nullptr) continue;
    if (append->operation.epoch < highest) {
      report(Rule::epochs_never_fall,
             fmt::format("{}, of epoch {}, lies at {}, behind epoch {}", describe(*append),
                         append->operation.epoch, record.lsn, highest));
    }
    highest = std::max(highest, append->operation.epoch);
  }
}

/// Rule 7, in time: what an owner began once another one's opening had been answered.
void HistoryChecker::check_zombies() {
  // When a higher epoch than the key was there for the first time.
  std::map<uint64_t, const Append*> first_above;
  for (const Append& open : opens_) first_above[open.operation.epoch] = nullptr;
  for (auto& [epoch, first] : first_above) {
    const auto above = std::ranges::find_if(
        opens_, [&](const Append& open) { return open.operation.epoch > epoch; });
    if (above != opens_.end()) first = &*above;
  }
  for (const Append& append : appends_) {
    const auto found = first_above.find(append.operation.epoch);
    if (found == first_above.end() || found->second == nullptr) continue;
    const Operation& takeover = found->second->operation;
    if (append.operation.invoked_ns <= takeover.answered_ns) continue;
    ++counts_.zombie_appends;
    if (!is_done(append.operation) && times_in_final(append.operation.id) == 0) continue;
    ++counts_.zombies_accepted;
    report(Rule::epochs_never_fall,
           fmt::format("{}, of epoch {}, was accepted although epoch {} had been opened at {}",
                       describe(append), append.operation.epoch, takeover.epoch,
                       time(takeover.answered_ns)));
  }
}

/// Rule 7, at the cluster itself; one whose answer says nothing is not counted.
void HistoryChecker::check_zombie_changes() {
  for (const Append& zombie : zombies_) {
    if (!is_done(zombie.operation) && zombie.operation.outcome != Outcome::refused) continue;
    ++counts_.zombie_changes;
    if (!is_done(zombie.operation)) continue;
    ++counts_.zombie_changes_made;
    report(Rule::epochs_never_fall,
           fmt::format("the cluster made an append of process {}, of epoch {}, at {}, when it had "
                       "been fenced",
                       zombie.process, zombie.operation.epoch, time(zombie.operation.invoked_ns)));
  }
}

}  // namespace writeahead::nemesis
