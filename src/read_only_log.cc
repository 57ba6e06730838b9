// ReadOnlyLog: the public face of an observed log.
// Here is nothing but the way from each call to the layer that does it.
#include "writeahead/read_only_log.h"

#include <utility>

#include "base/error.h"
#include "read/own_progress.h"
#include "read/read_view.h"
#include "recovery/observation.h"
#include "recovery/recovery.h"
#include "segment/file_store.h"

namespace writeahead {

using namespace internal;

namespace {

Result<std::shared_ptr<SegmentStore>> open_store(const std::string& path,
                                                 const ReadOnlyOptions& options) {
  Env& env = options.env != nullptr ? *options.env : Env::posix();
  auto store = FileStore::open_read_only(env, path);
  if (!store) return std::unexpected(store.error());
  return std::shared_ptr<SegmentStore>(std::move(*store));
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
                        .bytes = (*segment)->bytes()});
  }
  return standbys;
}

}  // namespace

Result<ReadOnlyLog> ReadOnlyLog::open(const std::string& path, const ReadOnlyOptions& options) {
  auto store = open_store(path, options);
  if (!store) return std::unexpected(store.error());
  auto observed = observe(**store);
  if (!observed) return std::unexpected(observed.error());
  if (observed->found.damage) {
    return std::unexpected(to_error(*observed->found.damage, "open log"));
  }
  if (auto settled = settle_observed(*observed); !settled) {
    return std::unexpected(settled.error());
  }
  auto standbys = list_standbys(**store, observed->found);
  // It is shown as it was: whoever waits at its end is told so.
  Env& env = options.env != nullptr ? *options.env : Env::posix();
  auto progress = std::make_shared<OwnProgress>(env, path);
  progress->end(make_error(ErrorCode::closed, "wait for record",
                           "the log is shown as it was when it was opened", {.path = path}));
  auto view =
      std::make_shared<ReadView>(*store, make_table(observed->found, nullptr), std::move(progress),
                                 observed->found.root, options.map_segments);
  return ReadOnlyLog(std::move(view), std::move(standbys));
}

Result<VerifyReport> ReadOnlyLog::verify(const std::string& path, const ReadOnlyOptions& options) {
  auto store = open_store(path, options);
  if (!store) return std::unexpected(store.error());
  // A writer may trim faster than this reads, but not for ever without appending.
  for (int attempt = 1;; ++attempt) {
    auto observed = observe(**store);
    if (!observed) return std::unexpected(observed.error());
    auto report = verify_observed(**store, *observed);
    if (report || !is_gone(report.error()) || attempt == kMaxVerifyAttempts) return report;
  }
}

ReadOnlyLog::ReadOnlyLog(std::shared_ptr<ReadView> view, std::vector<SegmentInfo> standbys)
    : view_(std::move(view)), standbys_(std::move(standbys)) {}
ReadOnlyLog::ReadOnlyLog(ReadOnlyLog&&) noexcept = default;
ReadOnlyLog& ReadOnlyLog::operator=(ReadOnlyLog&&) noexcept = default;
ReadOnlyLog::~ReadOnlyLog() = default;

Result<RecordView> ReadOnlyLog::read(Lsn lsn) const { return view_->read(lsn); }
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
uint64_t ReadOnlyLog::epoch() const { return view_->epoch(); }

std::vector<SegmentInfo> ReadOnlyLog::segments() const {
  auto infos = view_->segments();
  infos.insert(infos.end(), standbys_.begin(), standbys_.end());
  return infos;
}

}  // namespace writeahead
