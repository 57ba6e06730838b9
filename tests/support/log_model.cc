// What is compared: number, order, wholeness of appends, bytes, types, Lsns, ordinals and times.
#include "support/log_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>

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

Complaint LogModel::place(std::span<const Lsn> lsns, uint64_t first_ordinal, bool is_written) {
  if (placed_ != last_append_) {
    return fmt::format("record {} was acknowledged although record {} before it was not",
                       last_append_, placed_);
  }
  if (first_ordinal != last_append_) {
    return fmt::format("record {} got ordinal {}", last_append_, first_ordinal);
  }
  for (size_t i = 0; i < lsns.size(); ++i) records_[last_append_ + i].lsn = lsns[i];
  placed_ = records_.size();
  if (is_written) written_ = placed_;
  return {};
}

Complaint LogModel::acknowledge(std::span<const Lsn> lsns, uint64_t first_ordinal) {
  auto complaint = place(lsns, first_ordinal, true);
  if (complaint.empty()) make_certain();
  return complaint;
}

void LogModel::withdraw() { records_.resize(last_append_); }

Complaint LogModel::settle(const Records& seen) {
  return settle(seen.size(), seen.empty() ? std::nullopt : std::optional(seen.front().ordinal));
}

Complaint LogModel::settle(uint64_t count, std::optional<uint64_t> first) {
  const auto fits = [&](size_t end) {
    return count <= end && end - count >= first_ && end - count <= highest_first_ &&
           (!first || *first == end - count);
  };
  std::optional<size_t> found;
  for (size_t end = certain_; end <= records_.size() && !found; ++end) {
    if (fits(end)) found = end;
  }
  const bool is_cut = !found && truncation_ && fits(*truncation_);
  if (is_cut) found = truncation_;
  if (!found) {
    return fmt::format("{} records, of {} to {} that begin at {} to {}", count, certain_,
                       records_.size(), first_, highest_first_);
  }
  if (is_cut && *found > 0) records_[*found - 1].ends_append = true;
  if (count > 0 && !records_[*found - 1].ends_append) {
    return fmt::format("a batch is torn at record {}", *found);
  }
  truncation_.reset();
  first_ = highest_first_ = *found - count;
  records_.resize(*found);
  certain_ = written_ = placed_ = *found;
  return {};
}

void LogModel::begin_trim(size_t ordinal) { highest_first_ = std::max(highest_first_, ordinal); }

void LogModel::begin_truncation(size_t ordinal) { truncation_ = ordinal; }

void LogModel::end_truncation(bool has_happened) {
  const size_t end = *truncation_;
  truncation_.reset();
  if (!has_happened) return;
  records_.resize(end);
  certain_ = written_ = placed_ = end;
  if (end > 0) records_.back().ends_append = true;
}

uint64_t LogModel::key() const {
  uint64_t key = certain_;
  for (const uint64_t part : {records_.size(), epoch_, first_, highest_first_}) {
    key = key * 31 + part;
  }
  return key * 31 + truncation_.value_or(SIZE_MAX);
}

uint64_t LogModel::key_among_courses() const {
  uint64_t all = key();
  for (const ModelRecord& record : records_) {
    const std::string_view bytes(reinterpret_cast<const char*>(record.payload.data()),
                                 record.payload.size());
    const uint64_t lsn = record.lsn ? record.lsn->value() : UINT64_MAX;
    for (const uint64_t part : {uint64_t{std::hash<std::string_view>()(bytes)}, lsn,
                                uint64_t{record.type} * 2 + (record.ends_append ? 1 : 0)}) {
      all = (all ^ part) * 0x9e3779b97f4a7c15;
      all ^= all >> 29;
    }
  }
  return all;
}

Complaint LogModel::take_epoch(uint64_t epoch) {
  if (epoch <= epoch_) return fmt::format("epoch {} after epoch {}", epoch, epoch_);
  epoch_ = epoch;
  return {};
}

Complaint LogModel::compare(const Records& seen) const {
  LogModel counted = *this;
  if (auto wrong = counted.settle(seen); !wrong.empty()) return wrong;
  for (size_t i = 0; i < seen.size(); ++i) {
    const RecordView& record = seen[i];
    const size_t ordinal = counted.first_ + i;
    const ModelRecord& expected = records_[ordinal];
    const auto complain = [&](std::string_view what) {
      return fmt::format("record {} at lsn {}: {}", ordinal, record.lsn.value(), what);
    };
    if (record.ordinal != ordinal)
      return complain(fmt::format("its ordinal is {}", record.ordinal));
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
