// Goal: what verifies of a damaged log is in the salvaged one, byte for byte at its address; what
// is lost is told with its place, and never in use again; and the damaged log is not changed.
// Method: the reference log on a simulated disk, damaged in one way after the other.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "format/frame.h"
#include "format/segment_header.h"
#include "format/segment_name.h"
#include "support/damaged_log.h"
#include "support/sanitizers.h"
#include "writeahead/salvage.h"

namespace writeahead::testing {
namespace {

constexpr const char* kNewPath = "/new";

/// What became of a disk, and what is in the salvaged log.
struct Salvaged {
  std::optional<SalvageReport> report;
  std::optional<ErrorCode> code;
  std::string message;
  std::vector<StoredRecord> records;
  SimDisk disk;
};

std::vector<StoredRecord> read_log(const Log& log, std::string* complaint = nullptr) {
  std::vector<StoredRecord> records;
  for (auto& record : log.reader(log.first_lsn())) {
    if (!record) {
      if (complaint != nullptr) *complaint = record.error().message();
      break;
    }
    records.push_back({.lsn = record->lsn,
                       .ordinal = record->ordinal,
                       .type = record->type,
                       .payload = {record->payload.begin(), record->payload.end()}});
  }
  return records;
}

bool has_same_log(const SimDisk& a, const SimDisk& b) {
  const auto is_of_log = [](const std::string& path) { return path.starts_with("/log/"); };
  for (const SimDisk* disk : {&a, &b}) {
    for (const std::string& path : disk->files()) {
      if (is_of_log(path) && a.contents(path) != b.contents(path)) return false;
    }
  }
  return true;
}

/// Looks up everything that is there or not, and goes on with the log.
void examine(const SimDisk& disk, const ReferenceLog& log, Salvaged& salvaged) {
  SimEnv env(disk);
  const auto verified = ReadOnlyLog::verify(kNewPath, {.env = &env}).value();
  EXPECT_EQ(verified.verdict, VerifyReport::Verdict::ok);
  EXPECT_TRUE(verified.findings.empty()) << verified.findings.front().what;
  auto opened = Log::open(kNewPath, reference_options(env));
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ(opened->recovery_report().outcome, RecoveryReport::Outcome::clean);
  std::string complaint;
  salvaged.records = read_log(*opened, &complaint);
  EXPECT_EQ(complaint, "");
  EXPECT_EQ(opened->recovery_report().records, salvaged.records.size());
  EXPECT_EQ(salvaged.report->records, salvaged.records.size());
  EXPECT_EQ(verified.records, salvaged.records.size());
  EXPECT_EQ(opened->is_empty(), salvaged.records.empty());
  EXPECT_EQ(opened->end_lsn(), salvaged.report->end_lsn);
  EXPECT_GT(opened->epoch(), log.epoch);
  std::set<uint64_t> kept;
  for (const StoredRecord& record : salvaged.records) kept.insert(record.ordinal);
  for (const StoredRecord& record : log.records) {
    const auto read = opened->read(record.lsn);
    const auto found = opened->find_ordinal(record.ordinal);
    if (kept.contains(record.ordinal)) {
      ASSERT_TRUE(read) << read.error().message();
      EXPECT_EQ(std::vector(read->payload.begin(), read->payload.end()), record.payload);
      EXPECT_EQ(found.value(), record.lsn);
    } else {
      ASSERT_FALSE(read) << record.ordinal;
      // Without root and first segment nobody knows whether what was there had been trimmed.
      const bool is_below = record.lsn < opened->first_lsn();
      EXPECT_EQ(read.error().code(), is_below ? ErrorCode::trimmed : ErrorCode::not_found)
          << read.error().message();
      EXPECT_TRUE(!is_below || !disk.contents(kRootPath));
      EXPECT_FALSE(found) << record.ordinal;
    }
  }
  if (!salvaged.records.empty()) {
    EXPECT_EQ(opened->last()->ordinal, salvaged.records.back().ordinal);
  }
  // It goes on behind all that was ever in use, and opens again after that.
  for (int i = 0; i < 12; ++i) {
    const Lsn lsn = opened->append(std::string(700, 'x')).value();
    EXPECT_GE(lsn, salvaged.report->end_lsn);
    // Nor is a number given out again, unless nothing is left that tells of the end.
    if (salvaged.report->end_lsn > log.records.back().lsn) {
      EXPECT_GE(opened->read(lsn)->ordinal, log.records.size());
    }
    while (opened->step_background()) {
    }
  }
  const auto all = read_log(*opened, &complaint);
  EXPECT_EQ(complaint, "");
  EXPECT_EQ(all.size(), salvaged.records.size() + 12);
  ASSERT_TRUE(opened->close());
  opened = Log::open(kNewPath, reference_options(env));
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ(read_log(*opened), all);
}

Salvaged salvage_disk(const SimDisk& damaged, const ReferenceLog& log) {
  Salvaged salvaged;
  SimEnv env(damaged);
  auto report = salvage(std::string(kLogPath), kNewPath, {.env = &env});
  EXPECT_TRUE(has_same_log(env.disk(), damaged));
  if (!report) {
    salvaged.code = report.error().code();
    salvaged.message = report.error().message();
    return salvaged;
  }
  salvaged.report = std::move(*report);
  env.crash_now();
  salvaged.disk = env.crashed_disk().crash({});  // All of it was durable.
  examine(salvaged.disk, log, salvaged);
  return salvaged;
}

/// The records of the log without those with an ordinal in [begin, end).
std::vector<StoredRecord> without(const ReferenceLog& log, uint64_t begin, uint64_t end) {
  auto records = log.records;
  std::erase_if(records,
                [=](const StoredRecord& r) { return r.ordinal >= begin && r.ordinal < end; });
  return records;
}

Lsn end_of(const ReferenceLog& log) {
  const StoredRecord& last = log.records.back();
  return last.lsn + format::encoded_record_bytes(last.payload.size());
}

uint64_t records_lost(const SalvageReport& report) {
  uint64_t records = 0;
  for (const auto& loss : report.lost) records += loss.range.records;
  return records;
}

TEST(Salvage, copies_a_whole_log_with_nothing_lost) {
  for (const bool closes : {true, false}) {
    const ReferenceLog log = make_reference_log({.closes = closes});
    const Salvaged salvaged = salvage_disk(log.disk, log);
    ASSERT_TRUE(salvaged.report) << salvaged.message;
    EXPECT_EQ(salvaged.records, log.records);
    EXPECT_TRUE(salvaged.report->lost.empty()) << salvaged.report->lost.front().reason;
    EXPECT_TRUE(salvaged.report->findings.empty());
    EXPECT_FALSE(salvaged.report->has_loss());
    EXPECT_EQ(salvaged.report->kept.size(), log.segments.size());
  }
}

TEST(Salvage, a_damaged_frame_loses_that_frame_alone_and_tells_where) {
  for (const bool closes : {true, false}) {
    const ReferenceLog log = make_reference_log({.closes = closes});
    for (const SegmentLayout& segment : log.segments) {
      for (size_t i = 0; i < segment.frames.size(); ++i) {
        const uint64_t frame = segment.frames[i];
        const uint64_t ordinal = segment.first_record + i;
        // In the frame's header, in the record's, and in the payload.
        for (const uint64_t at : {frame + 8, frame + format::kFrameHeaderBytes + 1, frame + 200}) {
          SimDisk damaged = log.disk;
          flip_bit(damaged, segment.path, at * 8 + 3);
          const Salvaged salvaged = salvage_disk(damaged, log);
          ASSERT_TRUE(salvaged.report) << salvaged.message;
          EXPECT_EQ(salvaged.records, without(log, ordinal, ordinal + 1)) << segment.path << at;
          ASSERT_EQ(salvaged.report->lost.size(), 1U);
          const SalvageReport::Loss& loss = salvaged.report->lost.front();
          EXPECT_EQ(loss.range.begin + format::kFrameHeaderBytes, log.records[ordinal].lsn);
          EXPECT_EQ("/log/" + loss.range.file, segment.path);
          EXPECT_EQ(loss.range.offset, frame);
          const bool is_newest = ordinal + 1 == log.records.size();
          EXPECT_EQ(loss.was_durable, closes || !is_newest);
          if (!is_newest || at != frame + 8) {
            EXPECT_EQ(loss.range.records, 1U) << loss.reason;
          }
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST(Salvage, any_set_of_missing_segments_loses_those_alone) {
  for (const bool closes : {true, false}) {
    const ReferenceLog log = make_reference_log({.closes = closes});
    for (uint32_t missing = 1; missing < 16; ++missing) {
      SimDisk damaged = log.disk;
      auto expected = log.records;
      for (size_t i = 0; i < 4; ++i) {
        if ((missing >> i & 1U) == 0) continue;
        damaged.erase(log.segments[i].path);
        const uint64_t begin = log.segments[i].first_record;
        const uint64_t end = i == 3 ? UINT64_MAX : log.segments[i + 1].first_record;
        std::erase_if(expected,
                      [=](const StoredRecord& r) { return r.ordinal >= begin && r.ordinal < end; });
      }
      // After a crash without a proof of the root an empty directory says nothing.
      const Salvaged salvaged = salvage_disk(damaged, log);
      ASSERT_TRUE(salvaged.report) << salvaged.message;
      EXPECT_EQ(salvaged.records, expected) << missing << closes;
      EXPECT_EQ(salvaged.report->has_loss(), closes || missing != 15) << missing << closes;
      if (closes) {
        EXPECT_EQ(salvaged.report->end_lsn, end_of(log)) << missing;
      } else {
        EXPECT_TRUE(missing == 15 || salvaged.report->end_lsn >= end_of(log)) << missing;
      }
      if (HasFailure()) return;
    }
  }
}

TEST(Salvage, damaged_headers_lose_nothing) {
  const ReferenceLog log = make_reference_log();
  for (uint32_t set = 1; set < 16; ++set) {
    for (const bool zeroes : {false, true}) {
      SimDisk damaged = log.disk;
      for (size_t i = 0; i < 4; ++i) {
        if ((set >> i & 1U) == 0) continue;
        if (zeroes) {
          edit(damaged, log.segments[i].path, 0, std::vector<std::byte>(kBlockBytes));
        } else {
          flip_bit(damaged, log.segments[i].path, 8 * 50);
        }
      }
      const Salvaged salvaged = salvage_disk(damaged, log);
      ASSERT_TRUE(salvaged.report) << salvaged.message;
      EXPECT_EQ(salvaged.records, log.records) << set;
      EXPECT_TRUE(salvaged.report->lost.empty()) << salvaged.report->lost.front().reason;
      EXPECT_FALSE(salvaged.report->findings.empty());
    }
  }
}

TEST(Salvage, one_slot_both_slots_or_the_whole_root_may_be_gone) {
  const ReferenceLog log = make_reference_log();
  for (const int which : {1, 2, 3, 4}) {
    SimDisk damaged = log.disk;
    if ((which & 1) != 0) flip_bit(damaged, kRootPath, 8 * 100);
    if ((which & 2) != 0) flip_bit(damaged, kRootPath, 8 * 4200);
    if (which == 4) damaged.erase(kRootPath);
    const Salvaged salvaged = salvage_disk(damaged, log);
    ASSERT_TRUE(salvaged.report) << salvaged.message;
    EXPECT_EQ(salvaged.records, log.records) << which;
    EXPECT_TRUE(salvaged.report->lost.empty());
    EXPECT_FALSE(salvaged.report->findings.empty());
  }
}

TEST(Salvage, without_root_and_headers_nothing_can_be_told_to_belong) {
  const ReferenceLog log = make_reference_log();
  SimDisk damaged = log.disk;
  damaged.erase(kRootPath);
  for (const SegmentLayout& segment : log.segments) flip_bit(damaged, segment.path, 8 * 50);
  const Salvaged salvaged = salvage_disk(damaged, log);
  EXPECT_EQ(salvaged.code, ErrorCode::corruption);
}

TEST(Salvage, files_and_roots_of_another_log_do_not_come_in) {
  const ReferenceLog log = make_reference_log();
  const ReferenceLog other = make_reference_log({.seed = 2});
  SimDisk damaged = log.disk;
  damaged.put(log.segments[1].path, other.disk.contents(other.segments[1].path).value());
  damaged.put("/log/" + format::segment_name(9),
              other.disk.contents(other.segments[3].path).value());
  Salvaged salvaged = salvage_disk(damaged, log);
  ASSERT_TRUE(salvaged.report) << salvaged.message;
  EXPECT_EQ(salvaged.records,
            without(log, log.segments[1].first_record, log.segments[2].first_record));
  damaged = log.disk;
  damaged.put(kRootPath, other.disk.contents(kRootPath).value());
  salvaged = salvage_disk(damaged, log);
  ASSERT_TRUE(salvaged.report) << salvaged.message;
  EXPECT_EQ(salvaged.records, log.records);
}

TEST(Salvage, a_renamed_segment_is_found_and_a_copy_is_ignored) {
  const ReferenceLog log = make_reference_log();
  const auto bytes = log.disk.contents(log.segments[1].path).value();
  for (const bool is_copy : {false, true}) {
    SimDisk damaged = log.disk;
    damaged.put("/log/" + format::segment_name(12), bytes);
    if (!is_copy) damaged.erase(log.segments[1].path);
    const Salvaged salvaged = salvage_disk(damaged, log);
    ASSERT_TRUE(salvaged.report) << salvaged.message;
    EXPECT_EQ(salvaged.records, log.records);
    EXPECT_FALSE(salvaged.report->has_loss());
  }
}

TEST(Salvage, files_that_were_cut_short_keep_what_is_left) {
  const ReferenceLog log = make_reference_log();
  for (const SegmentLayout& segment : log.segments) {
    for (size_t i = 0; i < segment.frames.size(); ++i) {
      SimDisk damaged = log.disk;
      cut_file(damaged, segment.path, segment.frames[i] + 100);
      const Salvaged salvaged = salvage_disk(damaged, log);
      ASSERT_TRUE(salvaged.report) << salvaged.message;
      EXPECT_EQ(salvaged.records, without(log, segment.first_record + i,
                                          segment.first_record + segment.frames.size()));
      EXPECT_TRUE(salvaged.report->has_loss());
    }
  }
}

TEST(Salvage, blocks_that_cannot_be_read_are_skipped_and_reported) {
  const ReferenceLog log = make_reference_log();
  uint64_t reads = 0;
  {
    SimEnv env(log.disk);
    ASSERT_TRUE(salvage(std::string(kLogPath), kNewPath, {.env = &env}));
    reads = env.calls(CallKind::read);
  }
  size_t reported = 0;
  for (uint64_t k = 1; k <= reads; ++k) {
    SimEnv env(log.disk);
    env.fail_call(k, EIO, FaultSpan::once, CallKind::read);
    auto report = salvage(std::string(kLogPath), kNewPath, {.env = &env});
    EXPECT_TRUE(has_same_log(env.disk(), log.disk));
    // Where it was read before, it changed under the hands of the salvage.
    if (!report) continue;
    auto opened = Log::open(kNewPath, reference_options(env));
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_EQ(read_log(*opened).size() + records_lost(*report), log.records.size()) << k;
    if (!report->lost.empty() || !report->findings.empty()) ++reported;
  }
  EXPECT_GT(reported, 0U);
}

/// The records whose frame's bytes are all as they were.
std::vector<StoredRecord> intact_records(const SimDisk& damaged, const ReferenceLog& log) {
  std::vector<StoredRecord> records;
  for (const SegmentLayout& segment : log.segments) {
    const auto before = log.disk.contents(segment.path).value();
    const auto after = damaged.contents(segment.path);
    for (size_t i = 0; after && i < segment.frames.size(); ++i) {
      const uint64_t begin = segment.frames[i];
      const uint64_t end = i + 1 < segment.frames.size() ? segment.frames[i + 1] : segment.end;
      const auto part = [=](const std::vector<std::byte>& bytes) {
        return std::span(bytes).subspan(begin, end - begin);
      };
      if (after->size() < end || !std::ranges::equal(part(before), part(*after))) continue;
      records.push_back(log.records[segment.first_record + i]);
    }
  }
  return records;
}

TEST(Salvage, a_flipped_bit_anywhere_loses_its_frame_at_most) {
  const ReferenceLog log = make_reference_log();
  std::vector<std::string> paths = {std::string(kRootPath)};
  for (const SegmentLayout& segment : log.segments) paths.push_back(segment.path);
  for (const std::string& path : paths) {
    const uint64_t bits = log.disk.contents(path)->size() * 8;
    for (uint64_t bit = 0; bit < bits; bit += 1009 * test::case_step(8)) {
      SimDisk damaged = log.disk;
      flip_bit(damaged, path, bit);
      const Salvaged salvaged = salvage_disk(damaged, log);
      ASSERT_TRUE(salvaged.report) << salvaged.message;
      EXPECT_EQ(salvaged.records, intact_records(damaged, log)) << path << " bit " << bit;
      EXPECT_EQ(salvaged.report->has_loss(), salvaged.records.size() != log.records.size());
      if (HasFailure()) return;
    }
  }
}

TEST(Salvage, of_much_damage_at_once_all_that_is_whole_is_kept) {
  const ReferenceLog log = make_reference_log({.segments = 6});
  for (uint64_t seed = 1; seed <= 400; seed += test::case_step(8)) {
    std::mt19937_64 random(seed);
    SimDisk damaged = log.disk;
    if (random() % 3 == 0) damaged.erase(kRootPath);
    for (uint64_t i = 1 + random() % 6; i > 0; --i) {
      const SegmentLayout& segment = log.segments[random() % log.segments.size()];
      const auto bytes = damaged.contents(segment.path);
      if (!bytes || bytes->empty()) continue;
      const uint64_t at = random() % bytes->size();
      const uint64_t kind = random() % 8;
      if (kind == 0) {
        damaged.erase(segment.path);
      } else if (kind == 1) {
        cut_file(damaged, segment.path, at);
      } else if (kind < 5) {
        edit(damaged, segment.path, at / kBlockBytes * kBlockBytes,
             std::vector<std::byte>(kBlockBytes, std::byte(kind == 4 ? 0 : 0xa5)));
      } else {
        flip_bit(damaged, segment.path, at * 8);
      }
    }
    const Salvaged salvaged = salvage_disk(damaged, log);
    const auto intact = intact_records(damaged, log);
    if (!salvaged.report) {
      // Nothing says which log it is.
      EXPECT_EQ(salvaged.code, ErrorCode::corruption) << salvaged.message;
      EXPECT_FALSE(damaged.contents(kRootPath)) << seed;
    } else {
      EXPECT_EQ(salvaged.records, intact) << "seed " << seed;
    }
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST(Salvage, refuses_a_directory_in_use_and_a_log_that_is_open) {
  const ReferenceLog log = make_reference_log();
  SimEnv env(log.disk);
  const auto code = [&](const std::string& from, const std::string& to) {
    const auto report = salvage(from, to, {.env = &env});
    return report ? std::nullopt : std::optional(report.error().code());
  };
  EXPECT_EQ(code("/log", "/log"), ErrorCode::invalid_argument);
  EXPECT_EQ(code("/log", "/log/new"), ErrorCode::invalid_argument);
  EXPECT_EQ(code("/log", "/new/../log//new"), ErrorCode::invalid_argument);
  EXPECT_EQ(code("/nothing", "/new"), ErrorCode::not_found);
  EXPECT_TRUE(has_same_log(env.disk(), log.disk));
  auto open = Log::open(std::string(kLogPath), reference_options(env));
  ASSERT_TRUE(open);
  EXPECT_EQ(code("/log", "/new"), ErrorCode::locked);
  ASSERT_TRUE(open->close());
  EXPECT_EQ(code("/log", "/new"), std::nullopt);
  EXPECT_EQ(code("/log", "/new"), ErrorCode::invalid_argument);
  EXPECT_EQ(code("/log", "/log2"), std::nullopt);
}

}  // namespace
}  // namespace writeahead::testing
