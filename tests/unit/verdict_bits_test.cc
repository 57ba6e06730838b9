// Every bit of a log flipped, and every byte of it set to 0x00 and to 0xff, in turn: the verdict
// follows from where the change lies.
//
// After a clean close and after a crash, through verify for every change, and through opening and
// reading everything for a sample. Under sanitizers fewer of them; the figures are printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "format/bytes.h"
#include "support/counts.h"
#include "support/damaged_log.h"
#include "support/sanitizers.h"

namespace writeahead::testing {
namespace {

using Verdict = VerifyReport::Verdict;
using Outcome = RecoveryReport::Outcome;
using test::print_count;
namespace part = test::part;

constexpr size_t kSlowStep = 61;     // under sanitizers, of bits given to verify
constexpr size_t kOpenedStep = 211;  // of those, what is opened and read, too; a prime

/// What was tried, and what of it went wrong in the worst way.
class Counter {
 public:
  ~Counter() {
    print_count(part::kDamage, "bits flipped", flipped);
    print_count(part::kDamage, "bytes set", set);
    print_count(part::kDamage, "of them opened, too", opened);
    print_count(part::kDamage, "silent losses", silent_losses);
  }
  /// `kept`: records that have to be there unless damage is reported.
  VerifyReport verify(const SimDisk& damaged, size_t kept) {
    auto report = testing::verify(damaged).value();
    if (report.verdict != Verdict::corruption && report.records < kept) ++silent_losses;
    return report;
  }
  size_t flipped = 0;
  size_t set = 0;
  size_t opened = 0;
  size_t silent_losses = 0;
};

std::string place(const SegmentLayout& segment, uint64_t bit) {
  return segment.path + " byte " + std::to_string(bit / 8) + " bit " + std::to_string(bit % 8);
}

/// Calls `check(bit, disk)` for each change of the bytes from `begin` to `end` of a file, with a
/// bit that lies in it.
template <class Check>
void for_each_change(const SimDisk& disk, const std::string& path, uint64_t begin, uint64_t end,
                     Counter& counter, Check check) {
  const auto failed = [] { return ::testing::Test::HasFailure(); };
  const size_t step = test::case_step(kSlowStep);
  for (uint64_t bit = begin * 8; bit < end * 8 && !failed(); bit += step) {
    SimDisk damaged = disk;
    flip_bit(damaged, path, bit);
    ++counter.flipped;
    check(bit, damaged);
  }
  const auto before = disk.contents(path).value();
  for (const std::byte value : {std::byte{0x00}, std::byte{0xff}}) {
    for (uint64_t byte = begin; byte < end && !failed(); byte += step) {
      if (before[byte] == value) continue;
      SimDisk damaged = disk;
      edit(damaged, path, byte, {&value, 1});
      ++counter.set;
      check(byte * 8, damaged);
    }
  }
}
template <class Check>
void for_each_change(const SimDisk& disk, const std::string& path, Counter& counter, Check check) {
  for_each_change(disk, path, 0, disk.contents(path).value().size(), counter, check);
}

bool is_opened_too(uint64_t bit) { return bit / test::case_step(kSlowStep) % kOpenedStep == 0; }

/// A flipped bit is damage: verify, opening and reading name the file, the offset and the Lsn of
/// what is broken, and nothing is changed.
void expect_corruption(const ReferenceLog& log, const SegmentLayout& segment, uint64_t bit,
                       const SimDisk& damaged, Counter& counter) {
  const auto report = counter.verify(damaged, log.records.size());
  ASSERT_EQ(report.verdict, Verdict::corruption) << place(segment, bit);
  ASSERT_EQ(report.findings.size(), 1U) << place(segment, bit);
  const std::string where = segment.damage_at(bit / 8);
  ASSERT_EQ(place_of(report.findings.back()), where) << place(segment, bit);
  ASSERT_LE(report.records, log.records.size());
  if (!is_opened_too(bit)) return;
  ++counter.opened;
  const OpenResult reading = read_only(damaged);
  ASSERT_EQ(reading.code, ErrorCode::corruption) << place(segment, bit);
  ASSERT_TRUE(reading.message.ends_with(where)) << reading.message << ", not " << where;
  ASSERT_TRUE(reading.disk.shows_same_as(damaged)) << "a reader wrote";
  const OpenResult opened = open_and_read(damaged);
  ASSERT_EQ(opened.code, ErrorCode::corruption) << place(segment, bit);
  ASSERT_TRUE(opened.message.ends_with(where)) << opened.message << ", not " << where;
  // What lies before the damage is read as it was; nothing else is handed out.
  for (size_t i = 0; i < opened.records.size(); ++i) ASSERT_EQ(opened.records[i], log.records[i]);
  if (!opened.opened) {
    ASSERT_TRUE(opened.disk.shows_same_as(damaged)) << "changed in spite of " << opened.message;
  }
}

/// A flipped bit has no effect but, perhaps, a report.
void expect_all_records(const ReferenceLog& log, uint64_t bit, const SimDisk& damaged,
                        Counter& counter) {
  if (!is_opened_too(bit)) return;
  ++counter.opened;
  const OpenResult opened = open_and_read(damaged);
  ASSERT_EQ(opened.code, std::nullopt) << opened.message;
  ASSERT_EQ(opened.records, log.records);
}

void check_closed_segment(const ReferenceLog& log, const SegmentLayout& segment, uint64_t bit,
                          const SimDisk& damaged, Counter& counter) {
  const uint64_t byte = bit / 8;
  if (byte < segment.end) return expect_corruption(log, segment, bit, damaged, counter);
  const auto report = counter.verify(damaged, log.records.size());
  ASSERT_EQ(report.verdict, Verdict::ok) << place(segment, bit);
  ASSERT_EQ(report.records, log.records.size());
  ASSERT_EQ(report.findings.size(), byte < segment.seal_end ? 1U : 0U) << place(segment, bit);
  if (byte < segment.seal_end) {
    ASSERT_EQ(report.findings[0].offset, segment.end);
  }
  expect_all_records(log, bit, damaged, counter);
}

TEST(VerdictBits, after_a_close_each_byte_of_a_closed_segment_up_to_its_end_is_damage) {
  const ReferenceLog log = make_reference_log();
  Counter counter;
  for (size_t i = 0; i + 1 < log.segments.size(); ++i) {
    const SegmentLayout& segment = log.segments[i];
    ASSERT_LT(segment.seal_end, segment.bytes);
    for_each_change(log.disk, segment.path, counter, [&](uint64_t bit, const SimDisk& damaged) {
      check_closed_segment(log, segment, bit, damaged, counter);
    });
  }
}

TEST(VerdictBits, after_a_close_each_byte_of_the_last_segment_up_to_its_end_is_damage) {
  const ReferenceLog log = make_reference_log();
  const SegmentLayout& last = log.last();
  Counter counter;
  for_each_change(log.disk, last.path, counter, [&](uint64_t bit, const SimDisk& damaged) {
    if (bit / 8 < last.end) return expect_corruption(log, last, bit, damaged, counter);
    const auto report = counter.verify(damaged, log.records.size());
    ASSERT_EQ(report.verdict, Verdict::torn_tail) << place(last, bit);
    ASSERT_EQ(report.records, log.records.size());
    expect_all_records(log, bit, damaged, counter);
  });
}

TEST(VerdictBits, a_byte_of_one_root_slot_costs_an_epoch_and_of_both_is_damage) {
  const ReferenceLog log = make_reference_log();
  const std::string path(kRootPath);
  const OpenResult sound = open_and_read(log.disk);
  ASSERT_EQ(sound.report.epoch, log.epoch + 1);
  Counter counter;
  for_each_change(log.disk, path, counter, [&](uint64_t bit, const SimDisk& damaged) {
    const auto report = counter.verify(damaged, log.records.size());
    ASSERT_EQ(report.verdict, Verdict::ok) << bit;
    ASSERT_EQ(report.records, log.records.size()) << bit;
    ASSERT_EQ(report.findings.size(), 1U);
    ASSERT_EQ(report.findings[0].file, "log.root");
    ASSERT_EQ(report.findings[0].offset, bit / 8 / kBlockBytes * kBlockBytes);
    SimDisk both = damaged;
    flip_bit(both, path, (bit + kBlockBytes * 8) % (2 * kBlockBytes * 8));
    const auto refused = verify(both).value();
    ASSERT_EQ(refused.verdict, Verdict::corruption) << bit;
    if (!is_opened_too(bit)) return;
    ++counter.opened;
    const OpenResult opened = open_and_read(damaged);
    ASSERT_EQ(opened.code, std::nullopt) << opened.message;
    ASSERT_EQ(opened.records, log.records);
    ASSERT_EQ(opened.report.epoch, log.epoch + 2);
    ASSERT_TRUE(opened.report.root_slot_was_bad);
    // Both are whole again: the next opening takes the next epoch.
    ASSERT_EQ(open_and_read(opened.disk).report.epoch, log.epoch + 3);
    const OpenResult denied = open_and_read(both);
    ASSERT_EQ(denied.code, ErrorCode::corruption);
    ASSERT_TRUE(denied.disk.shows_same_as(both));
  });
}

/// After a crash: what may be cut is the newest frame and what lies behind it, nothing below.
void check_after_crash(const ReferenceLog& log, uint64_t bit, const SimDisk& damaged,
                       Counter& counter) {
  const SegmentLayout& last = log.last();
  const uint64_t byte = bit / 8;
  if (byte < last.frames.back()) return expect_corruption(log, last, bit, damaged, counter);
  const size_t kept = log.records.size() - (byte < last.end ? 1 : 0);
  const auto report = counter.verify(damaged, kept);
  ASSERT_EQ(report.verdict, Verdict::torn_tail) << place(last, bit);
  ASSERT_EQ(report.records, kept) << place(last, bit);
  ASSERT_EQ(report.findings.size(), 1U);
  ASSERT_EQ(report.findings[0].offset, byte < last.end ? last.frames.back() : last.end);
  if (!is_opened_too(bit)) return;
  ++counter.opened;
  const OpenResult opened = open_and_read(damaged);
  ASSERT_EQ(opened.code, std::nullopt) << opened.message;
  ASSERT_EQ(opened.report.outcome, Outcome::torn_tail);
  ASSERT_EQ(opened.report.cut_offset, report.findings[0].offset);
  ASSERT_EQ(opened.report.cut_segment, last.number);
  // The copy is what was cut, and the place is zeros now.
  const auto copy = opened.disk.contents(opened.report.copy_path);
  ASSERT_TRUE(copy) << opened.report.copy_path;
  const auto before = damaged.contents(last.path).value();
  const auto begin = before.begin() + static_cast<ptrdiff_t>(opened.report.cut_offset);
  ASSERT_TRUE(std::ranges::equal(
      *copy, std::span(begin, begin + static_cast<ptrdiff_t>(opened.report.cut_bytes))));
  const auto after = opened.disk.contents(last.path).value();
  ASSERT_TRUE(format::is_zero(std::span(after).subspan(opened.report.cut_offset)));
  ASSERT_EQ(opened.records,
            std::vector(log.records.begin(), log.records.begin() + static_cast<ptrdiff_t>(kept)));
  // What is appended behind a cut survives the next opening.
  const OpenResult again = open_append_and_reopen(damaged);
  ASSERT_EQ(again.code, std::nullopt) << again.message;
  ASSERT_EQ(again.records.size(), kept + 1);
  ASSERT_EQ(again.report.outcome, Outcome::clean);
}

TEST(VerdictBits, after_a_crash_each_byte_of_the_last_segment_below_its_newest_frame_is_damage) {
  const ReferenceLog log = make_reference_log({.closes = false});
  Counter counter;
  for_each_change(log.disk, log.last().path, counter, [&](uint64_t bit, const SimDisk& damaged) {
    check_after_crash(log, bit, damaged, counter);
  });
}

TEST(VerdictBits, after_a_crash_each_byte_of_a_closed_segment_is_judged_as_after_a_close) {
  // No seal was written yet: what closes a segment is its successor.
  const ReferenceLog log = make_reference_log({.closes = false, .seals = false});
  Counter counter;
  const SegmentLayout& segment = log.segments[log.segments.size() - 2];
  ASSERT_EQ(segment.seal_end, segment.end);
  for_each_change(log.disk, segment.path, counter, [&](uint64_t bit, const SimDisk& damaged) {
    // A byte where a seal would stand looks like a seal that tore.
    if (bit / 8 >= segment.end) {
      ASSERT_EQ(counter.verify(damaged, log.records.size()).verdict, Verdict::ok)
          << place(segment, bit);
      return expect_all_records(log, bit, damaged, counter);
    }
    expect_corruption(log, segment, bit, damaged, counter);
  });
}

TEST(VerdictBits, after_an_idle_second_each_byte_of_the_newest_frame_is_damage) {
  const ReferenceLog log = make_reference_log({.closes = false, .proves = true});
  const SegmentLayout& last = log.last();
  Counter counter;
  for_each_change(log.disk, last.path, last.frames.back(), last.end, counter,
                  [&](uint64_t bit, const SimDisk& damaged) {
                    expect_corruption(log, last, bit, damaged, counter);
                  });
}

TEST(VerdictBits, after_a_recovery_each_byte_of_the_newest_frame_is_damage) {
  const ReferenceLog log = make_reference_log({.closes = false});
  SimEnv env(log.disk);
  {
    // What an opening served is there for good, although nothing was appended behind it.
    const auto recovered = Log::open(std::string(kLogPath), reference_options(env)).value();
    ASSERT_EQ(recovered.recovery_report().records, log.records.size());
    env.crash_now();
  }
  const SegmentLayout& last = log.last();
  Counter counter;
  for_each_change(env.crashed_disk().crash({}), last.path, last.frames.back(), last.end, counter,
                  [&](uint64_t bit, const SimDisk& damaged) {
                    expect_corruption(log, last, bit, damaged, counter);
                  });
}

}  // namespace
}  // namespace writeahead::testing
