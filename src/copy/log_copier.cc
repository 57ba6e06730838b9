// The steps of a copy, but for the copying: looking at both, following, finishing.
// What a step leaves is gone on with by the next one, and by the next call.
#include "copy/log_copier.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "copy/copy_check.h"
#include "recovery/observation.h"
#include "segment/open_store.h"

namespace writeahead::internal {
namespace {

constexpr std::chrono::milliseconds kPollTime{50};

}  // namespace

LogCopier::LogCopier(std::string source, std::string destination, const CopyOptions& options)
    : source_path_(std::move(source)), path_(std::move(destination)), options_(options) {}

/// An Env has no part in a log of objects.
Env& LogCopier::env_of(const std::string& path) const {
  const bool is_given = options_.env != nullptr && !traits_of(path).passes_on_ownership;
  return is_given ? *options_.env : Env::posix();
}

void LogCopier::tell(Phase phase, std::string_view waits_for) {
  phase_ = phase;
  if (!options_.on_progress) return;
  const Lsn copied = copy_->committed().lsn;
  const Lsn end = std::max(source_->end_lsn(), copy_->part().end_lsn());
  options_.on_progress({.phase = phase,
                        .copied_bytes = report_.copied_bytes,
                        .left_bytes = end - copy_->part().end_lsn(),
                        .copied_lsn = copied,
                        .waits_for = std::string(waits_for)});
}

Result<CopyReport> LogCopier::run() {
  auto source = CopySource::open(env_of(source_path_), source_path_);
  if (!source) return std::unexpected(source.error());
  source_ = std::move(*source);
  Result<void> done = refuse_same_place();
  if (done) done = refuse_unfit(*source_, path_);
  if (done) done = look_at_destination();
  if (done) done = open_copy();
  if (done) tell(Phase::copying);
  if (done) done = copy_up();
  if (done && options_.compares) done = compare_all();
  if (done) done = options_.follows ? follow() : finish();
  if (!done) return std::unexpected(done.error());
  report_.first_lsn = copy_->part().first.lsn;
  report_.end_lsn = copy_->part().end_lsn();
  report_.segments = copy_->part().segments.size();
  return report_;
}

Result<void> LogCopier::refuse_same_place() const {
  bool is_same = source_path_ == path_;
  const bool is_from_objects = traits_of(source_path_).passes_on_ownership;
  const bool is_to_objects = traits_of(path_).passes_on_ownership;
  if (!is_from_objects && !is_to_objects) {
    const auto from = env_of(path_).resolve(source_path_);
    const auto to = env_of(path_).resolve(path_);
    is_same = is_same || (from && to && *from == *to);
  } else if (is_from_objects && is_to_objects) {
    // One log may have many addresses; its segments have names that no other log ever has.
    const auto store = open_store_read_only(env_of(path_), path_);
    is_same = is_same || (store && (*store)->segment_label(1) == source_->segment_label(1));
  }
  if (!is_same) return {};
  return std::unexpected(make_error(ErrorCode::invalid_argument, "copy log",
                                    "source and destination are the same place", {.path = path_}));
}

/// Before it is owned: on objects that would take it from whoever writes there.
Result<void> LogCopier::look_at_destination() {
  auto store = open_store_read_only(env_of(path_), path_);
  if (!store && store.error().code() == ErrorCode::not_found) return {};
  if (!store) return std::unexpected(store.error());
  auto observed = observe(**store);
  if (!observed) return std::unexpected(observed.error());
  if (observed->found.damage) {
    return std::unexpected(to_error(*observed->found.damage, "copy log"));
  }
  if (observed->found.root_verdict == RootVerdict::create) return {};
  seen_ = to_part(observed->found);
  if (auto refused = refuse_other(*source_, *seen_, path_); !refused) return refused;
  return compare_last(*seen_, **store);
}

Result<void> LogCopier::compare_last(const CopiedPart& part, SegmentStore& store) {
  const auto last = source_->table().at(part.last_number());
  if (part.segments.empty() || !last) return {};
  return compare(*last, store, part.end_lsn());
}

/// One that the source took away meanwhile cannot be compared, and need not be.
Result<void> LogCopier::compare(const SegmentView& segment, SegmentStore& store, Lsn end) {
  auto compared = compare_segment(*source_, segment, store, end);
  if (!compared) {
    auto there = is_still_there(compared.error(), segment.header.number);
    if (!there) return std::unexpected(there.error());
    return *there ? Result<void>(std::unexpected(compared.error())) : Result<void>{};
  }
  report_.compared_bytes += *compared;
  return {};
}

Result<void> LogCopier::open_copy() {
  auto copy = CopiedLog::open(env_of(path_), path_,
                              {.is_new = !seen_,
                               .file_mode = options_.file_mode,
                               .least_epoch = source_->root().epoch + 1});
  if (!copy) return std::unexpected(copy.error());
  copy_ = std::move(*copy);
  if (seen_) {
    const CopiedPart& part = copy_->part();
    if (auto refused = refuse_other(*source_, part, path_); !refused) return refused;
    // Somebody may have written to it before it was owned.
    const bool is_as_seen = part.last_number() == seen_->last_number() &&
                            part.last.end_lsn == seen_->last.end_lsn &&
                            part.last.digest == seen_->last.digest;
    if (!is_as_seen) {
      if (auto same = compare_last(part, copy_->store()); !same) return same;
    }
  }
  seen_ = copy_->part();
  if (auto begun = copy_->begin(source_->root()); !begun) return begun;
  return find_unsealed();
}

/// Seals are copied in order, so that the last ones are missing where a copy was interrupted.
Result<void> LogCopier::find_unsealed() {
  unsealed_.clear();
  const auto& segments = copy_->part().segments;
  for (size_t i = segments.size(); i-- > 1;) {
    const SegmentHeader& header = segments[i - 1];
    if (segments[i].cause == SegmentCause::truncate) continue;
    auto sealed = copy_->is_sealed(header, segments[i].predecessor_end_lsn());
    if (!sealed) return std::unexpected(sealed.error());
    if (*sealed) break;
    unsealed_.push_front(header.number);
  }
  return {};
}

Result<void> LogCopier::compare_all() {
  tell(Phase::comparing);
  report_.compared_bytes = 0;
  const CopiedPart& part = copy_->part();
  for (const SegmentView& segment : source_->table().all()) {
    if (options_.stop.stop_requested() || segment.header.number > part.last_number()) break;
    const bool is_last = segment.header.number == part.last_number();
    const Lsn end = is_last ? part.last.end_lsn : segment.end_lsn;
    if (auto same = compare(segment, copy_->store(), end); !same) return same;
    tell(Phase::comparing);
  }
  return {};
}

Result<void> LogCopier::follow() {
  while (!options_.stop.stop_requested()) {
    tell(Phase::following);
    source_->wait(kPollTime, options_.stop);
    if (auto updated = source_->update(); !updated) return updated;
    if (auto copied = copy_up(); !copied) return copied;
  }
  return copy_->close(source_->root());
}

Error LogCopier::still_owned(const Error& locked) const {
  return make_error(ErrorCode::locked, "copy log",
                    fmt::format("{}; all below {} is copied: have it closed and copy again",
                                locked.message(), copy_->committed().lsn.value()));
}

/// False: stopped before.
Result<bool> LogCopier::own_source() {
  while (!options_.stop.stop_requested()) {
    stop_begin_ = std::chrono::steady_clock::now();
    const auto owned = source_->own();
    if (owned) return true;
    if (owned.error().code() != ErrorCode::locked) return std::unexpected(owned.error());
    if (!options_.waits) {
      auto closed = copy_->close(source_->root());
      return std::unexpected(closed ? still_owned(owned.error()) : closed.error());
    }
    tell(Phase::waiting, owned.error().message());
    source_->wait(kPollTime, options_.stop);
    if (auto updated = source_->update(); !updated) return std::unexpected(updated.error());
    if (auto copied = copy_up(); !copied) return std::unexpected(copied.error());
  }
  return false;
}

/// The last part, while nobody can append to the source.
Result<void> LogCopier::finish() {
  auto owned = own_source();
  if (!owned) return std::unexpected(owned.error());
  if (!*owned) return copy_->close(source_->root());
  tell(Phase::finishing);
  if (auto copied = copy_up(); !copied) return copied;
  const CopiedPart& part = copy_->part();
  if (auto same = compare_last(part, copy_->store()); !same) return same;
  const LogExtent extent = source_->table().extent();
  report_.is_complete =
      part.end_lsn() == extent.end_lsn && part.end_ordinal() == extent.end_ordinal;
  if (auto closed = copy_->close(source_->root()); !closed) return closed;
  auto closed = source_->close();
  report_.stop = std::chrono::steady_clock::now() - stop_begin_;
  return closed;
}

}  // namespace writeahead::internal
