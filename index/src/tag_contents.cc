// Taking records of tags in, popping, spilling, dumping and loading.
#include "tag_contents.h"

#include <algorithm>

#include "index_error.h"
#include "writeahead/index/id_codec.h"

namespace writeahead::index::internal {
namespace {

// So many records are dumped together, or those of one tag.
constexpr uint64_t kPartEntries = 64 << 10;

}  // namespace

ContentsFormat TagContents::format() const {
  return {.order = 2, .values = 0, .id_format = sizeof(Tag), .extractor_version = 1};
}

uint64_t TagContents::entries() const {
  const std::lock_guard lock(mutex_);
  return entries_;
}

void TagContents::note(const Error& error) {
  if (!failure_) failure_ = error;
}

std::optional<Error> TagContents::spill_failure() const {
  const std::lock_guard lock(mutex_);
  return spill_failure_;
}

/// Before its record: the consumer needs nothing of it any more, whatever becomes of that.
void TagContents::pop(Tag tag, Lsn up_to) {
  const std::lock_guard lock(mutex_);
  change(tag, [&](TagState& state) { return state.pop(up_to, spill_.get()); });
}

Lsn TagContents::recorded_pop(Tag tag) const {
  const std::lock_guard lock(mutex_);
  return tag < states_.size() ? states_[tag].recorded_pop : Lsn();
}

std::optional<Error> TagContents::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

TagContents::ListedTag& TagContents::state_of(Tag tag) {
  if (tag >= states_.size()) states_.resize(tag + 1);
  return states_[tag];
}

bool TagContents::has_taken_in(Tag tag, Lsn lsn) const {
  if (lsn >= loaded_end_) return false;
  const auto part = std::ranges::find_if(loaded_, [&](const auto& p) { return tag < p.end; });
  return part != loaded_.end() && lsn < part->position;
}

void TagContents::apply(std::span<const RecordView> records) {
  const std::lock_guard lock(mutex_);
  // What is not right stays so.
  for (size_t i = 0; i < records.size() && !failure_; ++i) take_in(records[i]);
}

void TagContents::take_in(const RecordView& record) {
  if (!decode_tag_record(record.payload, record_)) {
    return note(make_error(ErrorCode::unsupported_format, "read tags",
                           "a record was not appended by a TagLog",
                           "lsn " + std::to_string(record.lsn.value())));
  }
  if (record_.kind == TagRecordKind::cut) cut(record_.void_from, record.lsn);
  if (record_.kind != TagRecordKind::popped && record.lsn >= versions_loaded_) {
    versions_.take_in(record_, record.lsn);
  }
  const auto each_new = [&](Tag tag, const auto& change_of) {
    if (tag < kMostTags && !has_taken_in(tag, record.lsn)) change(tag, change_of);
  };
  for (const Tag tag : record_.tags) {
    each_new(tag, [&](TagState& state) -> Result<void> {
      state.push(record.lsn);
      return {};
    });
  }
  for (const Pop& popped : record_.pops) {
    each_new(popped.tag, [&](TagState& state) { return state.pop(popped.up_to, spill_.get()); });
    if (popped.tag >= kMostTags) continue;
    Lsn& recorded = state_of(popped.tag).recorded_pop;
    recorded = std::max(recorded, popped.up_to);
  }
  if (record_.kind == TagRecordKind::moved) {
    each_new(record_.move.tag, [&](TagState& state) {
      return state.move(record_.move.lsn, record.lsn, spill_.get());
    });
  }
  spill_some();
}

/// Has `change` change what is known of a tag, and what is counted of all of them. What cannot be
/// changed is still taken for needed: too much is kept, and nothing lost. If memory runs out what
/// was done of it stays, and taking the record in again makes it whole.
template <class Change>
bool TagContents::change(Tag tag, const Change& change) {
  TagState& state = state_of(tag).state;
  const uint64_t bytes_before = state.heap_bytes();
  const uint64_t size_before = state.size();
  const auto count = [&] {
    heap_bytes_ += state.heap_bytes() - bytes_before;
    entries_ += state.size() - size_before;
  };
  Result<void> changed;
  try {
    changed = change(state);
  } catch (...) {
    count();
    if (!state.is_whole()) note(make_error(ErrorCode::no_space, "read tags", "out of memory", ""));
    throw;
  }
  count();
  list_front(tag);
  if (!changed) note(changed.error());
  return changed.has_value();
}

/// By what is in the list, and not by what was just changed: that may have been interrupted before.
void TagContents::list_front(Tag tag) {
  auto& listed = states_[tag].front;
  const auto needed = states_[tag].state.first_needed();
  if (needed == listed) return;
  if (needed) fronts_.emplace(*needed, tag);
  if (listed) fronts_.erase({*listed, tag});
  listed = needed;
}

/// Records from `from` on are void, as the one at `lsn` says.
void TagContents::cut(Lsn from, Lsn lsn) {
  for (Tag tag = 0; tag < states_.size(); ++tag) {
    if (has_taken_in(tag, lsn)) continue;
    change(tag, [&](TagState& state) { return state.cut(from, spill_.get()); });
  }
}

/// One tag after the other, so that the same ones do not pay each time. What cannot be spilled
/// stays in memory, and is tried again once there is more.
void TagContents::spill_some() {
  if (heap_bytes_ <= most_bytes_) spill_above_ = 0;
  if (heap_bytes_ <= std::max(most_bytes_, spill_above_)) return;
  const auto spilled = spill_down();
  spill_failure_ = spilled ? std::nullopt : std::optional(spilled.error());
  // What is left of each tag does not go: looking again makes sense once there is more.
  spill_above_ = heap_bytes_ + heap_bytes_ / 8;
}

Result<void> TagContents::spill_down() {
  if (spill_ == nullptr) {
    auto made = make_spill_();
    if (!made) return std::unexpected(made.error());
    spill_ = std::move(*made);
  }
  for (size_t seen = 0; seen < states_.size() && heap_bytes_ > most_bytes_; ++seen) {
    next_to_spill_ = next_to_spill_ + 1 < states_.size() ? next_to_spill_ + 1 : 0;
    TagState& state = states_[next_to_spill_].state;
    const uint64_t before = state.heap_bytes();
    const auto spilled = state.spill(*spill_);
    heap_bytes_ -= before - state.heap_bytes();
    if (!spilled) return std::unexpected(spilled.error());
  }
  return {};
}

void TagContents::clear(uint64_t) {
  const std::lock_guard lock(mutex_);
  states_.clear();
  fronts_.clear();
  loaded_.clear();
  loaded_end_ = Lsn();
  versions_ = {};
  versions_loaded_ = Lsn();
  entries_ = 0;
  heap_bytes_ = 0;
  failure_.reset();
}

/// Nothing is trimmed that is in a queue, but what somebody else trimmed.
void TagContents::sweep_some(Lsn first) {
  const std::lock_guard lock(mutex_);
  versions_.drop_below(first);
  while (!fronts_.empty() && fronts_.begin()->first < first) {
    const auto drop = [&](TagState& state) { return state.drop_lost(first, spill_.get()); };
    if (!change(fronts_.begin()->second, drop)) return;
  }
}

void TagContents::begin_dump() {
  dumped_ = 0;
  are_versions_dumped_ = false;
  is_dumped_ = false;
}

/// The first part are the versions. Any other is the end of its tags, and for each that has
/// something its number, and what TagState::dump makes of it.
Result<bool> TagContents::dump_next(Lsn first, ContentsPart& part) {
  const std::lock_guard lock(mutex_);
  // A pop or a cut that was not made must not look as if there had been none.
  if (failure_) return std::unexpected(*failure_);
  if (is_dumped_) return false;
  if (!are_versions_dumped_) {
    are_versions_dumped_ = true;
    IdCodec<uint64_t>::append(0, part.bytes);
    versions_.dump(part.bytes);
    return true;
  }
  std::vector<std::byte> tags;
  uint64_t entries = 0;
  for (; dumped_ < states_.size() && entries < kPartEntries; ++dumped_) {
    const TagState& state = states_[dumped_].state;
    if (state.popped() == Lsn() && state.is_empty()) continue;
    IdCodec<uint64_t>::append(dumped_, tags);
    if (auto dumped = state.dump(first, spill_.get(), tags); !dumped) {
      return std::unexpected(dumped.error());
    }
    entries += state.size() + 1;
  }
  is_dumped_ = dumped_ >= states_.size();
  IdCodec<uint64_t>::append(is_dumped_ ? kMostTags : dumped_, part.bytes);
  part.bytes.insert(part.bytes.end(), tags.begin(), tags.end());
  part.entries = entries;
  return true;
}

bool TagContents::load_next(std::span<const std::byte> bytes, uint64_t, Lsn position) {
  const std::lock_guard lock(mutex_);
  const auto end = IdCodec<uint64_t>::take(bytes);
  if (!end || *end > kMostTags) return false;
  if (*end == 0) {
    versions_loaded_ = position;
    return versions_.load(bytes);
  }
  loaded_.push_back({.end = static_cast<Tag>(*end), .position = position});
  loaded_end_ = std::max(loaded_end_, position);
  return load_tags(bytes, static_cast<Tag>(*end));
}

bool TagContents::load_tags(std::span<const std::byte> bytes, Tag end) {
  while (!bytes.empty()) {
    const auto tag = IdCodec<uint64_t>::take(bytes);
    if (!tag || *tag >= end) return false;
    bool is_loaded = false;
    change(static_cast<Tag>(*tag), [&](TagState& state) -> Result<void> {
      is_loaded = state.load(bytes);
      return {};
    });
    if (!is_loaded) return false;
    spill_some();
  }
  return true;
}

Result<void> TagContents::copy_from(Tag tag, Lsn from, size_t most,
                                    std::vector<TagPlace>& out) const {
  const std::lock_guard lock(mutex_);
  if (tag >= states_.size()) return {};
  return states_[tag].state.copy_from(from, most, spill_.get(), out);
}

Result<void> TagContents::copy_due(Tag tag, Lsn limit, size_t most,
                                   std::vector<TagPlace>& out) const {
  const std::lock_guard lock(mutex_);
  if (tag >= states_.size()) return {};
  return states_[tag].state.copy_due(limit, most, spill_.get(), out);
}

bool TagContents::has_from(Tag tag, Lsn from) const {
  const std::lock_guard lock(mutex_);
  return tag < states_.size() && states_[tag].state.has_from(from);
}

Lsn TagContents::popped(Tag tag) const {
  const std::lock_guard lock(mutex_);
  return tag < states_.size() ? states_[tag].state.popped() : Lsn();
}

uint64_t TagContents::records(Tag tag) const {
  const std::lock_guard lock(mutex_);
  return tag < states_.size() ? states_[tag].state.size() : 0;
}

ChainState TagContents::chain() const {
  const std::lock_guard lock(mutex_);
  return versions_.state();
}

std::optional<Lsn> TagContents::chain_said_from() const {
  const std::lock_guard lock(mutex_);
  return versions_.said_from();
}

std::optional<Lsn> TagContents::find_version(uint64_t version) const {
  const std::lock_guard lock(mutex_);
  return versions_.find(version);
}

std::optional<Lsn> TagContents::first_version_from(uint64_t version) const {
  const std::lock_guard lock(mutex_);
  return versions_.first_from(version);
}

std::optional<Lsn> TagContents::first_needed(Tag tag) const {
  const std::lock_guard lock(mutex_);
  return tag < states_.size() ? states_[tag].state.first_needed() : std::nullopt;
}

std::optional<TagPosition> TagContents::first_needed() const {
  const std::lock_guard lock(mutex_);
  if (fronts_.empty()) return std::nullopt;
  return TagPosition{.lsn = fronts_.begin()->first, .tag = fronts_.begin()->second};
}

}  // namespace writeahead::index::internal
