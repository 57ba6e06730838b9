// Keeping the chain's state, and the places of its versions.
#include "version_book.h"

#include <algorithm>

#include "writeahead/index/id_codec.h"

namespace writeahead::index::internal {

void VersionBook::take_in(const TagRecord& record, Lsn lsn) {
  const VersionLink& link = record.link;
  if (record.kind == TagRecordKind::tagged || record.kind == TagRecordKind::moved) {
    if (link.version == 0) last_plain_ = lsn;
    state_.is_plain = last_plain_ != Lsn();
    return;
  }
  if (link.known_committed_version >= state_.known_committed_version) {
    state_.known_committed_version = link.known_committed_version;
    committed_said_ = lsn;
  }
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
  if (last_plain_ < lsn) last_plain_ = Lsn();
  state_.is_plain = last_plain_ != Lsn();
}

std::optional<Lsn> VersionBook::said_from() const {
  if (version_said_ == Lsn()) return std::nullopt;
  const Lsn said = std::min(version_said_, committed_said_);
  // A generation of 0 needs nobody to say it.
  return generation_said_ == Lsn() ? said : std::min(said, generation_said_);
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
       {state_.version, state_.known_committed_version, state_.generation, last_plain_.value(),
        version_said_.value(), committed_said_.value(), generation_said_.value()}) {
    IdCodec<uint64_t>::append(word, out);
  }
  for (const auto& [version, lsn] : records_) {
    IdCodec<uint64_t>::append(version, out);
    IdCodec<uint64_t>::append(lsn.value(), out);
  }
}

bool VersionBook::load(std::span<const std::byte> bytes) {
  std::array<uint64_t, 7> words{};
  for (uint64_t& word : words) {
    const auto taken = IdCodec<uint64_t>::take(bytes);
    if (!taken) return false;
    word = *taken;
  }
  state_ = {.version = words[0],
            .known_committed_version = words[1],
            .generation = words[2],
            .is_plain = words[3] != 0};
  last_plain_ = Lsn(words[3]);
  version_said_ = Lsn(words[4]);
  committed_said_ = Lsn(words[5]);
  generation_said_ = Lsn(words[6]);
  while (!bytes.empty()) {
    const auto version = IdCodec<uint64_t>::take(bytes);
    const auto lsn = IdCodec<uint64_t>::take(bytes);
    if (!version || !lsn) return false;
    records_.emplace_hint(records_.end(), *version, Lsn(*lsn));
  }
  return true;
}

}  // namespace writeahead::index::internal
