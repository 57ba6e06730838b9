// ReadOnlyLog: the public face of an observed log.
// Here is nothing but the way from each call to the layer that does it.
#include "writeahead/read_only_log.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "read/read_view.h"
#include "recovery/followed_log.h"
#include "recovery/observation.h"
#include "recovery/recovery.h"
#include "segment/open_store.h"

namespace writeahead {

using namespace internal;

namespace {

Result<std::shared_ptr<SegmentStore>> open_observed(const std::string& path,
                                                    const ReadOnlyOptions& options) {
  return open_store_read_only(options.env != nullptr ? *options.env : Env::posix(), path);
}

constexpr int kMaxVerifyAttempts = 100;

/// Segments that are prepared and hold nothing, for the listing.
std::vector<SegmentInfo> list_standbys(SegmentStore& store, const Inspection& found) {
  std::vector<SegmentInfo> standbys;
  for (const uint64_t number : found.leftovers) {
    auto segment = store.open(number);
    if (!segment) continue;  // It was removed, or became a segment, since it was seen.
    standbys.push_back({.number = number,
                        .base_lsn = {},
                        .end_lsn = {},
                        .records = 0,
                        .state = SegmentInfo::State::standby,
                        .bytes = (*segment)->stored_bytes()});
  }
  return standbys;
}

}  // namespace

Result<ReadOnlyLog> ReadOnlyLog::open(const std::string& path, const ReadOnlyOptions& options) {
  auto store = open_observed(path, options);
  if (!store) return std::unexpected(store.error());
  const auto before = (*store)->control_signs();
  auto observed = observe(**store, Scrutiny::what_is_not_proven);
  if (!observed) return std::unexpected(observed.error());
  if (observed->found.damage) {
    return std::unexpected(to_error(*observed->found.damage, "open log"));
  }
  if (auto settled = settle_observed(*observed); !settled) {
    return std::unexpected(settled.error());
  }
  auto standbys = list_standbys(**store, observed->found);
  auto followed = std::make_shared<FollowedLog>(*store, *observed, before);
  auto view = std::make_shared<ReadView>(*store, followed->table(), followed, observed->found.root,
                                         options.map_segments, false);
  return ReadOnlyLog(std::move(view), std::move(followed), std::move(standbys));
}

Result<VerifyReport> ReadOnlyLog::verify(const std::string& path, const ReadOnlyOptions& options) {
  auto store = open_observed(path, options);
  if (!store) return std::unexpected(store.error());
  // A writer may trim faster than this reads, but not for ever without appending.
  for (int attempt = 1;; ++attempt) {
    auto observed = observe(**store);
    if (!observed) return std::unexpected(observed.error());
    auto report = verify_observed(**store, *observed);
    if (report || !is_gone(report.error()) || attempt == kMaxVerifyAttempts) return report;
  }
}

ReadOnlyLog::ReadOnlyLog(std::shared_ptr<ReadView> view, std::shared_ptr<FollowedLog> followed,
                         std::vector<SegmentInfo> standbys)
    : view_(std::move(view)), followed_(std::move(followed)), standbys_(std::move(standbys)) {}
ReadOnlyLog::ReadOnlyLog(ReadOnlyLog&&) noexcept = default;
ReadOnlyLog& ReadOnlyLog::operator=(ReadOnlyLog&&) noexcept = default;
ReadOnlyLog::~ReadOnlyLog() = default;

Result<RecordView> ReadOnlyLog::read(Lsn lsn, ReadOptions options) const {
  return view_->read(lsn, options);
}
std::vector<Result<RecordView>> ReadOnlyLog::read_many(std::span<const Lsn> lsns,
                                                       ReadOptions options) const {
  return view_->read_many(lsns, options);
}
Reader ReadOnlyLog::reader(Lsn from) const { return view_->reader(from); }
Result<Lsn> ReadOnlyLog::find_ordinal(uint64_t ordinal) const {
  return view_->find_ordinal(ordinal);
}
Result<Lsn> ReadOnlyLog::find_time(uint64_t time_ns) const { return view_->find_time(time_ns); }
Result<RecordView> ReadOnlyLog::last() const { return view_->last(); }
Lsn ReadOnlyLog::first_lsn() const { return view_->first_lsn(); }
Lsn ReadOnlyLog::durable_lsn() const { return view_->durable_lsn(); }
bool ReadOnlyLog::is_empty() const { return view_->records() == 0; }
uint64_t ReadOnlyLog::records() const { return view_->records(); }
uint64_t ReadOnlyLog::epoch() const { return followed_->epoch(); }
Result<void> ReadOnlyLog::refresh() { return followed_->update(); }

std::vector<SegmentInfo> ReadOnlyLog::segments() const {
  auto infos = view_->segments();
  // Some of them may have become segments since.
  const uint64_t last = infos.empty() ? 0 : infos.back().number;
  std::ranges::copy_if(standbys_, std::back_inserter(infos),
                       [last](const SegmentInfo& standby) { return standby.number > last; });
  return infos;
}

}  // namespace writeahead
