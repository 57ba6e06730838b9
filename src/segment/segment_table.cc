// Look-ups and changes of the segment table.
// What the committer calls after a write allocates nothing.
#include "segment/segment_table.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace writeahead::internal {
namespace {
constexpr size_t kFewEntries = 16;
}

SegmentTable::Addition SegmentTable::prepare(const SegmentHeader& header,
                                             std::shared_ptr<SegmentWriter> writer) {
  Entries entries;
  Entry& entry = entries[header.number];
  entry.view.header = header;
  entry.view.binding = SegmentBinding::of(header.log_id, header.number);
  entry.view.end_lsn = header.base_lsn;
  entry.view.end_ordinal = header.base_ordinal;
  // A segment that gets its first frame from us is known from the beginning.
  entry.view.is_verified = writer != nullptr;
  entry.contents = SegmentContents::empty(header);
  // Only a follower extends one without a writer, and may allocate for it.
  if (writer != nullptr) entry.contents.index.reserve(kFewEntries);
  entry.writer = std::move(writer);
  Bases bases = {{header.base_lsn, header.number}};
  Addition addition;
  addition.entry_ = entries.extract(entries.begin());
  addition.base_ = bases.extract(bases.begin());
  return addition;
}

void SegmentTable::Addition::set_header(const SegmentHeader& header) {
  Entry& entry = entry_.mapped();
  WRITEAHEAD_CHECK(header.number == entry.view.header.number);
  entry.view.header = header;
  entry.view.end_lsn = header.base_lsn;
  entry.view.end_ordinal = header.base_ordinal;
  entry.contents.begin(header);
  base_.key() = header.base_lsn;
}

void SegmentTable::add(Addition addition) {
  MutexLock lock(mutex_);
  const SegmentHeader& header = addition.entry_.mapped().view.header;
  if (!entries_.empty()) {
    SegmentView& before = entries_.rbegin()->second.view;
    WRITEAHEAD_CHECK(header.number > before.header.number);
    before.is_closed = true;
    // Somebody else wrote on in it: it is looked at before it is used.
    const Lsn end_lsn = header.predecessor_end_lsn();
    if (entries_.rbegin()->second.contents.end_lsn != end_lsn) before.is_verified = false;
    // What the link says; for a segment that was active until now it says the same.
    before.end_lsn = end_lsn;
    before.end_ordinal = header.predecessor_end_ordinal();
    lost_records_ += header.base_ordinal - before.end_ordinal;
    before.digest = header.link.digest;
    before.is_cut = header.cause == SegmentCause::truncate;
  }
  insert(std::move(addition));
}

void SegmentTable::insert(Addition addition) {
  // An empty segment shares its base with its successor, which counts.
  const Lsn base = addition.base_.key();
  if (!by_base_.empty() && by_base_.rbegin()->first >= base) by_base_.erase(base);
  // Both are the last of their kind: an opening adds every segment that there is.
  by_base_.insert(by_base_.end(), std::move(addition.base_));
  entries_.insert(entries_.end(), std::move(addition.entry_));
  keep_few_writers();
}

void SegmentTable::set_contents(SegmentContents contents) {
  MutexLock lock(mutex_);
  Entry& entry = entries_.rbegin()->second;
  entry.view.is_verified = true;
  entry.view.end_lsn = contents.end_lsn;
  entry.view.end_ordinal = contents.end_ordinal;
  entry.view.digest = contents.digest;
  entry.contents = std::move(contents);
}

void SegmentTable::extend(const FrameHeader& header, uint64_t digest) {
  MutexLock lock(mutex_);
  Entry& entry = entries_.rbegin()->second;
  WRITEAHEAD_CHECK(header.segment_number == entry.view.header.number &&
                   header.lsn == entry.contents.end_lsn);
  entry.contents.extend(header, digest);
}

void SegmentTable::make_durable() {
  MutexLock lock(mutex_);
  if (entries_.empty()) return;
  Entry& entry = entries_.rbegin()->second;
  entry.view.end_lsn = entry.contents.end_lsn;
  entry.view.end_ordinal = entry.contents.end_ordinal;
  entry.view.digest = entry.contents.digest;
}

void SegmentTable::set_verified(uint64_t number, SegmentContents contents, bool is_sealed) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(number);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  is_sealed = is_sealed || entry.view.is_sealed;
  if (!is_sealed && number < unsealed_from_) late_unsealed_.insert(number);
  entry.view.is_verified = true;
  entry.view.is_sealed = is_sealed;
  entry.contents = std::move(contents);
}

void SegmentTable::set_sealed(uint64_t number) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(number);
  if (found == entries_.end()) return;
  found->second.view.is_sealed = true;
  // From here on it is read through a handle of its own.
  found->second.writer.reset();
}

void SegmentTable::trim(const LogStart& first) {
  MutexLock lock(mutex_);
  const auto end = entries_.lower_bound(first.number);
  for (auto entry = entries_.begin(); entry != end; ++entry) {
    // An empty segment's base leads to its successor.
    const auto base = by_base_.find(entry->second.view.header.base_lsn);
    if (base != by_base_.end() && base->second < first.number) by_base_.erase(base);
  }
  entries_.erase(entries_.begin(), end);
  first_ = first;
  count_lost();
  // Open handles would keep the space of files that are removed.
  recent_.clear();
}

void SegmentTable::reserve_truncation() {
  MutexLock lock(mutex_);
  ends_.reserve(ends_.size() + 1);
}

void SegmentTable::truncate(Addition addition, std::optional<SegmentContents> kept) {
  MutexLock lock(mutex_);
  const SegmentHeader& header = addition.entry_.mapped().view.header;
  const uint64_t last = header.link.number;
  std::erase_if(by_base_, [last](const auto& item) { return item.second > last; });
  entries_.erase(entries_.upper_bound(last), entries_.end());
  if (entries_.empty()) {
    first_ = {.number = header.number, .lsn = header.base_lsn, .ordinal = header.base_ordinal};
  } else {
    Entry& entry = entries_.rbegin()->second;
    entry.view.is_closed = entry.view.is_cut = true;
    entry.view.end_lsn = header.base_lsn;
    entry.view.end_ordinal = header.base_ordinal;
    entry.view.digest = header.link.digest;
    if (kept) {
      entry.view.is_verified = true;
      entry.contents = std::move(*kept);
    } else if (entry.contents.end_lsn != header.base_lsn) {
      entry.view.is_verified = false;
    }
  }
  while (!ends_.empty() && ends_.back().end_lsn >= header.base_lsn) ends_.pop_back();
  const uint64_t count = truncations() + 1;
  ends_.push_back({.count = count, .end_lsn = header.base_lsn});
  insert(std::move(addition));
  count_lost();
  recent_.clear();
  truncations_.store(count, std::memory_order_release);
}

/// Ordinals between the segments that are there now which no record has.
void SegmentTable::count_lost() {
  lost_records_ = 0;
  const SegmentView* before = nullptr;
  for (const auto& [number, entry] : entries_) {
    const SegmentView& view = entry.view;
    if (before != nullptr) lost_records_ += view.header.base_ordinal - before->end_ordinal;
    before = &view;
  }
}

Lsn SegmentTable::lowest_end_since(uint64_t count) const {
  MutexLock lock(mutex_);
  const auto is_older = [count](const Truncation& truncation) { return truncation.count <= count; };
  return std::ranges::partition_point(ends_, is_older)->end_lsn;
}

LogExtent SegmentTable::extent() const {
  MutexLock lock(mutex_);
  if (entries_.empty()) {
    return {.first = first_, .end_lsn = first_.lsn, .end_ordinal = first_.ordinal};
  }
  const SegmentView& last = entries_.rbegin()->second.view;
  return {.first = first_,
          .end_lsn = last.end_lsn,
          .end_ordinal = last.end_ordinal,
          .lost_records = lost_records_};
}

uint64_t SegmentTable::last_number() const {
  MutexLock lock(mutex_);
  return entries_.empty() ? 0 : entries_.rbegin()->first;
}

std::optional<uint64_t> SegmentTable::last_ordinal() const {
  MutexLock lock(mutex_);
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    const SegmentView& view = entry->second.view;
    if (view.end_ordinal != view.header.base_ordinal) return view.end_ordinal - 1;
  }
  return std::nullopt;
}

std::optional<SegmentView> SegmentTable::find(Lsn lsn) const {
  MutexLock lock(mutex_);
  const auto above = by_base_.upper_bound(lsn);
  if (above == by_base_.begin()) return std::nullopt;
  return entries_.at(std::prev(above)->second).view;
}

std::optional<SegmentView> SegmentTable::find_time(uint64_t time_ns) const {
  MutexLock lock(mutex_);
  if (entries_.empty()) return std::nullopt;
  auto found = entries_.begin();
  // A segment is begun at the time of its first frame, and times never fall.
  uint64_t begin = found->first;
  uint64_t end = entries_.rbegin()->first + 1;
  while (begin < end) {
    const uint64_t middle = begin + (end - begin) / 2;
    const auto entry = entries_.lower_bound(middle);
    if (entry != entries_.end() && entry->second.view.header.created_ns < time_ns) {
      found = entry;
      begin = entry->first + 1;
    } else {
      end = middle;
    }
  }
  return found->second.view;
}

std::optional<SegmentView> SegmentTable::find_ordinal(uint64_t ordinal) const {
  MutexLock lock(mutex_);
  // From the newest back: the first that does not begin above `ordinal` is the one to hold it.
  for (auto item = by_base_.rbegin(); item != by_base_.rend(); ++item) {
    const SegmentView& view = entries_.at(item->second).view;
    if (view.header.base_ordinal > ordinal) continue;
    if (ordinal >= view.end_ordinal) return std::nullopt;
    return view;
  }
  return std::nullopt;
}

std::optional<SegmentView> SegmentTable::at(uint64_t number) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(number);
  if (found == entries_.end()) return std::nullopt;
  return found->second.view;
}

std::optional<SegmentView> SegmentTable::after(uint64_t number) const {
  MutexLock lock(mutex_);
  const auto found = entries_.upper_bound(number);
  if (found == entries_.end()) return std::nullopt;
  return found->second.view;
}

std::vector<SegmentView> SegmentTable::all() const {
  MutexLock lock(mutex_);
  std::vector<SegmentView> views;
  views.reserve(entries_.size());
  for (const auto& [number, entry] : entries_) views.push_back(entry.view);
  return views;
}

IndexEntry SegmentTable::search_start(const SegmentView& segment, Lsn lsn) const {
  return last_where(segment, [lsn](const IndexEntry& entry) { return entry.lsn <= lsn; });
}

IndexEntry SegmentTable::search_start_ordinal(const SegmentView& segment, uint64_t ordinal) const {
  return last_where(segment,
                    [ordinal](const IndexEntry& entry) { return entry.first_ordinal <= ordinal; });
}

template <class IsBelow>
IndexEntry SegmentTable::last_where(const SegmentView& segment, IsBelow is_below) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(segment.header.number);
  if (found != entries_.end()) {
    const auto& index = found->second.contents.index;
    const auto above = std::ranges::partition_point(index, is_below);
    if (above != index.begin()) return *std::prev(above);
  }
  return {
      .lsn = segment.header.base_lsn, .first_ordinal = segment.header.base_ordinal, .time_ns = 0};
}

IndexEntry SegmentTable::search_start_time(uint64_t number, uint64_t time_ns) const {
  MutexLock lock(mutex_);
  const Entry& entry = entries_.at(number);
  const auto& index = entry.contents.index;
  const auto above =
      std::ranges::lower_bound(index, time_ns, std::ranges::less{}, &IndexEntry::time_ns);
  if (above == index.begin()) {
    return {.lsn = entry.view.header.base_lsn, .first_ordinal = entry.view.header.base_ordinal};
  }
  return *std::prev(above);
}

Lsn SegmentTable::written_end(const SegmentView& segment) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(segment.header.number);
  if (found == entries_.end()) return segment.end_lsn;
  // Only the last segment holds what is not durable; the contents of a closed one may be unknown.
  const Entry& entry = found->second;
  return entry.view.is_closed ? entry.view.end_lsn : entry.contents.end_lsn;
}

std::optional<SegmentContents> SegmentTable::contents(uint64_t number) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(number);
  if (found == entries_.end() || !found->second.view.is_verified) return std::nullopt;
  return found->second.contents;
}

/// A seal proves that the next segment has a frame: it has to be there.
bool SegmentTable::is_due(const Entries& entries, Entries::const_iterator item) {
  const SegmentView& view = item->second.view;
  if (!view.is_closed || !view.is_verified || view.is_sealed || view.is_cut) return false;
  const auto next = std::next(item);
  return next != entries.end() && !next->second.view.is_empty();
}

std::optional<SegmentView> SegmentTable::next_unsealed() {
  MutexLock lock(mutex_);
  while (!late_unsealed_.empty()) {
    const auto item = entries_.find(*late_unsealed_.begin());
    if (item != entries_.end() && is_due(entries_, item)) return item->second.view;
    late_unsealed_.erase(late_unsealed_.begin());
  }
  // The last closed one may wait for a frame of its successor: the mark stays there.
  auto item = entries_.lower_bound(unsealed_from_);
  for (; item != entries_.end() && item->second.view.is_closed; ++item) {
    unsealed_from_ = item->first;
    if (is_due(entries_, item)) return item->second.view;
  }
  return std::nullopt;
}

}  // namespace writeahead::internal
