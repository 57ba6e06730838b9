// Taking records of tags in, popping, spilling, dumping and loading.
#include "tag_contents.h"

#include <algorithm>

#include "index_error.h"
#include "writeahead/index/id_codec.h"

namespace writeahead::index::internal {
namespace {

// So many records are dumped together.
constexpr uint64_t kPartEntries = 64 << 10;

void append_word(uint64_t word, std::vector<std::byte>& out) {
  IdCodec<uint64_t>::append(word, out);
}

}  // namespace

ContentsFormat TagContents::format() const {
  return {.order = 2, .values = 0, .id_format = sizeof(Tag), .extractor_version = 0};
}

uint64_t TagContents::entries() const {
  const std::lock_guard lock(mutex_);
  return entries_;
}

void TagContents::note(const Error& error) {
  if (!failure_) failure_ = error;
}

std::optional<Error> TagContents::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

TagState& TagContents::state_of(Tag tag) {
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
  for (const RecordView& record : records) take_in(record);
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
  for (const Tag tag : record_.tags) {
    if (tag < tags_ && !has_taken_in(tag, record.lsn)) push(tag, record.lsn);
  }
  for (const Pop& popped : record_.pops) {
    if (popped.tag < tags_ && !has_taken_in(popped.tag, record.lsn)) pop(popped.tag, popped.up_to);
  }
  spill_some();
}

/// Has `change` change the queue of a tag, and everything that is counted of all of them. What
/// cannot be changed is still taken for needed: too much is kept, and nothing lost.
template <class Change>
bool TagContents::change(Tag tag, const Change& change) {
  LsnQueue& queue = state_of(tag).records;
  const auto front = [&] { return queue.is_empty() ? std::nullopt : std::optional(queue.front()); };
  const auto front_before = front();
  const uint64_t bytes_before = queue.heap_bytes();
  const uint64_t size_before = queue.size();
  if (Result<void> changed = change(queue); !changed) {
    note(changed.error());
    return false;
  }
  heap_bytes_ += queue.heap_bytes() - bytes_before;
  entries_ += queue.size() - size_before;
  if (front() == front_before) return true;
  if (front()) fronts_.emplace(*front(), tag);
  if (front_before) fronts_.erase({*front_before, tag});
  return true;
}

void TagContents::push(Tag tag, Lsn lsn) {
  if (lsn < state_of(tag).popped) return;
  change(tag, [&](LsnQueue& queue) -> Result<void> {
    queue.push(lsn);
    return {};
  });
}

void TagContents::pop(Tag tag, Lsn up_to) {
  TagState& state = state_of(tag);
  if (up_to <= state.popped) return;
  const auto drop = [&](LsnQueue& queue) { return queue.drop_below(up_to, spill_.get()); };
  if (change(tag, drop)) state.popped = up_to;
}

/// Records from `from` on are void, as the one at `lsn` says.
void TagContents::cut(Lsn from, Lsn lsn) {
  for (Tag tag = 0; tag < states_.size(); ++tag) {
    if (has_taken_in(tag, lsn)) continue;
    change(tag, [&](LsnQueue& queue) { return queue.drop_from(from, spill_.get()); });
  }
}

/// One tag after the other, so that the same ones do not pay each time.
void TagContents::spill_some() {
  if (heap_bytes_ <= std::max(most_bytes_, spill_above_)) return;
  if (spill_ == nullptr) {
    auto made = make_spill_();
    if (!made) return note(made.error());
    spill_ = std::move(*made);
  }
  for (size_t seen = 0; seen < states_.size() && heap_bytes_ > most_bytes_; ++seen) {
    next_to_spill_ = next_to_spill_ + 1 < states_.size() ? next_to_spill_ + 1 : 0;
    auto spilled = states_[next_to_spill_].records.spill(*spill_);
    if (!spilled) return note(spilled.error());
    heap_bytes_ -= *spilled;
  }
  // What is left of each tag does not go: looking again makes sense once there is more.
  spill_above_ = heap_bytes_ + heap_bytes_ / 8;
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
    const auto drop = [&](LsnQueue& queue) { return queue.drop_below(first, spill_.get()); };
    if (!change(fronts_.begin()->second, drop)) return;
  }
}

void TagContents::begin_dump() {
  dumped_ = 0;
  are_versions_dumped_ = false;
  is_dumped_ = false;
}

/// The first part are the versions. Any other is the end of its tags, and for each that has
/// something its number, up to where it was popped, and its records.
Result<bool> TagContents::dump_next(Lsn first, ContentsPart& part) {
  const std::lock_guard lock(mutex_);
  // A pop or a cut that was not made must not look as if there had been none.
  if (failure_) return std::unexpected(*failure_);
  if (is_dumped_) return false;
  if (!are_versions_dumped_) {
    are_versions_dumped_ = true;
    append_word(0, part.bytes);
    versions_.dump(part.bytes);
    return true;
  }
  std::vector<std::byte> tags;
  std::vector<Lsn> lsns;
  uint64_t entries = 0;
  for (; dumped_ < states_.size() && entries < kPartEntries; ++dumped_) {
    const TagState& state = states_[dumped_];
    if (state.popped == Lsn() && state.records.is_empty()) continue;
    lsns.clear();
    auto copied = state.records.copy_from(first, SIZE_MAX, spill_.get(), lsns);
    if (!copied) return std::unexpected(copied.error());
    append_word(dumped_, tags);
    append_word(state.popped.value(), tags);
    append_word(lsns.size(), tags);
    for (const Lsn lsn : lsns) append_word(lsn.value(), tags);
    entries += lsns.size() + 1;
  }
  is_dumped_ = dumped_ >= states_.size();
  append_word(is_dumped_ ? tags_ : dumped_, part.bytes);
  part.bytes.insert(part.bytes.end(), tags.begin(), tags.end());
  part.entries = entries;
  return true;
}

bool TagContents::load_next(std::span<const std::byte> bytes, uint64_t, Lsn position) {
  const std::lock_guard lock(mutex_);
  const auto end = IdCodec<uint64_t>::take(bytes);
  if (!end || *end > tags_) return false;
  if (*end == 0) {
    versions_loaded_ = position;
    return versions_.load(bytes);
  }
  loaded_.push_back({.end = static_cast<Tag>(*end), .position = position});
  loaded_end_ = std::max(loaded_end_, position);
  return load_tags(bytes, static_cast<Tag>(*end));
}

bool TagContents::load_tags(std::span<const std::byte> bytes, Tag end) {
  const auto take = [&] { return IdCodec<uint64_t>::take(bytes); };
  while (!bytes.empty()) {
    const auto tag = take();
    const auto popped = take();
    const auto count = take();
    if (!tag || !popped || !count || *tag >= end) return false;
    for (uint64_t i = 0; i < *count; ++i) {
      const auto lsn = take();
      if (!lsn) return false;
      push(static_cast<Tag>(*tag), Lsn(*lsn));
    }
    state_of(static_cast<Tag>(*tag)).popped = Lsn(*popped);
    spill_some();
  }
  return true;
}

Result<void> TagContents::copy_from(Tag tag, Lsn from, size_t most, std::vector<Lsn>& out) const {
  const std::lock_guard lock(mutex_);
  if (tag >= states_.size()) return {};
  return states_[tag].records.copy_from(from, most, spill_.get(), out);
}

Lsn TagContents::popped(Tag tag) const {
  const std::lock_guard lock(mutex_);
  return tag < states_.size() ? states_[tag].popped : Lsn();
}

uint64_t TagContents::records(Tag tag) const {
  const std::lock_guard lock(mutex_);
  return tag < states_.size() ? states_[tag].records.size() : 0;
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

std::optional<Lsn> TagContents::first_needed() const {
  const std::lock_guard lock(mutex_);
  if (fronts_.empty()) return std::nullopt;
  return fronts_.begin()->first;
}

}  // namespace writeahead::index::internal
