// What is compared: number, order, wholeness of appends, bytes, types, Lsns, ordinals and times.
#include "support/log_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace writeahead::testing {
namespace {

Complaint drain(Reader reader, Records& out) {
  for (auto& record : reader) {
    if (!record) return describe(fmt::format("read record {}", out.size()), record.error());
    out.push_back(*record);
  }
  return {};
}

}  // namespace

void LogModel::submit(const std::vector<Bytes>& payloads, uint16_t type) {
  last_append_ = records_.size();
  for (const Bytes& payload : payloads) {
    records_.push_back({.payload = payload, .type = type, .ends_append = false, .lsn = {}});
  }
  records_.back().ends_append = true;
}

Complaint LogModel::acknowledge(std::span<const Lsn> lsns, uint64_t first_ordinal) {
  if (certain_ != last_append_) {
    return fmt::format("record {} was acknowledged although record {} before it was not",
                       last_append_, certain_);
  }
  if (first_ordinal != last_append_) {
    return fmt::format("record {} got ordinal {}", last_append_, first_ordinal);
  }
  for (size_t i = 0; i < lsns.size(); ++i) records_[last_append_ + i].lsn = lsns[i];
  certain_ = records_.size();
  return {};
}

void LogModel::withdraw() { records_.resize(last_append_); }

Complaint LogModel::settle(uint64_t count) {
  if (count < certain_) return fmt::format("{} of {} certain records are left", count, certain_);
  if (count > records_.size()) {
    return fmt::format("{} records of {} that were submitted", count, records_.size());
  }
  if (count > 0 && !records_[count - 1].ends_append) {
    return fmt::format("a batch is torn at record {}", count);
  }
  records_.resize(count);
  certain_ = count;
  return {};
}

Complaint LogModel::take_epoch(uint64_t epoch) {
  if (epoch <= epoch_) return fmt::format("epoch {} after epoch {}", epoch, epoch_);
  epoch_ = epoch;
  return {};
}

Complaint LogModel::compare(const Records& seen) const {
  LogModel counted = *this;
  if (auto wrong = counted.settle(seen.size()); !wrong.empty()) return wrong;
  for (size_t i = 0; i < seen.size(); ++i) {
    const RecordView& record = seen[i];
    const ModelRecord& expected = records_[i];
    const auto complain = [&](std::string_view what) {
      return fmt::format("record {} at lsn {}: {}", i, record.lsn.value(), what);
    };
    if (record.ordinal != i) return complain(fmt::format("its ordinal is {}", record.ordinal));
    if (!std::ranges::equal(record.payload, expected.payload)) return complain("other bytes");
    if (record.type != expected.type) return complain("another type");
    if (expected.lsn && record.lsn != *expected.lsn) {
      return complain(fmt::format("acknowledged at lsn {}", expected.lsn->value()));
    }
    if (record.lsn == Lsn{}) return complain("no record has lsn 0");
    if (i > 0 && record.lsn <= seen[i - 1].lsn) return complain("its lsn does not grow");
    if (i > 0 && record.time_ns < seen[i - 1].time_ns) return complain("its time falls");
  }
  return {};
}

Complaint read_all(const Log& log, Records& out) { return drain(log.reader(log.first_lsn()), out); }

Complaint read_all(const ReadOnlyLog& log, Records& out) {
  return drain(log.reader(log.first_lsn()), out);
}

Complaint compare_readings(const Records& first, const Records& second) {
  if (first.size() != second.size()) {
    return fmt::format("{} records, {} before", second.size(), first.size());
  }
  for (size_t i = 0; i < first.size(); ++i) {
    const bool is_same = first[i].lsn == second[i].lsn && first[i].ordinal == second[i].ordinal &&
                         first[i].type == second[i].type && first[i].time_ns == second[i].time_ns &&
                         std::ranges::equal(first[i].payload, second[i].payload);
    if (!is_same) return fmt::format("record {} is another one than before", i);
  }
  return {};
}

Complaint describe(std::string_view what, const Error& error) {
  return fmt::format("{}: {}: {}", what, to_string(error.code()), error.message());
}

}  // namespace writeahead::testing
