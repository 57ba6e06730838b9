// Doing things to a log and noting them; the judgement is in log_history_check.cc.
#include "support/log_history.h"

#include <algorithm>
#include <memory>
#include <thread>

#include "writeahead/batch.h"

namespace writeahead::test {
namespace {

constexpr uint64_t kMostInFlight = 32;
constexpr size_t kRecent = 24;

void raise(std::atomic<uint64_t>& highest, uint64_t value) {
  uint64_t seen = highest.load();
  while (seen < value && !highest.compare_exchange_weak(seen, value)) {
  }
}

}  // namespace

void LogHistory::note_opening(const Log& log) {
  Cut& cut = cuts.at(cut_count.fetch_add(1));
  cut.lsn = log.end_lsn().value();
  cut.synced = synced.load();
  cut.is_opening = true;
  cut.is_refused = false;
  const uint64_t moment = now();
  cut.ended = moment;
  cut.begun = moment;
}

Result<void> HistoryWriter::step() {
  const LogHistory::Writer& own = history_.writers[writer_];
  if (own.submitted - own.checked + 8 > LogHistory::kRecords) {
    std::this_thread::yield();
    return {};
  }
  const uint64_t pick = random_() % 100;
  if (pick < 5) return sync();
  if (pick < 8) return trim();
  if (pick < 10) return truncate();
  return append();
}

Result<void> HistoryWriter::append() {
  const uint64_t first = history_.writers[writer_].submitted.load();
  const uint64_t count = random_() % 4 == 0 ? 1 + random_() % 5 : 1;
  const auto level = static_cast<Durability>(random_() % 3);
  const uint64_t begun = history_.now();
  auto batch = std::make_shared<Batch>();
  std::string payload;
  for (uint64_t number = first; number < first + count; ++number) {
    const bool is_large = random_() % 64 == 0;
    payload = payload_of({.writer = writer_,
                          .number = number,
                          .batch_first = first,
                          .batch_count = count,
                          .bytes = sizeof(Mark) + random_() % (is_large ? 40'000 : 300)});
    batch->add(payload);
    LogHistory::Record& record = history_.record(writer_, number);
    record.begun = begun;
    record.lsn = 0;
    record.answered = 0;
    record.level = level;
  }
  history_.writers[writer_].submitted.store(first + count);
  const bool is_async = random_() % 3 == 0 && in_flight_.load() < kMostInFlight;
  if (is_async) {
    ++in_flight_;
    log_.append_async(*batch, level, [this, batch, first, count](const Result<Appended>& answer) {
      note(first, count, batch.get(), answer);
      --in_flight_;
    });
    return {};
  }
  if (count == 1) return append_one(first, level, std::move(payload));
  const auto answer = log_.append(*batch, level);
  note(first, count, batch.get(), answer);
  if (!answer) return std::unexpected(answer.error());
  for (uint64_t i = 0; i < count; ++i) recent_.push_back(batch->lsn(i, *answer));
  return {};
}

Result<void> HistoryWriter::append_one(uint64_t number, Durability level, std::string payload) {
  const auto lsn = log_.append(payload, {.durability = level});
  if (!lsn) return std::unexpected(lsn.error());
  note(number, 1, nullptr, Appended{.first_lsn = *lsn, .end_lsn = *lsn});
  recent_.push_back(*lsn);
  while (recent_.size() > kRecent) recent_.pop_front();
  return {};
}

void HistoryWriter::note(uint64_t first, uint64_t count, const Batch* batch,
                         const Result<Appended>& answer) {
  if (!answer) return history_.life.complain(answer.error());
  const uint64_t moment = history_.now();
  for (uint64_t i = 0; i < count; ++i) {
    LogHistory::Record& record = history_.record(writer_, first + i);
    const Lsn lsn = batch == nullptr ? answer->first_lsn : batch->lsn(i, *answer);
    record.lsn = lsn.value();
    record.answered = moment;
  }
  history_.life.answered.add(count);
}

Result<void> HistoryWriter::sync() {
  const uint64_t begun = history_.now();
  auto done = log_.sync();
  if (done) raise(history_.synced, begun);
  return done;
}

/// One of the newest records of this thread, or an end of the log. It may be there no more.
Lsn HistoryWriter::some_lsn() {
  if (recent_.empty() || random_() % 8 == 0) {
    return random_() % 2 == 0 ? log_.first_lsn() : log_.durable_lsn();
  }
  return recent_[random_() % recent_.size()];
}

Result<void> HistoryWriter::trim() {
  const Lsn lsn = some_lsn();
  raise(history_.trim_asked, lsn.value());
  auto done = log_.trim_before(lsn);
  if (!done) return done;
  raise(history_.trim_reached, log_.first_lsn().value());
  history_.trims.fetch_add(1);
  return {};
}

Result<void> HistoryWriter::truncate() {
  const uint64_t index = history_.cut_count.fetch_add(1);
  if (index >= LogHistory::kCuts) return {};
  const Lsn lsn = some_lsn();
  LogHistory::Cut& cut = history_.cuts[index];
  cut.lsn = lsn.value();
  cut.is_opening = false;
  cut.is_refused = false;
  cut.ended = 0;
  cut.begun = history_.now();
  auto done = log_.truncate_from(lsn);
  const bool is_gone = !done && (done.error().code() == ErrorCode::not_found ||
                                 done.error().code() == ErrorCode::trimmed);
  if (is_gone) {
    cut.is_refused = true;
    return {};
  }
  if (!done) return done;
  cut.ended = history_.now();
  history_.truncations.fetch_add(1);
  return {};
}

}  // namespace writeahead::test
