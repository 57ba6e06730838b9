// TagLogState: the chain of versions, and fencing.
#include <algorithm>
#include <string>

#include "index_error.h"
#include "tag_log_state.h"

namespace writeahead::index::internal {
namespace {

VersionLink link_of(const ChainState& state) {
  return {.version = state.version,
          .previous_version = 0,
          .known_committed_version = state.known_committed_version,
          .generation = state.generation};
}

}  // namespace

/// Admitted with the chain held, durable without: so that those that follow share its frame.
Result<VersionAppended> TagLogState::append(const VersionLink& link,
                                            std::span<const std::byte> payload,
                                            std::span<const Tag> tags) {
  if (auto checked = check_tags(tags, 0); !checked) return std::unexpected(checked.error());
  const auto bytes = encode_versioned(link, tags, payload);
  if (auto checked = check_size(bytes.size()); !checked) return std::unexpected(checked.error());
  auto admitted = chain_.admit(link, std::chrono::milliseconds(options_.version_wait_ms), [&] {
    return log_.append(bytes, {.durability = Durability::buffered});
  });
  if (!admitted) return std::unexpected(admitted.error());
  if (!*admitted) return repeat(link, payload, tags);
  if (auto synced = log_.sync(); !synced) return std::unexpected(synced.error());
  return VersionAppended{.lsn = **admitted, .was_there = false};
}

/// A version that was admitted before is answered when it is durable, if it is the same.
Result<VersionAppended> TagLogState::repeat(const VersionLink& link,
                                            std::span<const std::byte> payload,
                                            std::span<const Tag> tags) {
  const auto refuse = [&](std::string_view cause) {
    return std::unexpected(make_error(ErrorCode::invalid_argument,
                                      "append version " + std::to_string(link.version), cause,
                                      log_.path()));
  };
  if (auto synced = log_.sync(); !synced) return std::unexpected(synced.error());
  if (auto advanced = advance(); !advanced) return std::unexpected(advanced.error());
  const auto lsn = contents_.find_version(link.version);
  RecordView view;
  if (!lsn) {
    const auto next = contents_.first_version_from(link.version);
    const auto behind = next ? read_record(*next, view) : Result<TagRecord>(TagRecord());
    // The chain led past it; else it is one of those that were trimmed.
    if (behind && next && behind->link.previous_version < link.version) {
      return refuse("the chain has no such version");
    }
    const bool is_unknown = !behind && behind.error().code() != ErrorCode::trimmed;
    if (is_unknown) return std::unexpected(behind.error());
    return VersionAppended{.lsn = Lsn(), .was_there = true};
  }
  const auto record = read_record(*lsn, view);
  if (!record && record.error().code() == ErrorCode::trimmed) {
    return VersionAppended{.lsn = Lsn(), .was_there = true};
  }
  if (!record) return std::unexpected(record.error());
  const bool is_same = record->link.previous_version == link.previous_version &&
                       std::ranges::equal(record->tags, tags) &&
                       std::ranges::equal(record->payload, payload);
  if (!is_same) return refuse("the version is there, with other bytes");
  return VersionAppended{.lsn = *lsn, .was_there = true};
}

Result<ChainState> TagLogState::durable_chain() {
  if (auto advanced = advance(); !advanced) return std::unexpected(advanced.error());
  return contents_.chain();
}

/// Says what is known of the chain at the end of the log, durably.
Result<Lsn> TagLogState::restate() {
  const auto stated = chain_.hold([&](const ChainState& state) {
    return log_.append(encode_stated(link_of(state)), {.durability = Durability::buffered});
  });
  if (!stated) return stated;
  if (auto synced = log_.sync(); !synced) return std::unexpected(synced.error());
  if (auto advanced = core_->advance_to(*stated); !advanced) {
    return std::unexpected(advanced.error());
  }
  return stated;
}

Result<LockedLog> TagLogState::lock(uint64_t generation) {
  LockedLog locked;
  const auto allowed = chain_.hold([&](ChainState& state) -> Result<void> {
    if (state.is_plain) {
      return std::unexpected(make_error(ErrorCode::invalid_argument, "lock",
                                        "the records of this log have no versions", log_.path()));
    }
    if (generation < state.generation) {
      return std::unexpected(make_error(ErrorCode::fenced, "lock",
                                        "generation " + std::to_string(generation) +
                                            " gave way to " + std::to_string(state.generation),
                                        log_.path()));
    }
    // Refused from here on, whatever becomes of the record.
    state.generation = generation;
    locked = {.end_version = state.version,
              .known_committed_version = state.known_committed_version};
    return {};
  });
  if (!allowed) return std::unexpected(allowed.error());
  // CRASH: before that is durable nobody was told that the log is locked.
  if (const auto stated = restate(); !stated) return std::unexpected(stated.error());
  return locked;
}

Result<Lsn> TagLogState::append_cut(ChainState& state, uint64_t version) {
  if (auto synced = log_.sync(); !synced) return std::unexpected(synced.error());
  if (auto advanced = advance(); !advanced) return std::unexpected(advanced.error());
  const auto from = contents_.first_version_from(version);
  const auto trimmed = [&] {
    return std::unexpected(make_error(ErrorCode::trimmed,
                                      "truncate from version " + std::to_string(version),
                                      "its record is trimmed", log_.path()));
  };
  if (!from) {
    if (state.version >= version) return trimmed();
    return Lsn();
  }
  RecordView view;
  const auto record = read_record(*from, view);
  if (!record) return std::unexpected(record.error());
  VersionLink link = record->link;
  if (link.previous_version >= version) return trimmed();
  link.known_committed_version = state.known_committed_version;
  link.generation = state.generation;
  const auto cut = log_.append(encode_cut(link, *from), {.durability = Durability::buffered});
  if (cut) state.version = link.previous_version;
  return cut;
}

/// The records stay where they are, and are shown to nobody. CRASH: the chain ends where it did,
/// or in front of `version`.
Result<void> TagLogState::truncate_from_version(uint64_t version) {
  const auto cut = chain_.hold([&](ChainState& state) -> Result<Lsn> {
    if (version > state.known_committed_version) return append_cut(state, version);
    return std::unexpected(make_error(
        ErrorCode::invalid_argument, "truncate from version " + std::to_string(version),
        "version " + std::to_string(state.known_committed_version) + " is known to be committed",
        log_.path()));
  });
  if (!cut) return std::unexpected(cut.error());
  if (*cut == Lsn()) return {};
  if (auto synced = log_.sync(); !synced) return synced;
  return core_->advance_to(*cut);
}

}  // namespace writeahead::index::internal
