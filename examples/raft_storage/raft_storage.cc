// The storage's records, and what they add up to.
#include "raft_storage.h"

#include <algorithm>
#include <charconv>
#include <expected>
#include <utility>

namespace raft_storage {

namespace {

using writeahead::Appended;
using writeahead::Batch;
using writeahead::Error;
using writeahead::ErrorCode;
using writeahead::Log;
using writeahead::RecordView;

constexpr uint16_t kHardState = 1;  // term, vote, commit
constexpr uint16_t kEntry = 2;      // index, term, then its data
constexpr uint16_t kSnapshot = 3;   // index, term, whether entries behind it stay, then its data

// Numbers are written in twenty digits each.
constexpr size_t kDigits = 20;

std::string encode(std::initializer_list<uint64_t> numbers, std::string_view data = {}) {
  std::string text;
  for (const uint64_t number : numbers) {
    const std::string digits = std::to_string(number);
    text.append(kDigits - digits.size(), '0').append(digits);
  }
  return text.append(data);
}

std::string_view text_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}
uint64_t number_at(std::string_view text, size_t place) {
  uint64_t number = 0;
  const std::string_view digits = text.substr(place * kDigits, kDigits);
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

Error refusal(ErrorCode code, std::string_view what, uint64_t index) {
  return Error(code, std::string(what) + " (index " + std::to_string(index) + ")");
}

}  // namespace

Result<std::unique_ptr<RaftStorage>> RaftStorage::open(const std::string& directory,
                                                       const writeahead::Options& options) {
  auto log = Log::open(directory, options);
  if (!log) return std::unexpected(log.error());
  std::unique_ptr<RaftStorage> storage(new RaftStorage(std::move(*log)));
  if (auto replayed = storage->replay(); !replayed) return std::unexpected(replayed.error());
  return storage;
}

Result<void> RaftStorage::replay() {
  for (auto& record : log_.reader(log_.first_lsn())) {
    if (!record) return std::unexpected(record.error());
    const std::string_view text = text_of(*record);
    const uint64_t first = number_at(text, 0);
    const uint64_t second = number_at(text, 1);
    switch (record->type) {
      case kHardState:
        take_hard_state({.term = first, .vote = second, .commit = number_at(text, 2)}, record->lsn);
        break;
      case kEntry:
        take_entry(first, second, record->lsn);
        break;
      case kSnapshot:
        take_snapshot({.index = first, .term = second, .lsn = record->lsn},
                      number_at(text, 2) != 0);
        break;
      default:
        return std::unexpected(refusal(ErrorCode::unsupported_format,
                                       "open storage: a record of another kind", record->type));
    }
  }
  return {};
}

void RaftStorage::take_hard_state(const HardState& state, Lsn lsn) {
  hard_state_ = state;
  hard_state_lsn_ = lsn;
}

void RaftStorage::take_entry(uint64_t index, uint64_t term, Lsn lsn) {
  // What it replaces goes, and all behind that.
  entries_.erase(entries_.lower_bound(index), entries_.end());
  entries_.emplace_hint(entries_.end(), index, Place{.term = term, .lsn = lsn});
}

/// Entries behind it stay if it is of this course of the entries, and of no other.
bool RaftStorage::keeps_entries(uint64_t index, uint64_t term) const {
  return this->term(index) == term;
}

void RaftStorage::take_snapshot(const SnapshotPlace& place, bool are_kept) {
  entries_.erase(entries_.begin(), are_kept ? entries_.upper_bound(place.index) : entries_.end());
  snapshot_ = place;
}

Result<void> RaftStorage::check(const Step& step) const {
  uint64_t last = last_index();
  uint64_t first = first_index();
  if (step.snapshot) {
    if (step.snapshot->index < snapshot_.index) {
      return std::unexpected(
          refusal(ErrorCode::invalid_argument, "save: an older snapshot", step.snapshot->index));
    }
    if (!keeps_entries(step.snapshot->index, step.snapshot->term)) last = step.snapshot->index;
    first = step.snapshot->index + 1;
  }
  for (const Entry& entry : step.entries) {
    if (entry.index < first || entry.index > last + 1) {
      return std::unexpected(refusal(ErrorCode::invalid_argument,
                                     "save: an entry does not go on from what is there",
                                     entry.index));
    }
    last = entry.index;
  }
  return {};
}

Result<void> RaftStorage::save(const Step& step) {
  if (auto checked = check(step); !checked) return checked;
  if (auto appended = append(step); !appended) return appended;
  return step.snapshot ? trim() : Result<void>();
}

/// One batch, and so one barrier.
Result<void> RaftStorage::append(const Step& step) {
  Batch batch;
  const bool are_kept = step.snapshot && keeps_entries(step.snapshot->index, step.snapshot->term);
  if (step.snapshot) {
    const Snapshot& taken = *step.snapshot;
    batch.add(encode({taken.index, taken.term, are_kept ? 1U : 0U}, taken.data),
              {.type = kSnapshot});
  }
  for (const Entry& entry : step.entries) {
    batch.add(encode({entry.index, entry.term}, entry.data), {.type = kEntry});
  }
  if (step.hard_state) {
    const HardState& state = *step.hard_state;
    batch.add(encode({state.term, state.vote, state.commit}), {.type = kHardState});
  }
  if (batch.size() == 0) return {};
  const auto range = log_.append(batch);
  if (!range) return std::unexpected(range.error());
  size_t record = 0;
  if (step.snapshot) {
    take_snapshot({.index = step.snapshot->index,
                   .term = step.snapshot->term,
                   .lsn = batch.lsn(record++, *range)},
                  are_kept);
  }
  for (const Entry& entry : step.entries) {
    take_entry(entry.index, entry.term, batch.lsn(record++, *range));
  }
  if (step.hard_state) take_hard_state(*step.hard_state, batch.lsn(record, *range));
  return {};
}

Result<void> RaftStorage::compact(uint64_t index, std::string_view data) {
  const auto term = this->term(index);
  if (!term || index < first_index()) {
    return std::unexpected(
        refusal(ErrorCode::invalid_argument, "compact: there is no such entry", index));
  }
  // Term and vote come along: what says them now may be trimmed.
  const Step step{.hard_state = hard_state_,
                  .entries = {},
                  .snapshot = Snapshot{.index = index, .term = *term, .data = std::string(data)}};
  if (auto appended = append(step); !appended) return appended;
  return trim();
}

/// All that is needed lies behind the first entry that is left, or is the snapshot or term and
/// vote.
Result<void> RaftStorage::trim() {
  Lsn needed = snapshot_.lsn;
  if (!entries_.empty()) needed = std::min(needed, entries_.begin()->second.lsn);
  if (hard_state_lsn_ != Lsn()) needed = std::min(needed, hard_state_lsn_);
  return log_.trim_before(needed);
}

Result<Snapshot> RaftStorage::snapshot() const {
  if (snapshot_.lsn == Lsn()) return Snapshot();
  const auto record = log_.read(snapshot_.lsn, {.record_alone = true});
  if (!record) return std::unexpected(record.error());
  return Snapshot{.index = snapshot_.index,
                  .term = snapshot_.term,
                  .data = std::string(text_of(*record).substr(3 * kDigits))};
}

std::optional<uint64_t> RaftStorage::term(uint64_t index) const {
  if (index == snapshot_.index) return snapshot_.term;
  const auto found = entries_.find(index);
  if (found == entries_.end()) return std::nullopt;
  return found->second.term;
}

Result<std::vector<Entry>> RaftStorage::entries(uint64_t begin, uint64_t end) const {
  if (begin < first_index() || end > last_index() + 1) {
    return std::unexpected(
        refusal(ErrorCode::not_found, "read entries: some are not there", begin));
  }
  std::vector<Entry> found;
  for (uint64_t index = begin; index < end; ++index) {
    const Place& place = entries_.at(index);
    const auto record = log_.read(place.lsn, {.record_alone = true});
    if (!record) return std::unexpected(record.error());
    found.push_back({.index = index,
                     .term = place.term,
                     .data = std::string(text_of(*record).substr(2 * kDigits))});
  }
  return found;
}

}  // namespace raft_storage
