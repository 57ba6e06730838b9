// The calls, sorted by what they are about.
#include "support/every_call.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/salvage.h"

namespace writeahead::test {
namespace {

constexpr auto kMoment = std::chrono::milliseconds(1);
// Three frames or so a segment.
constexpr uint64_t kFewFrames = 8192;
constexpr std::string_view kLast = "the last of all records";

void expect(bool is_done, std::source_location where = std::source_location::current()) {
  if (!is_done) throw std::runtime_error("not done: line " + std::to_string(where.line()));
}

template <class T>
T take(Result<T> result, std::source_location where = std::source_location::current()) {
  if (result) return *std::move(result);
  throw std::runtime_error("line " + std::to_string(where.line()) + ": " +
                           std::string(result.error().message()));
}

void do_background_work(Log& log, const Options& options) {
  if (options.background != BackgroundWork::stepped) return;
  while (log.step_background()) {
  }
}

void append_all_ways(Log& log, const Options& options) {
  const std::string payload(1500, 'x');
  for (const auto level : {Durability::durable, Durability::written, Durability::buffered}) {
    for (int i = 0; i < 6; ++i) take(log.append(payload, {.durability = level}));
    Batch batch;
    batch.add(payload);
    batch.add("b", {.type = 7});
    take(log.append(batch, level));
    do_background_work(log, options);
  }
  take(log.sync());
  constexpr int kAsync = 17;
  const auto told = std::make_shared<std::atomic<int>>(0);
  const auto tell = [told](const auto& answer) {
    told->fetch_add(answer ? 1 : kAsync);
    told->notify_all();
  };
  Batch batch;
  batch.add(payload);
  for (int i = 0; i < kAsync / 2; ++i) {
    log.append_async(payload, tell);
    log.append_async(batch, tell);
    do_background_work(log, options);
  }
  Result<void> tried;
  do {
    tried = log.try_append_async("t", {}, tell);
    do_background_work(log, options);
  } while (!tried && tried.error().code() == ErrorCode::would_block);
  take(tried);
  const Lsn end = log.end_lsn();
  take(log.sync());
  expect(log.durable_lsn() >= end);
  take(log.wait_durable(take(log.last()).lsn));
  expect(!log.wait_durable(log.end_lsn(), kMoment));
  do_background_work(log, options);
  // The thread that runs callbacks may be later than the records.
  for (int seen = *told; seen < kAsync; seen = *told) told->wait(seen);
  expect(*told == kAsync);
}

void read_all_ways(Log& log) {
  const RecordView last = take(log.last());
  expect(take(log.read(last.lsn)).ordinal == last.ordinal);
  expect(take(log.find_ordinal(last.ordinal)) == last.lsn);
  expect(take(log.find_ordinal(0)) >= log.first_lsn());
  take(log.find_time(last.time_ns));
  expect(!log.read(log.end_lsn()));
  expect(!log.is_empty() && log.epoch() != 0);
  for (const bool include_unsynced : {false, true}) {
    Reader reader = log.reader(log.first_lsn(), {.include_unsynced = include_unsynced});
    uint64_t records = 0;
    while (const auto record = reader.next()) records += take(*record).ordinal == records ? 1 : 0;
    expect(records == last.ordinal + 1);
    expect(!reader.wait_next({}, kMoment));
  }
  const Stats stats = log.stats();
  expect(stats.segments_opened > 1 && log.segments().size() > 1 && log.holds().empty());
}

/// From outside, beside the writer.
void follow(Log& log, const std::string& path, const Options& options) {
  auto followed = take(ReadOnlyLog::open(path));
  expect(take(followed.last()).lsn == take(log.last()).lsn);
  Reader reader = followed.reader(followed.durable_lsn());
  expect(!reader.wait_next({}, 20 * kMoment));
  const Lsn lsn = take(log.append("followed"));
  expect(take(*reader.wait_next()).lsn == lsn);
  take(followed.refresh());
  take(followed.read(lsn));
  expect(take(followed.find_ordinal(0)) >= followed.first_lsn());
  take(followed.find_time(0));
  expect(followed.records() > 1 && !followed.is_empty() && !followed.segments().empty());
  expect(take(ReadOnlyLog::verify(path)).is_live);
  do_background_work(log, options);
}

void drop_all_ways(Log& log, const Options& options) {
  const auto segments = log.segments();
  auto hold = take(log.hold("consumer", segments[2].base_lsn));
  take(log.trim_before(segments[4].base_lsn));
  expect(log.first_lsn() == take(hold.lsn()));
  take(hold.advance(segments[4].base_lsn));
  take(log.trim_before(segments[4].base_lsn));
  take(hold.release());
  // Into the files of what was trimmed.
  for (int i = 0; i < 12; ++i) {
    take(log.append(std::string(1500, 'y')));
    do_background_work(log, options);
  }
  take(log.truncate_from(take(log.last()).lsn));
  take(log.append("behind the cut"));
}

void destroy_all(const std::string& path) {
  take(Log::destroy(path));
  expect(!Log::open(path, {.create_if_missing = false}));
}

void live_through(const std::string& path, Options options) {
  options.segment_bytes = kFewFrames;
  {
    auto log = take(Log::open(path, options));
    append_all_ways(log, options);
    read_all_ways(log);
    follow(log, path, options);
    drop_all_ways(log, options);
    expect(!Log::open(path, options));  // locked
    take(log.close());
    expect(!log.append("closed"));
  }
  auto log = take(Log::open(path, {.retain_segments = 2, .segment_bytes = kFewFrames}));
  expect(log.recovery_report().outcome == RecoveryReport::Outcome::clean);
  take(log.trim_before(log.end_lsn()));
  expect(log.is_empty());
}

/// Overwrites one byte of the file that holds `text`, inside of it.
void damage(const std::string& directory, std::string_view text) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    const std::string content(std::istreambuf_iterator<char>(file), {});
    const size_t offset = content.find(text);
    if (offset == std::string::npos) continue;
    file.clear();
    file.seekp(static_cast<std::streamoff>(offset)).put('#').flush();
    expect(file.good());
    return;
  }
  expect(false);
}

/// Copies a log that has not been closed, as a crash would have left it.
void leave_unclosed(const std::string& path, const std::string& copy,
                    const std::function<void()>& mark) {
  mark();
  {
    auto log = take(Log::open(path, {.segment_bytes = kFewFrames}));
    for (int i = 0; i < 12; ++i) {
      take(log.append("record " + std::to_string(i) + std::string(999, 'z')));
    }
    take(log.append(kLast));
    mark();
    std::filesystem::copy(path, copy);
    // It says that this process, which lives on, is writing.
    std::filesystem::remove(copy + "/control");
    mark();
  }
  mark();
}

void recover(const std::string& copy) {
  expect(take(ReadOnlyLog::verify(copy)).verdict == VerifyReport::Verdict::torn_tail);
  auto log = take(Log::open(copy, {.segment_bytes = kFewFrames}));
  expect(log.recovery_report().outcome == RecoveryReport::Outcome::torn_tail);
  take(log.append("after the recovery"));
  take(log.close());
}

void salvage_damaged(const std::string& damaged, const std::string& saved) {
  expect(take(ReadOnlyLog::verify(damaged)).verdict == VerifyReport::Verdict::corruption);
  {
    // Opening does not read what is sealed.
    const auto log = take(Log::open(damaged));
    const auto found = log.find_ordinal(1);
    expect(!found && found.error().code() == ErrorCode::corruption);
  }
  const SalvageReport report = take(salvage(damaged, saved));
  expect(!report.lost.empty() && !report.kept.empty());
  auto log = take(Log::open(saved));
  take(log.append("saved"));
}

void use_all(const std::string& base, const std::function<void()>& mark) {
  const std::string path = base + "/log";
  for (const auto method : {SyncMethod::direct_dsync, SyncMethod::dsync, SyncMethod::fdatasync}) {
    for (const auto background : {BackgroundWork::thread, BackgroundWork::stepped}) {
      mark();
      live_through(path, {.sync_method = method, .background = background});
      destroy_all(path);
      mark();
    }
  }
  const std::string torn = base + "/torn";
  leave_unclosed(path, torn, mark);
  damage(torn, kLast);
  mark();
  recover(torn);
  mark();
}

void use_on_damaged(const std::string& base, const std::function<void()>& mark) {
  const std::string path = base + "/log";
  leave_unclosed(path, base + "/unclosed", mark);
  damage(path, "record 1z");
  const std::string saved = base + "/saved";
  mark();
  salvage_damaged(path, saved);
  destroy_all(path);
  mark();
}

/// The exit code.
int run(const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace

int use_every_call(const std::string& base, const std::function<void()>& mark) {
  return run([&] { use_all(base, mark); });
}

int use_salvage(const std::string& base, const std::function<void()>& mark) {
  return run([&] { use_on_damaged(base, mark); });
}

}  // namespace writeahead::test
