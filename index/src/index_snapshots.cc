// How an index comes by a snapshot at opening, and writes the next one.
#include <algorithm>
#include <array>
#include <utility>

#include "index_error.h"
#include "snapshot_directory.h"
#include "snapshot_file.h"
#include "writeahead/index/detail/index_core.h"
#include "writeahead/index/id_codec.h"
#include "writeahead/object_store.h"

namespace writeahead::index::internal {

Result<void> IndexCore::open_directory() {
  if (auto checked = check_index_name(options_.name, log_.path()); !checked) return checked;
  if (cache_path(log_.path(), options_.cache_directory).empty()) return {};
  auto directory =
      SnapshotDirectory::open(log_.env(), log_.path(), options_.cache_directory, options_.name);
  if (directory) {
    directory_ = std::move(*directory);
    return {};
  }
  // Whoever takes a log over asks nobody: an owner who was fenced may still run, and keep its
  // cache, which must not keep the next one from going on.
  const bool is_left =
      directory.error().code() == ErrorCode::locked && is_object_address(log_.path());
  if (!is_left) return std::unexpected(directory.error());
  opening_.refused_snapshots.emplace_back(directory.error().message());
  return {};
}

/// Whether there is a snapshot that may be used; else the index stands at the log's beginning.
Result<bool> IndexCore::recover() {
  truncations_ = log_.identity().truncations;
  auto numbers = directory_ ? directory_->list() : Result<std::vector<uint64_t>>();
  if (!numbers) return std::unexpected(numbers.error());
  if (!numbers->empty()) next_number_ = numbers->front() + 1;
  for (const uint64_t number : *numbers) {
    auto loaded = load(number);
    if (!loaded) return std::unexpected(loaded.error());
    if (*loaded) return true;
  }
  uint64_t seed = 0;
  if (auto filled = log_.env().random(std::as_writable_bytes(std::span(&seed, 1))); !filled) {
    return std::unexpected(system_failure("open index", filled.error(), log_.path()));
  }
  contents_.clear(seed);
  begin_at(log_.first_lsn());
  return false;
}

/// False, and a line in opening_, if that one cannot be used: then nothing was lost but time.
Result<bool> IndexCore::load(uint64_t number) {
  const auto refuse = [&](std::string line) {
    opening_.refused_snapshots.push_back(std::move(line));
    return false;
  };
  auto snapshot = SnapshotReader::open(*directory_, number);
  if (!snapshot) return refuse(std::string(snapshot.error().message()));
  if (auto refusal = refusal_of(*snapshot)) return refuse(std::move(*refusal));
  contents_.clear(snapshot->header().hash_seed);
  if (auto loaded = load_parts(*snapshot); !loaded) {
    return refuse(std::string(loaded.error().message()));
  }
  opening_.loaded_entries = contents_.entries();
  const Lsn first = log_.first_lsn();
  if (snapshot->trailer().begin < first) sweep_all(first);
  begin_at(std::max(snapshot->trailer().begin, first));
  last_lsn_ = snapshot->trailer().last.lsn;
  snapshot_begin_ = snapshot->trailer().begin;
  snapshot_end_ = snapshot->trailer().end;
  snapshot_size_ = snapshot->bytes();
  return true;
}

/// Why a snapshot is not of this log as it is now, in this caller's eyes. A log that was restored
/// from a backup has the same id; the last record tells it from what the snapshot was made of.
std::optional<std::string> IndexCore::refusal_of(const SnapshotReader& snapshot) const {
  const auto refuse = [&](std::string_view cause) {
    return std::string(snapshot.damage(cause).message());
  };
  const LogIdentity identity = log_.identity();
  const SnapshotTrailer& trailer = snapshot.trailer();
  if (snapshot.header().log_id != identity.log_id) return refuse("it is of another log");
  if (snapshot.header().format != contents_.format()) {
    return refuse("it is of another kind of index, or of another extractor");
  }
  if (trailer.truncations != identity.truncations) return refuse("the log was truncated since");
  if (trailer.end > log_.durable_lsn()) return refuse("the log ends before it");
  if (trailer.last.lsn < log_.first_lsn()) return refuse("all of its records were trimmed");
  const auto mark = mark_of(trailer.last.lsn);
  if (!mark || *mark != trailer.last) return refuse("the log has another record at its end");
  return std::nullopt;
}

Result<void> IndexCore::load_parts(SnapshotReader& snapshot) {
  PartHeader part;
  std::vector<std::byte> bytes;
  for (;;) {
    auto next = snapshot.next(part, bytes);
    if (!next) return std::unexpected(next.error());
    if (!*next) return {};
    if (!contents_.load_next(bytes, part.entries, part.position)) {
      return std::unexpected(snapshot.damage("a part has other entries than it says"));
    }
  }
}

Result<RecordMark> IndexCore::mark_of(Lsn lsn) const {
  const auto record = log_.read(lsn);
  if (!record) return std::unexpected(record.error());
  return RecordMark{.lsn = lsn,
                    .ordinal = record->ordinal,
                    .time_ns = record->time_ns,
                    .payload_checksum = hash_bytes(record->payload, 0)};
}

bool IndexCore::is_snapshot_due() const {
  if (!directory_ || options_.snapshot_bytes == 0) return false;
  const Lsn from = std::max(snapshot_end_.load(), log_.first_lsn());
  const Lsn now = position();
  return now > from && now - from >= std::max(options_.snapshot_bytes, snapshot_size_.load());
}

Result<void> IndexCore::write_snapshot() {
  if (!directory_) return advance();
  const std::lock_guard lock(snapshot_mutex_);
  const uint64_t number = next_number_++;
  const uint64_t before = snapshots_;
  auto written = write_snapshot_once(number);
  if (snapshots_ == before) directory_->discard(number);
  if (!written) snapshot_failures_.fetch_add(1);
  return written;
}

Result<void> IndexCore::write_snapshot_once(uint64_t number) {
  const LogIdentity identity = log_.identity();
  // Whatever a truncation before that moment took away is known from here on.
  if (auto advanced = advance(); !advanced) return advanced;
  auto writer = SnapshotWriter::begin(*directory_, number,
                                      {.log_id = identity.log_id,
                                       .format = contents_.format(),
                                       .hash_seed = contents_.hash_seed()});
  if (!writer) return std::unexpected(writer.error());
  if (auto dumped = dump(*writer); !dumped) return dumped;
  Lsn last;
  {
    const std::lock_guard lock(advance_mutex_);
    last = last_lsn_;
  }
  // Nothing was ever taken in, or all of it is gone: then an opening has nothing to gain.
  if (last < log_.first_lsn()) return {};
  // One that comes later than this is found by the next opening.
  if (log_.identity().truncations != identity.truncations) {
    return std::unexpected(make_error(ErrorCode::truncated, "write snapshot",
                                      "the log was truncated meanwhile", log_.path()));
  }
  auto mark = mark_of(last);
  if (!mark) return std::unexpected(mark.error());
  auto bytes = writer->publish(*mark, identity.truncations);
  if (!bytes) return std::unexpected(bytes.error());
  snapshot_begin_ = writer->trailer().begin;
  snapshot_end_ = writer->trailer().end;
  snapshot_size_ = *bytes;
  snapshots_.fetch_add(1);
  return {};
}

Result<void> IndexCore::dump(SnapshotWriter& writer) {
  const Lsn first = log_.first_lsn();
  {
    const std::lock_guard lock(advance_mutex_);
    contents_.begin_dump();
  }
  ContentsPart part;
  for (;;) {
    part.bytes.clear();
    part.entries = 0;
    Lsn position;
    {
      const std::lock_guard lock(advance_mutex_);
      const auto dumped = contents_.dump_next(first, part);
      if (!dumped) return std::unexpected(dumped.error());
      if (!*dumped) return {};
      position = this->position();
    }
    if (auto added = writer.add(part, position); !added) return added;
  }
}

Result<void> IndexCore::close() {
  background_.request_stop();
  if (background_.joinable()) background_.join();
  if (auto advanced = advance(); !advanced) return advanced;
  if (!directory_ || snapshot_end_.load() == position()) return {};
  return write_snapshot();
}

}  // namespace writeahead::index::internal
