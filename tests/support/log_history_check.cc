// Whether a log can be what is left after what was done to it.
#include <fmt/format.h>

#include <algorithm>

#include "support/log_history.h"

namespace writeahead::test {

std::optional<std::string> LogHistoryCheck::read(Reader reader) {
  found_.clear();
  std::optional<uint64_t> ordinal;
  while (auto record = reader.next()) {
    if (!*record) return fmt::format("read error: {}", record->error().message());
    const RecordView& view = **record;
    const auto mark = mark_of(view.payload);
    if (!mark || mark->writer >= LogHistory::kWriters) {
      return fmt::format("at {}: nobody appended these bytes", view.lsn.value());
    }
    if (ordinal && view.ordinal != *ordinal + 1) return "ordinals are not dense";
    if (!found_.empty() && view.lsn < found_.back().behind) return "an address does not grow";
    ordinal = view.ordinal;
    found_.push_back({.mark = *mark, .lsn = view.lsn, .behind = reader.position()});
  }
  return std::nullopt;
}

/// What is known of an answered record; nothing if it was not answered.
std::optional<LogHistoryCheck::Claim> LogHistoryCheck::claim_of(const Key& key) const {
  const auto& [writer, number] = key;
  if (number < history_.writers[writer].checked) {
    const auto found = certain_.find(key);
    if (found == certain_.end()) return std::nullopt;
    return Claim{found->second, 0, checked_at_, true};
  }
  const LogHistory::Record& record = history_.record(writer, number);
  const uint64_t answered = record.answered;
  if (answered == 0) return std::nullopt;
  const bool is_certain = record.level <= safe_ || was_synced(answered);
  return Claim{record.lsn, record.begun, answered, is_certain};
}

/// Whether its own process synced what was answered at that moment: a later one may have found it
/// gone.
bool LogHistoryCheck::was_synced(uint64_t answered) const {
  uint64_t synced = history_.synced;
  for (size_t i = 0; i < std::min<size_t>(history_.cut_count, LogHistory::kCuts); ++i) {
    const LogHistory::Cut& cut = history_.cuts[i];
    const bool is_later = cut.begun != 0 && cut.is_opening && cut.begun > answered;
    if (is_later) synced = std::min<uint64_t>(synced, cut.synced);
  }
  return answered < synced;
}

std::optional<std::string> LogHistoryCheck::judge() {
  const uint64_t highest = std::max<uint64_t>(history_.trim_asked, first_before_);
  if (first_before_ != 0 && first_.value() > highest) {
    return fmt::format("the log begins at {}, and trims asked for {}", first_.value(), highest);
  }
  if (first_.value() < std::max<uint64_t>(history_.trim_reached, first_before_)) {
    return fmt::format("the log begins at {}, and began higher", first_.value());
  }
  for (size_t i = 0; i < std::min<size_t>(history_.cut_count, LogHistory::kCuts); ++i) {
    const LogHistory::Cut& cut = history_.cuts[i];
    if (cut.begun != 0 && !cut.is_opening && !cut.is_refused) cut_positions_.insert(cut.lsn);
  }
  std::array<uint64_t, LogHistory::kWriters> next{};
  std::set<Key> present;
  for (size_t i = 0; i < found_.size(); ++i) {
    const Mark& mark = found_[i].mark;
    const auto wrong =
        mark.number < next[mark.writer] ? "it is doubled or out of order" : judge_found(i);
    if (wrong) {
      return fmt::format("number {} of writer {} at {}: {}", mark.number, mark.writer,
                         found_[i].lsn.value(), *wrong);
    }
    next[mark.writer] = mark.number + 1;
    present.insert({mark.writer, mark.number});
  }
  for (const auto& [key, lsn] : certain_) {
    if (present.contains(key)) continue;
    if (auto wrong = judge_missing(key, *claim_of(key))) return wrong;
  }
  for (size_t writer = 0; writer < LogHistory::kWriters; ++writer) {
    const LogHistory::Writer& own = history_.writers[writer];
    for (uint64_t number = own.checked; number < own.submitted; ++number) {
      const Key key{writer, number};
      const auto claim = claim_of(key);
      if (!claim || present.contains(key)) continue;
      if (auto wrong = judge_missing(key, *claim)) return wrong;
    }
  }
  return std::nullopt;
}

std::optional<std::string> LogHistoryCheck::judge_found(size_t index) {
  const Found& found = found_[index];
  const LogHistory::Writer& writer = history_.writers[found.mark.writer];
  if (found.mark.number >= writer.submitted) return "it was never submitted";
  const auto claim = claim_of({found.mark.writer, found.mark.number});
  if (!claim && found.mark.number < writer.checked) return "it was gone, and came back";
  if (claim && claim->lsn != found.lsn.value()) {
    return fmt::format("it was answered to be at {}", claim->lsn);
  }
  if (!batch_is_whole(index)) return "its batch is not whole";
  if (!claim) return std::nullopt;
  for (size_t i = 0; i < std::min<size_t>(history_.cut_count, LogHistory::kCuts); ++i) {
    const LogHistory::Cut& cut = history_.cuts[i];
    const bool has_happened = cut.begun != 0 && cut.ended != 0 && !cut.is_refused;
    if (has_happened && cut.lsn <= claim->lsn && claim->answered < cut.begun) {
      return fmt::format("the log was cut at {} after that, and it came back", cut.lsn.load());
    }
  }
  return std::nullopt;
}

/// Its neighbours of the same batch are its neighbours in the log, but where a truncation cut it.
bool LogHistoryCheck::batch_is_whole(size_t index) const {
  const Mark& mark = found_[index].mark;
  const auto is_neighbour = [&](size_t other, uint64_t number) {
    return other < found_.size() && found_[other].mark.writer == mark.writer &&
           found_[other].mark.number == number;
  };
  if (mark.number != mark.batch_first && !is_neighbour(index - 1, mark.number - 1)) return false;
  if (mark.number + 1 == mark.batch_first + mark.batch_count) return true;
  return is_neighbour(index + 1, mark.number + 1) ||
         cut_positions_.contains(found_[index].behind.value());
}

std::optional<std::string> LogHistoryCheck::judge_missing(const Key& key, const Claim& claim) {
  if (claim.lsn < first_.value()) return std::nullopt;
  bool may_be_lost = !claim.is_certain && claim.lsn >= end_.value();
  for (size_t i = 0; i < std::min<size_t>(history_.cut_count, LogHistory::kCuts); ++i) {
    const LogHistory::Cut& cut = history_.cuts[i];
    if (cut.begun == 0 || cut.is_refused || cut.lsn > claim.lsn) continue;
    if (cut.is_opening) {
      may_be_lost = may_be_lost || (!claim.is_certain && claim.answered < cut.begun);
    } else if (cut.ended == 0 || cut.ended > claim.begun) {
      return std::nullopt;
    }
  }
  if (may_be_lost) {
    ++lost_in_memory_;
    return std::nullopt;
  }
  return fmt::format("lost: number {} of writer {}, {} at {}; the log is [{}, {})", key.second,
                     key.first, claim.is_certain ? "safe" : "answered", claim.lsn, first_.value(),
                     end_.value());
}

void LogHistoryCheck::accept() {
  certain_.clear();
  for (const Found& found : found_) {
    certain_[{found.mark.writer, found.mark.number}] = found.lsn.value();
  }
  for (LogHistory::Writer& writer : history_.writers) writer.checked = writer.submitted.load();
  for (LogHistory::Cut& cut : history_.cuts) cut.begun = 0;
  history_.cut_count = 0;
  first_before_ = first_.value();
  checked_at_ = history_.now();
}

}  // namespace writeahead::test
