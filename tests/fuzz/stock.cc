// Making the logs: two openings or more, single records and batches, with what differs between
// them.
#include "fuzz/stock.h"

#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "format/frame.h"
#include "format/root_slot.h"
#include "format/segment_header.h"
#include "format/segment_name.h"
#include "fuzz/defect.h"

namespace writeahead::testing {
namespace {

/// Of the record whose frame is torn: more sectors than are there by chance.
constexpr size_t kTornBytes = 3000;

/// How one of the logs is made.
struct Recipe {
  bool closes = false;
  bool seals = false;
  bool proves = false;
  bool trims = false;
  bool is_torn = false;    ///< It ends in a torn frame.
  bool is_cut = false;     ///< A torn frame was cut by an opening, and it went on.
  bool truncates = false;  ///< Records were taken back, and it went on.
  uint64_t segment_bytes = 8192;
  size_t appends = 24;
};

class StockMaker {
 public:
  explicit StockMaker(const Recipe& recipe) : recipe_(recipe) {}

  StockLog make() {
    for (size_t i = 0; i < recipe_.appends; ++i) {
      if (i == 0 || i == recipe_.appends / 2) reopen();
      append(i);
      if (recipe_.seals) step_background();
      if (recipe_.trims && i % 6 == 5) trim();
      if (i % 7 == 4) stock_.older.push_back(env_->disk().shut_down());
      if (i == recipe_.appends * 2 / 3) go_back();
    }
    if (recipe_.proves) env_->advance_ns(2'000'000'000);
    if (recipe_.proves) step_background();
    note_segments();
    stock_.first = log_->first_lsn();
    if (recipe_.closes) {
      static_cast<void>(log_->close().value());
      log_.reset();
      stock_.disk = env_->disk().shut_down();
    } else {
      stock_.disk = stop(recipe_.is_torn);
    }
    note_files();
    return std::move(stock_);
  }

 private:
  void reopen() {
    Options options = reference_options(*env_);
    options.segment_bytes = recipe_.segment_bytes;
    options.standby_segments = recipe_.trims ? 1 : 0;
    if (log_ && recipe_.closes) static_cast<void>(log_->close().value());
    log_.reset();
    log_.emplace(Log::open(kLogPath, options).value());
  }

  void append(size_t i) {
    Batch batch;
    const size_t count = i % 4 == 3 ? 3 : 1;
    const uint64_t ordinal = stock_.records.size();
    for (size_t k = 0; k < count; ++k) {
      auto payload = payload_of(ordinal + k);
      if (i % 5 == 2) payload.resize(3 * k);
      const auto type = static_cast<uint16_t>(ordinal + k);
      batch.add(payload, {.type = type});
      stock_.records.push_back({.lsn = {}, .ordinal = ordinal + k, .type = type, .payload = {}});
      stock_.records.back().payload = std::move(payload);
    }
    const Appended range = log_->append(batch).value();
    for (size_t k = 0; k < count; ++k) stock_.records[ordinal + k].lsn = batch.lsn(k, range);
    note_segments();
  }

  void step_background() {
    while (log_->step_background()) {
    }
  }

  /// Stops the machine; in the middle of an append, of which every other sector is written, if
  /// that is to be `torn`. What it finds when it starts again.
  SimDisk stop(bool torn) {
    if (torn) {
      // The record was not acknowledged, and is none of the log's.
      env_->crash_at(env_->calls() + 1);
      const auto refused = log_->append(std::vector(kTornBytes, std::byte{'t'}));
      demand(!refused, "an append is acknowledged although its write was torn");
    } else {
      env_->crash_now();
    }
    log_.reset();
    const SimDisk crashed = env_->crashed_disk();
    CrashPlan plan{.kept = std::vector<uint8_t>(crashed.undecided_count(), 0)};
    for (size_t i = 0; torn && i < plan.kept.size(); i += 2) plan.kept[i] = 1;
    return crashed.crash(plan);
  }

  /// What takes something back that was written. What the disk held before is not to be put back:
  /// it would be a valid log again.
  void go_back() {
    if (recipe_.is_cut) {
      env_.emplace(stop(true), SimEnvOptions{.trace_calls = 0});
      reopen();
    }
    if (recipe_.truncates) {
      const size_t kept = stock_.records.size() - 5;
      static_cast<void>(log_->truncate_from(stock_.records[kept].lsn).value());
      stock_.taken_back.assign(stock_.records.begin() + static_cast<ptrdiff_t>(kept),
                               stock_.records.end());
      stock_.records.resize(kept);
      stock_.segments.clear();
      note_segments();
      stock_.older.assign(1, env_->disk().shut_down());
    }
  }

  void trim() {
    static_cast<void>(log_->trim_before(stock_.records[stock_.records.size() / 2].lsn).value());
    step_background();
  }

  void note_segments() {
    for (const SegmentInfo& info : log_->segments()) {
      if (info.state != SegmentInfo::State::standby) {
        stock_.segments[info.number].base = info.base_lsn;
      }
    }
  }

  void note_files() {
    const auto root = stock_.disk.contents(kRootPath).value();
    for (const size_t slot : {size_t{0}, size_t{kBlockBytes}}) {
      const auto decoded = format::decode_root_slot(std::span(root).subspan(slot));
      if (decoded.state == format::HeaderState::valid) stock_.id = decoded.root.log_id;
    }
    for (auto each = stock_.segments.begin(); each != stock_.segments.end(); ++each) {
      const auto next = std::next(each);
      auto& [number, segment] = *each;
      if (next != stock_.segments.end()) segment.end = next->second.base;
      const auto bytes = stock_.disk.contents(segment_path(number));
      if (!bytes) continue;
      const auto binding = format::SegmentBinding::of(stock_.id, number);
      for (uint64_t at = kBlockBytes; at < bytes->size(); at += format::kFrameAlignment) {
        const auto rest = std::span(*bytes).subspan(at);
        const Lsn lsn = segment.base + (at - kBlockBytes);
        if (format::decode_frame_header(rest, lsn, binding)) segment.frames.push_back(at);
      }
    }
  }

  const Recipe recipe_;
  StockLog stock_;
  std::optional<SimEnv> env_{std::in_place, SimDisk{}, SimEnvOptions{.trace_calls = 0}};
  std::optional<Log> log_;
};

}  // namespace

std::string segment_path(uint64_t number) {
  return std::string(kLogPath) + "/" + format::segment_name(number);
}

const std::vector<StockLog>& stock_logs() {
  static const std::vector<StockLog> logs = [] {
    const std::vector<Recipe> recipes = {
        {.closes = true, .seals = true},
        {.seals = true},
        {},
        {.proves = true},
        {.closes = true, .seals = true, .trims = true},
        {.seals = true, .trims = true},
        {.segment_bytes = 20480, .appends = 60},
        {.appends = 22},
        {.is_torn = true},
        {.seals = true, .is_torn = true},
        {.is_cut = true},
        {.closes = true, .seals = true, .is_cut = true},
        {.truncates = true},
        {.closes = true, .seals = true, .truncates = true},
        {.seals = true, .trims = true, .truncates = true},
        {.proves = true, .is_cut = true, .truncates = true},
    };
    std::vector<StockLog> made;
    for (const Recipe& recipe : recipes) made.push_back(StockMaker(recipe).make());
    return made;
  }();
  return logs;
}

}  // namespace writeahead::testing
