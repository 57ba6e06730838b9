// The threads of a writer, and what each writes down.
#include "nemesis/writer.h"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <random>
#include <semaphore>
#include <thread>
#include <vector>

#include "nemesis/life.h"
#include "writeahead/log.h"

namespace writeahead::nemesis {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
using Scope = Operation::Scope;
using std::chrono::milliseconds;

/// So long an owner goes on that was told that it is none, or that the log failed.
constexpr uint64_t kStubbornNs = 700'000'000;
/// Of life, on standard output.
constexpr uint64_t kNsBetweenSigns = 100'000'000;
/// Who waits for space, or was fenced, does not spin.
constexpr milliseconds kPauseOfRefused{10};
constexpr size_t kMostAsync = 64;
constexpr int kMostOfABatch = 20;

Outcome outcome_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::no_space:
    case ErrorCode::closed:
    case ErrorCode::too_large:
    case ErrorCode::would_block:
    case ErrorCode::invalid_argument:
      return Outcome::refused;
    default:
      return Outcome::unknown;
  }
}

class Writer {
 public:
  Writer(const WriterWish& wish, HistoryFile& history, Log log)
      : wish_(wish), history_(history), log_(std::move(log)) {}
  WriterEnd run();

 private:
  void append_singles(std::minstd_rand random);
  void append_batches(std::minstd_rand random);
  void append_asyncs(std::minstd_rand random);
  void trim(std::minstd_rand random);
  void read_own(std::minstd_rand random);
  Lsn read_on(Lsn from);
  void read_point();
  void go_on_as_a_zombie();

  [[nodiscard]] bool goes_on() const {
    const uint64_t over = over_since_ns_;
    return !must_stop && !is_full_ && (over == 0 || now_ns() < over + kStubbornNs);
  }
  /// The entries of an append that begins, in the history before it is made; none when that is
  /// full.
  [[nodiscard]] std::span<Operation> begin_append(size_t count, std::minstd_rand& random,
                                                  std::vector<std::string>& payloads);
  void end_append(Operation& entry, const Result<Lsn>& lsn);
  void take_note(const Error& error);

  const WriterWish& wish_;
  HistoryFile& history_;
  Log log_;
  std::atomic<uint64_t> next_number_ = 0;
  std::atomic<uint64_t> newest_lsn_ = 0;  // of those that were acknowledged
  std::atomic<uint64_t> last_said_ns_ = 0;
  std::atomic<bool> is_full_ = false;
  std::atomic<uint64_t> over_since_ns_ = 0;  // 0 as long as the log is good
  std::mutex mutex_;
  std::optional<Error> cause_;  // why it ends
};

std::span<Operation> Writer::begin_append(size_t count, std::minstd_rand& random,
                                          std::vector<std::string>& payloads) {
  const std::span<Operation> entries = history_.reserve(count);
  if (entries.empty()) {
    is_full_ = true;
    return entries;
  }
  const uint64_t first = next_number_.fetch_add(count);
  payloads.clear();
  for (size_t i = 0; i < count; ++i) {
    // Some are longer than what is written at once elsewhere, most are short.
    const uint64_t bytes =
        sizeof(test::Mark) + (random() % 200 == 0 ? random() % 30'000 : random() % 200);
    payloads.push_back(test::payload_of({.writer = wish_.process,
                                         .number = first + i,
                                         .batch_first = first,
                                         .batch_count = count,
                                         .bytes = bytes}));
  }
  const uint64_t now = now_ns();
  for (size_t i = 0; i < count; ++i) {
    HistoryFile::begin(entries[i], {.id = id_of(wish_.process, first + i),
                                    .epoch = log_.epoch(),
                                    .invoked_ns = now,
                                    .count = static_cast<uint32_t>(count),
                                    .index = static_cast<uint8_t>(i),
                                    .kind = Kind::append});
  }
  return entries;
}

void Writer::end_append(Operation& entry, const Result<Lsn>& lsn) {
  if (!lsn) {
    // A log that has failed makes nothing any more.
    const uint64_t over = over_since_ns_;
    const bool is_over = over != 0 && entry.invoked_ns > over;
    HistoryFile::end(entry, is_over ? Outcome::refused : outcome_of(lsn.error().code()));
    take_note(lsn.error());
    return;
  }
  entry.lsn = lsn->value();
  HistoryFile::end(entry, Outcome::done);
  newest_lsn_ = entry.lsn;
  uint64_t last = last_said_ns_;
  if (entry.answered_ns < last + kNsBetweenSigns) return;
  if (!last_said_ns_.compare_exchange_strong(last, entry.answered_ns)) return;
  fmt::print("acknowledged {}\n", entry.lsn);
  (void)std::fflush(stdout);
}

/// A log that failed stays so: a little later this process goes.
void Writer::take_note(const Error& error) {
  if (error.code() == ErrorCode::no_space) return;
  const std::lock_guard lock(mutex_);
  if (cause_) return;
  cause_ = error;
  over_since_ns_ = now_ns();
}

void Writer::append_singles(std::minstd_rand random) {
  std::vector<std::string> payloads;
  while (goes_on()) {
    const auto entries = begin_append(1, random, payloads);
    if (entries.empty()) return;
    const auto lsn = log_.append(payloads[0]);
    end_append(entries[0], lsn);
    pause(random, lsn ? wish_.pause : kPauseOfRefused);
  }
}

void Writer::append_batches(std::minstd_rand random) {
  std::vector<std::string> payloads;
  while (goes_on()) {
    const auto entries = begin_append(2 + random() % kMostOfABatch, random, payloads);
    if (entries.empty()) return;
    Batch batch;
    for (const std::string& payload : payloads) batch.add(payload);
    const auto appended = log_.append(batch);
    for (size_t i = 0; i < entries.size(); ++i) {
      end_append(entries[i], appended ? Result<Lsn>(batch.lsn(i, *appended))
                                      : std::unexpected(appended.error()));
    }
    pause(random, appended ? 4 * wish_.pause : kPauseOfRefused);
  }
}

void Writer::append_asyncs(std::minstd_rand random) {
  std::counting_semaphore<kMostAsync> room(kMostAsync);
  const auto take_all = [&room] {
    for (size_t i = 0; i < kMostAsync; ++i) room.acquire();
  };
  std::atomic<bool> is_refused = false;
  std::vector<std::string> payloads;
  while (goes_on()) {
    if (is_refused) {
      // As long as one that was refused was not told so, all that come behind it are refused, too.
      take_all();
      is_refused = false;
      room.release(kMostAsync);
      pause(random, kPauseOfRefused);
    }
    // An answer may take as long as the log has patience: a stop is looked for meanwhile.
    if (!room.try_acquire_for(milliseconds(50))) continue;
    const auto entries = begin_append(1, random, payloads);
    if (entries.empty()) {
      room.release();
      break;
    }
    log_.append_async(payloads[0],
                      [this, &entry = entries[0], &room, &is_refused](Result<Lsn> lsn) {
                        end_append(entry, lsn);
                        if (!lsn) is_refused = true;
                        room.release();
                      });
    pause(random, wish_.pause / 4);
  }
  take_all();
}

/// In small steps, so that much is left to be looked at in the end.
void Writer::trim(std::minstd_rand random) {
  constexpr uint64_t kPart = 6;
  while (goes_on()) {
    pause(random, wish_.trim_pause);
    const auto entries = history_.reserve(1);
    if (entries.empty()) return;
    const Lsn first = log_.first_lsn();
    const Lsn to = first + (log_.durable_lsn().value() - first.value()) / kPart;
    HistoryFile::begin(entries[0], {.lsn = to.value(), .invoked_ns = now_ns(), .kind = Kind::trim});
    const auto trimmed = log_.trim_before(to);
    HistoryFile::end(entries[0], trimmed ? Outcome::done : Outcome::unknown);
    if (!trimmed) take_note(trimmed.error());
  }
}

/// Follows its own log, as it is acknowledged to this process.
void Writer::read_own(std::minstd_rand random) {
  Lsn position = log_.first_lsn();
  while (goes_on()) {
    // A reader ends with its first error: each reading has its own.
    position = read_on(position);
    read_point();
    pause(random, 10 * wish_.pause);
  }
}

/// Up to the end as it is now.
Lsn Writer::read_on(Lsn from) {
  std::vector<Operation> seen;
  Operation read{
      .lsn = from.value(), .invoked_ns = now_ns(), .scope = Scope::own, .kind = Kind::read};
  Outcome outcome = Outcome::done;
  Reader reader = log_.reader(from);
  bool is_trimmed = false;
  while (auto record = reader.next()) {
    if (!*record) {
      const ErrorCode code = record->error().code();
      outcome = code == ErrorCode::corruption ? Outcome::damaged : Outcome::failed;
      is_trimmed = code == ErrorCode::trimmed;
      break;
    }
    seen.push_back({.id = id_of_payload((*record)->payload),
                    .lsn = (*record)->lsn.value(),
                    .kind = Kind::seen});
  }
  read.end = reader.position().value();
  read.count = static_cast<uint32_t>(seen.size());
  const auto entries = history_.reserve(1 + seen.size());
  if (entries.empty()) {
    is_full_ = true;
    return reader.position();
  }
  for (size_t i = 0; i < seen.size(); ++i) HistoryFile::begin(entries[i + 1], seen[i]);
  HistoryFile::begin(entries[0], read);
  HistoryFile::end(entries[0], outcome);
  return is_trimmed ? log_.first_lsn() : reader.position();
}

/// One that was acknowledged to this process has to be there.
void Writer::read_point() {
  const uint64_t lsn = newest_lsn_;
  if (lsn == 0) return;
  const auto entries = history_.reserve(1);
  if (entries.empty()) return;
  HistoryFile::begin(
      entries[0], {.lsn = lsn, .invoked_ns = now_ns(), .scope = Scope::own, .kind = Kind::point});
  const auto record = log_.read(Lsn(lsn));
  Outcome outcome = Outcome::done;
  if (record) {
    entries[0].id = id_of_payload(record->payload);
  } else {
    const ErrorCode code = record.error().code();
    outcome = code == ErrorCode::corruption  ? Outcome::damaged
              : code == ErrorCode::not_found ? Outcome::missing
                                             : Outcome::failed;
  }
  HistoryFile::end(entries[0], outcome);
}

/// The log answers by itself from now on: the cluster has to refuse as well.
void Writer::go_on_as_a_zombie() {
  for (int i = 0; i < wish_.zombie_tries && !must_stop; ++i) {
    const auto entries = history_.reserve(1);
    if (entries.empty()) return;
    HistoryFile::begin(entries[0],
                       {.epoch = log_.epoch(), .invoked_ns = now_ns(), .kind = Kind::zombie});
    const auto answer = wish_.append_as_a_zombie();
    Outcome outcome = Outcome::unknown;
    if (answer == ObjectAnswer::done) outcome = Outcome::done;
    // What is missing was trimmed by then, and does not come back.
    if (answer == ObjectAnswer::refused || answer == ObjectAnswer::missing) {
      outcome = Outcome::refused;
    }
    HistoryFile::end(entries[0], outcome);
  }
}

WriterEnd Writer::run() {
  std::this_thread::sleep_for(wish_.delay);
  std::vector<std::jthread> threads;
  auto seed = static_cast<uint32_t>(wish_.seed * 1'000 + wish_.process * 97);
  const auto start = [&](void (Writer::*body)(std::minstd_rand), int count) {
    for (int i = 0; i < count; ++i) threads.emplace_back(body, this, std::minstd_rand(++seed));
  };
  start(&Writer::append_singles, wish_.singles);
  start(&Writer::append_batches, wish_.batches);
  start(&Writer::append_asyncs, wish_.asyncs);
  start(&Writer::trim, 1);
  start(&Writer::read_own, 1);
  threads.clear();
  if (!cause_) {
    const auto closed = log_.close();
    fmt::print("ended: {}\n", closed ? "asked to" : closed.error().message());
    return WriterEnd::asked;
  }
  if (cause_->code() == ErrorCode::fenced) go_on_as_a_zombie();
  fmt::print("ended: {}\n", cause_->message());
  return cause_->code() == ErrorCode::fenced ? WriterEnd::fenced : WriterEnd::failed;
}

}  // namespace

WriterEnd run_writer(const WriterWish& wish, HistoryFile& history) {
  const auto entries = history.reserve(1);
  HistoryFile::begin(entries[0], {.invoked_ns = now_ns(), .kind = Kind::open});
  auto log = Log::open(wish.address, {.segment_bytes = wish.segment_bytes});
  if (!log) {
    HistoryFile::end(entries[0], Outcome::unknown);
    fmt::print("ended: {}\n", log.error().message());
    return WriterEnd::not_opened;
  }
  entries[0].epoch = log->epoch();
  HistoryFile::end(entries[0], Outcome::done);
  fmt::print("opened {}\n", log->epoch());
  (void)std::fflush(stdout);
  return Writer(wish, history, std::move(*log)).run();
}

}  // namespace writeahead::nemesis
