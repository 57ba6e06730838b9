// The three readers, and what each writes down.
#include "nemesis/observer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "nemesis/life.h"
#include "writeahead/read_only_log.h"

namespace writeahead::nemesis {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
using Scope = Operation::Scope;
using std::chrono::milliseconds;

constexpr milliseconds kPause{10};
/// A reading that does not end for long is written down in pieces.
constexpr size_t kMostOfARead = 5'000;

/// One reading, from the call that looks for the end on.
class Reading {
 public:
  explicit Reading(Scope scope)
      : read_{.invoked_ns = now_ns(), .scope = scope, .kind = Kind::read} {}

  void begin_at(Lsn from) { read_.lsn = from.value(); }
  [[nodiscard]] size_t size() const { return seen_.size(); }
  /// False if it was an error.
  bool take(const Result<RecordView>& record) {
    if (!record) {
      fail(record.error());
      return false;
    }
    seen_.push_back(
        {.id = id_of_payload(record->payload), .lsn = record->lsn.value(), .kind = Kind::seen});
    return true;
  }
  void fail(const Error& error) {
    is_failed_ = true;
    has_lost_its_place_ = error.code() == ErrorCode::trimmed;
    outcome_ = error.code() == ErrorCode::corruption ? Outcome::damaged : Outcome::failed;
    fmt::print("read: {}\n", error.message());
  }
  [[nodiscard]] bool is_failed() const { return is_failed_; }
  /// What stands there was trimmed.
  [[nodiscard]] bool has_lost_its_place() const { return has_lost_its_place_; }
  void end_at(Lsn end, HistoryFile& history) {
    read_.end = end.value();
    read_.count = static_cast<uint32_t>(seen_.size());
    const auto entries = history.reserve(1 + seen_.size());
    if (entries.empty()) return;
    for (size_t i = 0; i < seen_.size(); ++i) HistoryFile::begin(entries[i + 1], seen_[i]);
    HistoryFile::begin(entries[0], read_);
    HistoryFile::end(entries[0], outcome_);
  }

 private:
  Operation read_;
  std::vector<Operation> seen_;
  Outcome outcome_ = Outcome::done;
  bool is_failed_ = false;
  bool has_lost_its_place_ = false;
};

/// There is none before the first writer came.
std::optional<ReadOnlyLog> open(const std::string& address, Reading& reading,
                                HistoryFile& history) {
  auto log = ReadOnlyLog::open(address);
  if (log) return std::move(*log);
  if (log.error().code() != ErrorCode::not_found) {
    reading.fail(log.error());
    reading.end_at(Lsn(), history);
  }
  return std::nullopt;
}

/// As it is told of new records; promises nothing but their order.
void follow(const std::string& address, std::minstd_rand random, HistoryFile& history) {
  std::optional<Lsn> position;
  while (!must_stop) {
    Reading opening(Scope::none);
    auto log = open(address, opening, history);
    if (!log) {
      pause(random, kPause);
      continue;
    }
    Reader reader = log->reader(position.value_or(log->first_lsn()));
    bool is_broken = false;
    while (!must_stop && !is_broken) {
      Reading reading(Scope::none);
      reading.begin_at(reader.position());
      while (reading.size() < kMostOfARead && !must_stop) {
        const auto record = reader.wait_next({}, 5 * kPause);
        if (!record) break;
        is_broken = !reading.take(*record);
        if (is_broken) break;
      }
      reading.end_at(reader.position(), history);
      position = reader.position();
      if (reading.has_lost_its_place()) position.reset();
    }
  }
}

/// Up to the end, as a log shows it that was just opened or refreshed.
void read_on(const ReadOnlyLog& log, std::optional<Lsn>& position, Reading& reading,
             HistoryFile& history) {
  Reader reader = log.reader(position.value_or(log.first_lsn()));
  reading.begin_at(reader.position());
  while (auto record = reader.next()) {
    if (!reading.take(*record)) break;
  }
  reading.end_at(reader.position(), history);
  position = reader.position();
  if (reading.has_lost_its_place()) position.reset();
}

void refresh_again_and_again(const std::string& address, std::minstd_rand random,
                             HistoryFile& history) {
  std::optional<ReadOnlyLog> log;
  std::optional<Lsn> position;
  while (!must_stop) {
    pause(random, kPause);
    Reading reading(Scope::everyone);
    if (!log) {
      log = open(address, reading, history);
      if (!log) continue;
    } else if (const auto refreshed = log->refresh(); !refreshed) {
      reading.fail(refreshed.error());
      reading.end_at(Lsn(), history);
      log.reset();
      continue;
    }
    read_on(*log, position, reading, history);
    if (reading.is_failed()) log.reset();
  }
}

void open_again_and_again(const std::string& address, std::minstd_rand random,
                          HistoryFile& history) {
  std::optional<Lsn> position;
  while (!must_stop) {
    pause(random, kPause);
    Reading reading(Scope::everyone);
    const auto log = open(address, reading, history);
    if (log) read_on(*log, position, reading, history);
  }
}

}  // namespace

void run_observer(const std::string& address, uint64_t seed, HistoryFile& history) {
  std::vector<std::jthread> threads;
  auto next = static_cast<uint32_t>(seed);
  for (const auto body : {follow, refresh_again_and_again, open_again_and_again}) {
    threads.emplace_back([&address, &history, body, random = std::minstd_rand(++next)] {
      body(address, random, history);
    });
  }
}

}  // namespace writeahead::nemesis
