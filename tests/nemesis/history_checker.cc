// What is known of the operations, and how they are named. The rules are in history_rules.cc.
#include "nemesis/history_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace writeahead::nemesis {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
using Scope = Operation::Scope;

/// Whoever breaks a rule breaks it often.
constexpr uint64_t kShownPerRule = 10;

std::string_view word_for(Outcome outcome) {
  switch (outcome) {
    case Outcome::none:
      return "without an answer";
    case Outcome::done:
      return "acknowledged";
    case Outcome::refused:
      return "refused";
    default:
      return "of unknown result";
  }
}

}  // namespace

void HistoryChecker::add(uint64_t process, std::span<const Operation> operations) {
  for (const Operation& operation : operations) {
    if (operation.kind != Kind::seen) begin_ns_ = std::min(begin_ns_, operation.invoked_ns);
    switch (operation.kind) {
      case Kind::nothing:
        break;
      case Kind::open:
        if (is_done(operation)) opens_.push_back({process, operation});
        break;
      case Kind::append:
        appends_.push_back({process, operation});
        break;
      case Kind::trim:
        trimmed_to_ = std::max(trimmed_to_, operation.lsn);
        break;
      case Kind::zombie:
        zombies_.push_back({process, operation});
        break;
      case Kind::read:
      case Kind::point:
        // One that was not finished says nothing.
        if (operation.outcome != Outcome::none) {
          reads_.push_back({process, operation, seen_.size()});
        }
        if (operation.kind == Kind::point && is_done(operation)) {
          seen_.push_back({operation.lsn, operation.id});
        }
        break;
      case Kind::seen:
        seen_.push_back({operation.lsn, operation.id});
        break;
    }
  }
}

std::vector<Violation> HistoryChecker::check() {
  index();
  count();
  check_trims();
  check_acknowledged();
  check_values();
  check_reads();
  check_order();
  check_final_ids();
  check_batches();
  check_epochs();
  check_zombies();
  check_zombie_changes();
  for (size_t rule = 1; rule <= kRules; ++rule) {
    if (per_rule_[rule] <= kShownPerRule) continue;
    violations_.push_back({static_cast<Rule>(rule), fmt::format("rule {}: and {} more", rule,
                                                                per_rule_[rule] - kShownPerRule)});
  }
  return std::move(violations_);
}

void HistoryChecker::index() {
  std::ranges::sort(appends_, {}, [](const Append& a) { return a.operation.id; });
  std::ranges::sort(opens_, {}, [](const Append& a) { return a.operation.answered_ns; });
  for (size_t i = 1; i < final_.size(); ++i) {
    if (final_[i - 1].lsn < final_[i].lsn) continue;
    report(Rule::acknowledged_is_there,
           fmt::format("the final log has Lsn {} behind {}", final_[i].lsn, final_[i - 1].lsn));
  }
  std::ranges::sort(final_, {}, &FinalRecord::lsn);
  for (const FinalRecord& record : final_) final_ids_.push_back(record.id);
  std::ranges::sort(final_ids_);
}

void HistoryChecker::count() {
  counts_.openings = opens_.size();
  counts_.final_records = final_.size();
  for (const Append& append : appends_) {
    if (is_done(append.operation)) {
      ++counts_.acknowledged;
      counts_.trimmed += append.operation.lsn < first_lsn_ ? 1 : 0;
    } else if (append.operation.outcome == Outcome::refused) {
      ++counts_.refused;
    } else {
      ++counts_.unknown;
      counts_.unknown_there += std::min<size_t>(times_in_final(append.operation.id), 1);
    }
  }
  for (const Read& read : reads_) {
    counts_.failed_reads += read.operation.outcome == Outcome::failed ? 1 : 0;
    if (!is_done(read.operation)) continue;
    ++counts_.reads;
    counts_.records_read += read.operation.kind == Kind::point ? 1 : read.operation.count;
  }
}

void HistoryChecker::report(Rule rule, std::string text) {
  const auto number = static_cast<size_t>(rule);
  if (++per_rule_[number] > kShownPerRule) return;
  violations_.push_back({rule, fmt::format("rule {}: {}", number, text)});
}

std::string HistoryChecker::name_of(uint64_t id) {
  if (id == kDamagedId) return "bytes that nobody wrote";
  return fmt::format("record {} of process {}", number_of(id), process_of(id));
}

std::string HistoryChecker::describe(const Append& append) const {
  const Operation& operation = append.operation;
  return fmt::format("{} ({}{}, begun at {}{})", name_of(operation.id), word_for(operation.outcome),
                     is_done(operation) ? fmt::format(" at Lsn {}", operation.lsn) : "",
                     time(operation.invoked_ns),
                     operation.answered_ns == 0
                         ? ""
                         : fmt::format(", answered at {}", time(operation.answered_ns)));
}

std::string HistoryChecker::describe(const Read& read) const {
  const Operation& operation = read.operation;
  return fmt::format("{} of process {} from Lsn {} (begun at {}, answered at {})",
                     operation.kind == Kind::point ? "point read" : "read", read.process,
                     operation.lsn, time(operation.invoked_ns), time(operation.answered_ns));
}

std::string HistoryChecker::time(uint64_t ns) const {
  constexpr double kNsPerSecond = 1e9;
  return fmt::format("{:.6f} s", static_cast<double>(ns - begin_ns_) / kNsPerSecond);
}

const HistoryChecker::Append* HistoryChecker::find_append(uint64_t id) const {
  const auto id_of_append = [](const Append& append) { return append.operation.id; };
  const auto found = std::ranges::lower_bound(appends_, id, {}, id_of_append);
  return found != appends_.end() && found->operation.id == id ? &*found : nullptr;
}

const FinalRecord* HistoryChecker::find_final(uint64_t lsn) const {
  const auto found = std::ranges::lower_bound(final_, lsn, {}, &FinalRecord::lsn);
  return found != final_.end() && found->lsn == lsn ? &*found : nullptr;
}

size_t HistoryChecker::times_in_final(uint64_t id) const {
  const auto [first, last] = std::ranges::equal_range(final_ids_, id);
  return static_cast<size_t>(last - first);
}

/// At each answer, the highest Lsn that had been acknowledged by then.
HistoryChecker::Reach HistoryChecker::reach_of(const std::vector<const Append*>& appends) const {
  Reach reach;
  for (const Append* append : appends) {
    reach.emplace_back(append->operation.answered_ns, append->operation.lsn);
  }
  std::ranges::sort(reach);
  uint64_t highest = 0;
  for (auto& [ns, lsn] : reach) lsn = highest = std::max(highest, lsn);
  return reach;
}

std::optional<uint64_t> HistoryChecker::reached_before(const Reach& reach, uint64_t ns) {
  const auto behind = std::ranges::lower_bound(reach, ns, {}, &Reach::value_type::first);
  if (behind == reach.begin()) return std::nullopt;
  return std::prev(behind)->second;
}

}  // namespace writeahead::nemesis
