// TagLogState: tags. What is appended, what is shown, and what is trimmed.
#include "tag_log_state.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "index_error.h"
#include "snapshot_directory.h"

namespace writeahead::index::internal {
namespace {

// Places are looked up so many at a time.
constexpr size_t kPlacesAtOnce = 256;
constexpr std::string_view kIndexName = "tags";

}  // namespace

Result<void> TagLogState::begin() {
  auto core = IndexCore::open(log_, contents_,
                              {.name = std::string(kIndexName),
                               .snapshot_bytes = options_.snapshot_bytes,
                               .cache_directory = options_.cache_directory,
                               .background = options_.log.background});
  if (!core) return std::unexpected(core.error());
  core_ = std::move(*core);
  if (auto advanced = advance(); !advanced) return advanced;
  chain_.begin(contents_.chain());
  moves_counted_to_ = log_.durable_lsn();
  core_->start([this] { return move_slowest(); },
               [this](const Error& reason) { chain_.end(reason); });
  return {};
}

Result<std::unique_ptr<SpillFile>> TagLogState::make_spill() {
  const std::string path = cache_path(log_.path(), options_.cache_directory);
  if (!path.empty()) return SpillFile::create(log_.env(), path, std::string(kIndexName));
  std::error_code error;
  const auto temporary = std::filesystem::temp_directory_path(error);
  if (!error) return SpillFile::create_unnamed(log_.env(), temporary);
  return std::unexpected(system_failure("spill index", SystemError{error.value()}, temporary));
}

Result<void> TagLogState::check(Tag tag) const {
  if (tag < options_.tags) return {};
  return std::unexpected(make_error(ErrorCode::invalid_argument, "use tag " + std::to_string(tag),
                                    "tags are below " + std::to_string(options_.tags),
                                    log_.path()));
}

Result<void> TagLogState::advance() {
  if (auto advanced = core_->advance(); !advanced) return advanced;
  if (const auto failure = contents_.failure()) return std::unexpected(*failure);
  return {};
}

Result<void> TagLogState::check_tags(std::span<const Tag> tags, size_t least) const {
  if (tags.size() < least || tags.size() > kMostTagsOfARecord) {
    return std::unexpected(make_error(ErrorCode::invalid_argument, "append tagged record",
                                      tags.empty() ? "it has no tag" : "it has too many tags",
                                      log_.path()));
  }
  for (const Tag tag : tags) {
    if (auto checked = check(tag); !checked) return checked;
  }
  return {};
}

/// So that each record can be moved.
Result<void> TagLogState::check_size(size_t bytes) const {
  const uint64_t most = options_.log.max_record_bytes;
  if (bytes + kMovedBytes <= most) return {};
  return std::unexpected(make_error(ErrorCode::too_large, "append tagged record",
                                    "its payload and tags take " + std::to_string(bytes) +
                                        " bytes, and " + std::to_string(kMovedBytes) +
                                        " more to move it: above max_record_bytes, " +
                                        std::to_string(most),
                                    log_.path()));
}

Result<Lsn> TagLogState::append(std::span<const std::byte> payload, std::span<const Tag> tags,
                                AppendOptions options) {
  if (auto checked = check_tags(tags, 1); !checked) return std::unexpected(checked.error());
  const auto bytes = encode_tagged(tags, payload);
  if (auto checked = check_size(bytes.size()); !checked) return std::unexpected(checked.error());
  if (auto admitted = chain_.admit_plain(); !admitted) return std::unexpected(admitted.error());
  return log_.append(bytes, options);
}

/// `view` keeps the bytes that the record lies in.
Result<TagRecord> TagLogState::read_record(Lsn lsn, RecordView& view) const {
  auto found = log_.read(lsn, {.record_alone = true});
  if (!found) return std::unexpected(found.error());
  view = std::move(*found);
  TagRecord record;
  if (decode_tag_record(view.payload, record)) return record;
  return std::unexpected(make_error(ErrorCode::unsupported_format, "read tags",
                                    "a record was not appended by a TagLog", log_.path()));
}

Result<TaggedRecord> TagLogState::read(const TagPlace& place) const {
  RecordView view;
  auto record = read_record(place.at, view);
  if (!record) return std::unexpected(record.error());
  return TaggedRecord{.lsn = place.lsn,
                      .at = place.at,
                      .type = view.type,
                      .version = record->link.version,
                      .payload = record->payload,
                      .pin = std::move(view.pin)};
}

/// What lies somewhere else than it did. Of a record that is nowhere, what told that: the consumer
/// needs it no more.
Result<TaggedRecord> TagLogState::read_again(Tag tag, TagPlace place) {
  for (;;) {
    if (auto advanced = advance(); !advanced) return std::unexpected(advanced.error());
    std::vector<TagPlace> now;
    auto copied = contents_.copy_from(tag, place.lsn, 1, now);
    if (!copied) return std::unexpected(copied.error());
    const bool has_moved =
        !now.empty() && now.front().lsn == place.lsn && now.front().at != place.at;
    if (has_moved) place = now.front();
    auto record = read(place);
    if (record || record.error().code() != ErrorCode::trimmed || !has_moved) return record;
  }
}

Result<std::vector<TaggedRecord>> TagLogState::peek(Tag tag, Lsn from, uint64_t max_bytes) {
  if (auto advanced = advance(); !advanced) return std::unexpected(advanced.error());
  std::vector<TaggedRecord> records;
  std::vector<TagPlace> places;
  uint64_t bytes = 0;
  for (;;) {
    places.clear();
    auto copied = contents_.copy_from(tag, from, kPlacesAtOnce, places);
    if (!copied) return std::unexpected(copied.error());
    for (const TagPlace& place : places) {
      auto record = read(place);
      // Popped meanwhile, or moved, and trimmed where it lay.
      if (!record && record.error().code() == ErrorCode::trimmed) record = read_again(tag, place);
      if (!record && record.error().code() == ErrorCode::trimmed) continue;
      if (!record) return std::unexpected(record.error());
      bytes += record->payload.size();
      if (bytes > max_bytes && !records.empty()) return records;
      records.push_back(std::move(*record));
    }
    if (places.size() < kPlacesAtOnce) return records;
    from = places.back().lsn + 1;
  }
}

Result<void> TagLogState::pop(Tag tag, Lsn up_to) {
  if (up_to > log_.durable_lsn()) {
    return std::unexpected(make_error(
        ErrorCode::invalid_argument, "pop tag " + std::to_string(tag),
        "lsn " + std::to_string(up_to.value()) + " lies beyond the end of the log", log_.path()));
  }
  if (auto advanced = advance(); !advanced) return advanced;
  if (up_to <= contents_.recorded_pop(tag)) return {};
  // First, for the record may find room only in what it gives up. CRASH: the consumer gets the rest
  // of what it gave up again.
  contents_.pop(tag, up_to);
  if (const auto failure = contents_.failure()) return std::unexpected(*failure);
  if (auto trimmed = trim(); !trimmed) return trimmed;
  const Pop pop{.tag = tag, .up_to = up_to};
  const auto lsn = [&] {
    const std::lock_guard lock(pops_mutex_);
    return log_.append(encode_pops(std::span(&pop, 1)), {.durability = Durability::buffered});
  }();
  if (!lsn) return std::unexpected(lsn.error());
  if (auto synced = log_.sync(); !synced) return synced;
  return core_->advance_to(*lsn);
}

/// What lies below the first record that a tag needs. The pop of anything above lies above, too,
/// so that no record that was popped comes back. What is known of the chain has to be said above.
Result<void> TagLogState::trim() {
  // Everything below is in the queues, whatever is taken in meanwhile.
  const Lsn position = core_->position();
  const auto needed = contents_.first_needed();
  const Lsn limit = needed ? std::min(needed->lsn, position) : position;
  const auto trim_to = [&](std::optional<Lsn> said) {
    return log_.trim_before(said ? std::min(*said, limit) : limit);
  };
  const auto said = contents_.chain_said_from();
  // Before anything is written, which may need the space.
  if (auto trimmed = trim_to(said); !trimmed) return trimmed;
  const bool is_in_the_way = said && limit > *said && limit - *said >= options_.log.segment_bytes;
  if (!is_in_the_way) return {};
  if (const auto restated = restate(); !restated) return std::unexpected(restated.error());
  return trim_to(contents_.chain_said_from());
}

TagInfo TagLogState::info(Tag tag) const {
  std::vector<TagPlace> first;
  // What cannot be read is told by peek().
  [[maybe_unused]] const auto copied = contents_.copy_from(tag, Lsn(), 1, first);
  const auto needed = contents_.first_needed(tag);
  const Lsn end = log_.durable_lsn();
  return {.records = contents_.records(tag),
          .popped = contents_.popped(tag),
          .first = first.empty() ? Lsn() : first.front().lsn,
          .kept_bytes = needed && *needed < end ? end - *needed : 0};
}

IndexStats TagLogState::stats() const {
  IndexStats stats = core_->stats();
  if (const auto failure = contents_.spill_failure()) stats.last_failure = failure->message();
  return stats;
}

bool TagLogState::step_background() {
  const bool has_stepped = core_->step_background();
  return log_.step_background() || has_stepped;
}

Result<void> TagLogState::close() {
  // Without a snapshot the next opening takes longer, and that is all.
  const auto core_closed = core_->close();
  const auto log_closed = log_.close();
  return core_closed ? log_closed : core_closed;
}

}  // namespace writeahead::index::internal
