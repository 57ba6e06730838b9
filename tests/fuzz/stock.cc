// Making the logs: two openings, single records and batches, with what differs between them.
#include "fuzz/stock.h"

#include "format/frame.h"
#include "format/root_slot.h"
#include "format/segment_header.h"
#include "format/segment_name.h"

namespace writeahead::testing {
namespace {

/// How one of the logs is made.
struct Recipe {
  bool closes = false;
  bool seals = false;
  bool proves = false;
  bool trims = false;
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
      if (i % 7 == 4) stock_.older.push_back(env_.disk().shut_down());
    }
    if (recipe_.proves) env_.advance_ns(2'000'000'000);
    if (recipe_.proves) step_background();
    note_segments();
    stock_.first = log_->first_lsn();
    if (recipe_.closes) static_cast<void>(log_->close().value());
    if (!recipe_.closes) env_.crash_now();
    log_.reset();
    stock_.disk = recipe_.closes ? env_.disk().shut_down() : env_.crashed_disk().crash({});
    note_files();
    return std::move(stock_);
  }

 private:
  void reopen() {
    Options options = reference_options(env_);
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
    for (auto& [number, segment] : stock_.segments) {
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
  SimEnv env_{SimDisk{}, {.trace_calls = 0}};
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
    };
    std::vector<StockLog> made;
    for (const Recipe& recipe : recipes) made.push_back(StockMaker(recipe).make());
    return made;
  }();
  return logs;
}

}  // namespace writeahead::testing
