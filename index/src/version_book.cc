// Keeping the chain's state, and the places of its versions.
#include "version_book.h"

#include <algorithm>

#include "writeahead/index/id_codec.h"

namespace writeahead::index::internal {

void VersionBook::take_in(const TagRecord& record, Lsn lsn) {
  const VersionLink& link = record.link;
  if (record.kind == TagRecordKind::tagged || record.kind == TagRecordKind::moved) {
    if (link.version == 0) state_.is_plain = true;
    return;
  }
  state_.known_committed_version =
      std::max(state_.known_committed_version, link.known_committed_version);
  state_.version = link.version;
  version_said_ = lsn;
  if (record.kind == TagRecordKind::versioned) {
    records_[link.version] = lsn;
    return;
  }
  state_.generation = link.generation;
  generation_said_ = lsn;
  if (record.kind == TagRecordKind::stated) return;
  records_.erase(records_.lower_bound(link.version), records_.end());
  state_.version = link.previous_version;
}

void VersionBook::drop_below(Lsn lsn) {
  while (!records_.empty() && records_.begin()->second < lsn) records_.erase(records_.begin());
}

std::optional<Lsn> VersionBook::said_from() const {
  if (version_said_ == Lsn()) return std::nullopt;
  // A generation of 0 needs nobody to say it.
  return generation_said_ == Lsn() ? version_said_ : std::min(version_said_, generation_said_);
}

std::optional<Lsn> VersionBook::find(uint64_t version) const {
  const auto found = records_.find(version);
  if (found == records_.end()) return std::nullopt;
  return found->second;
}

std::optional<Lsn> VersionBook::first_from(uint64_t version) const {
  const auto found = records_.lower_bound(version);
  if (found == records_.end()) return std::nullopt;
  return found->second;
}

void VersionBook::dump(std::vector<std::byte>& out) const {
  for (const uint64_t word :
       {state_.version, state_.known_committed_version, state_.generation,
        uint64_t{state_.is_plain}, version_said_.value(), generation_said_.value()}) {
    IdCodec<uint64_t>::append(word, out);
  }
  for (const auto& [version, lsn] : records_) {
    IdCodec<uint64_t>::append(version, out);
    IdCodec<uint64_t>::append(lsn.value(), out);
  }
}

bool VersionBook::load(std::span<const std::byte> bytes) {
  std::array<uint64_t, 6> words{};
  for (uint64_t& word : words) {
    const auto taken = IdCodec<uint64_t>::take(bytes);
    if (!taken) return false;
    word = *taken;
  }
  state_ = {.version = words[0],
            .known_committed_version = words[1],
            .generation = words[2],
            .is_plain = words[3] != 0};
  version_said_ = Lsn(words[4]);
  generation_said_ = Lsn(words[5]);
  while (!bytes.empty()) {
    const auto version = IdCodec<uint64_t>::take(bytes);
    const auto lsn = IdCodec<uint64_t>::take(bytes);
    if (!version || !lsn) return false;
    records_.emplace_hint(records_.end(), *version, Lsn(*lsn));
  }
  return true;
}

}  // namespace writeahead::index::internal
