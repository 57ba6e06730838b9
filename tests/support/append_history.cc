// Making the records and judging what was read.
#include "support/append_history.h"

#include <fmt/format.h>

#include <algorithm>

#include "support/marked_payload.h"
#include "writeahead/batch.h"

namespace writeahead::test {

namespace {

uint64_t random_bytes(std::mt19937_64& random) {
  const bool is_large = random() % 64 == 0;
  return sizeof(Mark) + random() % (is_large ? 40'000 : 300);
}

}  // namespace

Result<void> AppendHistory::append_next(Log& log, size_t writer, std::mt19937_64& random,
                                        Durability level) {
  Writer& own = writers[writer];
  const uint64_t first = own.submitted.load();
  const uint64_t count = random() % 4 == 0 ? 1 + random() % 5 : 1;
  if (first + count > kWriterRecords) {
    return std::unexpected(Error(ErrorCode::too_large, "the history is full"));
  }
  Batch batch;
  std::string payload;
  for (uint64_t number = first; number < first + count; ++number) {
    payload = payload_of({.writer = writer,
                          .number = number,
                          .batch_first = first,
                          .batch_count = count,
                          .bytes = random_bytes(random)});
    batch.add(payload);
    own.floor[number].store(newest.load());
  }
  own.submitted.store(first + count);
  Appended range;
  if (count == 1) {
    const auto lsn = log.append(payload, {.durability = level});
    if (!lsn) return std::unexpected(lsn.error());
    if (level != Durability::durable) return {};
    own.acknowledged[first].store(lsn->value());
    range.first_lsn = *lsn;
  } else {
    const auto appended = log.append(batch, level);
    if (!appended) return std::unexpected(appended.error());
    if (level != Durability::durable) return {};
    range = *appended;
    for (uint64_t i = 0; i < count; ++i) {
      own.acknowledged[first + i].store(batch.lsn(i, range).value());
    }
  }
  const uint64_t last = count == 1 ? range.first_lsn.value() : batch.lsn(count - 1, range).value();
  uint64_t seen = newest.load();
  while (seen < last && !newest.compare_exchange_weak(seen, last)) {
  }
  life.answered.add(count);
  return {};
}

HistoryCheck::HistoryCheck(const AppendHistory& history) : history_(&history) {}

std::optional<std::string> HistoryCheck::read(Reader reader) {
  for (auto& record : reader) {
    if (!record) return fmt::format("read error: {}", record.error().message());
    if (auto wrong = take(*record)) {
      return fmt::format("record {} at {}: {}", record->ordinal, record->lsn.value(), *wrong);
    }
  }
  position_ = reader.position();
  if (batch_left_ != 0) return fmt::format("{} records of the last batch miss", batch_left_);
  return std::nullopt;
}

std::optional<std::string> HistoryCheck::take(const RecordView& record) {
  if (record.ordinal != records_) return fmt::format("the ordinal is not {}", records_);
  if (records_ != 0 && record.lsn <= last_lsn_) return "the address does not grow";
  const auto mark = mark_of(record.payload);
  if (!mark || mark->writer >= kWriters) return "nobody appended these bytes";
  const AppendHistory::Writer& writer = history_->writers[mark->writer];
  const std::string name = fmt::format("number {} of writer {}", mark->number, mark->writer);
  if (mark->number >= writer.submitted.load()) return name + " was never submitted";
  if (mark->number < seen_[mark->writer].next) return name + " is doubled or out of order";
  const uint64_t answered = writer.acknowledged[mark->number].load();
  if (answered != 0 && answered != record.lsn.value()) {
    return fmt::format("{} was acknowledged at {}", name, answered);
  }
  if (record.lsn.value() <= writer.floor[mark->number].load()) {
    return name + " lies before a record that was acknowledged before it was submitted";
  }
  const bool follows = mark->number != mark->batch_first;
  if (follows != (batch_left_ != 0)) return name + ": its batch is not whole";
  if (follows && (last_writer_ != mark->writer || seen_[mark->writer].next != mark->number)) {
    return name + ": its batch is mixed with another";
  }

  Seen& seen = seen_[mark->writer];
  seen.next = mark->number + 1;
  if (seen.records.size() < seen.next) seen.records.resize(seen.next);
  seen.records[mark->number] = true;
  batch_left_ = mark->batch_first + mark->batch_count - seen.next;
  last_writer_ = mark->writer;
  last_lsn_ = record.lsn;
  ++records_;
  return std::nullopt;
}

std::optional<std::string> HistoryCheck::find_lost() {
  for (size_t i = 0; i < kWriters; ++i) {
    const AppendHistory::Writer& writer = history_->writers[i];
    Seen& seen = seen_[i];
    const uint64_t submitted = writer.submitted.load();
    seen.records.resize(std::max<size_t>(submitted, seen.records.size()));
    for (; seen.looked_up_to < submitted; ++seen.looked_up_to) {
      const uint64_t lsn = writer.acknowledged[seen.looked_up_to].load();
      if (lsn != 0 && !seen.records[seen.looked_up_to]) {
        return fmt::format("lost: number {} of writer {}, acknowledged at {}", seen.looked_up_to, i,
                           lsn);
      }
    }
  }
  return std::nullopt;
}

}  // namespace writeahead::test
