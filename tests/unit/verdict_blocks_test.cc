// Whole blocks and ends of files: zeroed, swapped, misdirected, replaced by an older copy, cut off.
//
// What a test expects is computed from the bytes that differ and from which frame headers are still
// there, not from what was done. The two cases that no format can decide stand at the end.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "format/frame.h"
#include "format/segment_header.h"
#include "support/counts.h"
#include "support/damaged_log.h"
#include "support/sanitizers.h"

namespace writeahead::testing {
namespace {

using Bytes = std::vector<std::byte>;
using Verdict = VerifyReport::Verdict;
using Outcome = RecoveryReport::Outcome;

constexpr size_t kSlowLengths = 97;  // under sanitizers

uint64_t first_difference(const Bytes& a, const Bytes& b) {
  return static_cast<uint64_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

/// Whether the frame's header is still there.
bool has_frame_header(const Bytes& before, const Bytes& after, uint64_t frame) {
  const auto begin = static_cast<ptrdiff_t>(frame);
  return std::equal(before.begin() + begin,
                    before.begin() + begin + static_cast<ptrdiff_t>(format::kFrameHeaderBytes),
                    after.begin() + begin);
}

/// What has to come of a segment's file with other bytes.
struct Expected {
  Verdict verdict = Verdict::ok;
  size_t records = 0;
  size_t findings = 0;
};

Expected after_close(const ReferenceLog& log, const SegmentLayout& segment, uint64_t difference) {
  const bool is_last = segment.number == log.last().number;
  const size_t all = log.records.size();
  if (difference < segment.end) return {.verdict = Verdict::corruption, .records = all};
  if (is_last) return {.verdict = Verdict::torn_tail, .records = all, .findings = 1};
  return {.verdict = Verdict::ok, .records = all, .findings = difference < segment.seal_end};
}

/// A frame header that is still there proves all that lies before it. Above the last one a frame is
/// torn; of frames whose bytes are all zeros nothing is left to be seen.
Expected after_crash(const ReferenceLog& log, const Bytes& before, const Bytes& after) {
  const SegmentLayout& last = log.last();
  const uint64_t difference = first_difference(before, after);
  uint64_t proven = 0;
  for (const uint64_t frame : last.frames) {
    if (has_frame_header(before, after, frame)) proven = frame;
  }
  if (difference < std::max(proven, format::kSegmentHeaderBytes)) {
    return {.verdict = Verdict::corruption};
  }
  const size_t kept = difference < last.end ? last.record_at(difference) : log.records.size();
  const uint64_t cut = difference < last.end ? last.frames[kept - last.first_record] : last.end;
  const bool is_zero = format::is_zero(std::span(after).subspan(cut));
  return {.verdict = is_zero ? Verdict::ok : Verdict::torn_tail,
          .records = kept,
          .findings = is_zero ? 0U : 1U};
}

/// Where damage has to be reported. That of a header has the address that frames behind the first
/// one tell. If none is left, nothing in the file does: then it has no address, or what testifies
/// is the seal in front of it.
std::string damage_place(const ReferenceLog& log, const SegmentLayout& segment, const Bytes& before,
                         const Bytes& after, bool was_closed) {
  const uint64_t difference = first_difference(before, after);
  if (difference >= format::kSegmentHeaderBytes) return segment.damage_at(difference);
  const auto header = format::decode_segment_header(after);
  const bool is_foreign = header.state == format::HeaderState::valid;
  if (is_foreign) return segment.place_at(0, Lsn());
  for (size_t i = 1; i < segment.frames.size(); ++i) {
    if (has_frame_header(before, after, segment.frames[i])) return segment.damage_at(0);
  }
  if (was_closed) return segment.place_at(0, Lsn());
  const SegmentLayout& sealed = log.segments[log.segments.size() - 2];
  return sealed.place_at(sealed.end, segment.base_lsn);
}

class VerdictBlocks : public ::testing::Test {
 protected:
  ~VerdictBlocks() override {
    test::print_count(test::part::kDamage, "blocks and ends of files", cases_);
  }

  /// Puts `bytes` in the place of a segment's file and compares the verdict.
  void check(const ReferenceLog& log, const SegmentLayout& segment, const Bytes& bytes,
             bool was_closed, const std::string& what) {
    const Bytes before = log.disk.contents(segment.path).value();
    if (bytes == before || HasFatalFailure()) return;
    ++cases_;
    const Expected expected = was_closed
                                  ? after_close(log, segment, first_difference(before, bytes))
                                  : after_crash(log, before, bytes);
    SimDisk damaged = log.disk;
    damaged.put(segment.path, bytes);
    const auto report = verify(damaged).value();
    ASSERT_EQ(report.verdict, expected.verdict) << segment.path << " " << what;
    if (expected.verdict == Verdict::corruption) {
      const std::string where = damage_place(log, segment, before, bytes, was_closed);
      ASSERT_EQ(report.findings.size(), 1U) << segment.path << " " << what;
      ASSERT_EQ(place_of(report.findings.back()), where) << what << ": " << report.findings[0].what;
      const OpenResult opened = open_and_read(damaged);
      ASSERT_EQ(opened.code, ErrorCode::corruption) << segment.path << " " << what;
      ASSERT_TRUE(opened.message.ends_with(where)) << opened.message << ", not " << where;
      ASSERT_TRUE(opened.opened || opened.disk.shows_same_as(damaged)) << what;
      return;
    }
    ASSERT_EQ(report.records, expected.records) << segment.path << " " << what;
    // A seal all of whose header is zeros is absent without a word.
    ASSERT_LE(report.findings.size(), expected.findings) << segment.path << " " << what;
    const OpenResult opened = open_append_and_reopen(damaged);
    ASSERT_EQ(opened.code, std::nullopt) << opened.message;
    ASSERT_EQ(opened.records.size(), expected.records + 1) << segment.path << " " << what;
    for (size_t i = 0; i < expected.records; ++i) ASSERT_EQ(opened.records[i], log.records[i]);
  }

  void check_blocks(const ReferenceLog& log, const SegmentLayout& segment, const Bytes& older,
                    uint64_t unit, bool was_closed) {
    const Bytes sound = log.disk.contents(segment.path).value();
    const Bytes other = log.disk.contents(log.segments[0].path).value();
    const auto at = [&](uint64_t block) { return static_cast<ptrdiff_t>(block * unit); };
    const uint64_t blocks = sound.size() / unit;
    for (uint64_t i = 0; i < blocks; ++i) {
      const std::string block = std::to_string(unit) + "-byte block " + std::to_string(i);
      Bytes zeroed = sound;
      std::fill(zeroed.begin() + at(i), zeroed.begin() + at(i + 1), std::byte{0});
      check(log, segment, zeroed, was_closed, block + " zeroed");
      Bytes filled = sound;
      std::fill(filled.begin() + at(i), filled.begin() + at(i + 1), std::byte{0xa7});
      check(log, segment, filled, was_closed, block + " filled");
      Bytes foreign = sound;
      std::copy(other.begin() + at(i), other.begin() + at(i + 1), foreign.begin() + at(i));
      check(log, segment, foreign, was_closed, block + " of the first segment");
      Bytes stale = sound;
      std::copy(older.begin() + at(i), older.begin() + at(i + 1), stale.begin() + at(i));
      check(log, segment, stale, was_closed, block + " of an older copy");
      for (uint64_t j = 0; j < blocks; ++j) {
        Bytes misdirected = sound;
        std::copy(sound.begin() + at(i), sound.begin() + at(i + 1), misdirected.begin() + at(j));
        check(log, segment, misdirected, was_closed, block + " written to " + std::to_string(j));
        if (j <= i) continue;
        Bytes swapped = misdirected;
        std::copy(sound.begin() + at(j), sound.begin() + at(j + 1), swapped.begin() + at(i));
        check(log, segment, swapped, was_closed, block + " swapped with " + std::to_string(j));
      }
    }
  }

  /// A file that is shorter than its header says is damage, whatever its length.
  void check_lengths(const ReferenceLog& log, const SegmentLayout& segment) {
    for (uint64_t length = 0; length < segment.bytes; length += test::case_step(kSlowLengths)) {
      ++cases_;
      SimDisk damaged = log.disk;
      cut_file(damaged, segment.path, length);
      ASSERT_EQ(verify(damaged).value().verdict, Verdict::corruption)
          << segment.path << " " << length;
      const OpenResult opened = open_and_read(damaged);
      ASSERT_EQ(opened.code, ErrorCode::corruption) << segment.path << " " << length;
      ASSERT_FALSE(opened.opened);
      ASSERT_TRUE(opened.disk.shows_same_as(damaged));
    }
  }

  size_t cases_ = 0;
};

/// The same log at an earlier time, when this segment was the last one and had one frame.
Bytes older_copy(const SegmentLayout& segment) {
  const ReferenceLog older =
      make_reference_log({.segments = segment.number, .frames_in_last = 1, .closes = false});
  return older.disk.contents(segment.path).value();
}

TEST_F(VerdictBlocks, after_a_close_a_block_with_other_bytes_below_the_end_is_damage) {
  const ReferenceLog log = make_reference_log();
  for (const SegmentLayout& segment : log.segments) {
    for (const uint64_t unit : {512, 4096}) {
      check_blocks(log, segment, older_copy(segment), unit, true);
    }
  }
}

TEST_F(VerdictBlocks, after_a_crash_a_block_below_the_newest_frame_header_left_is_damage) {
  const ReferenceLog log = make_reference_log({.frames_in_last = 8, .closes = false});
  for (const uint64_t unit : {512, 4096}) {
    check_blocks(log, log.last(), older_copy(log.last()), unit, false);
  }
}

TEST_F(VerdictBlocks, file_cut_to_any_length_is_damage_after_a_close) {
  const ReferenceLog log = make_reference_log();
  for (const SegmentLayout& segment : log.segments) check_lengths(log, segment);
}

TEST_F(VerdictBlocks, file_cut_to_any_length_is_damage_after_a_crash_behind_a_seal) {
  const ReferenceLog log = make_reference_log({.closes = false});
  check_lengths(log, log.last());
}

TEST_F(VerdictBlocks, bytes_behind_the_end_of_a_file_are_nothing_or_a_torn_tail) {
  const ReferenceLog log = make_reference_log();
  for (const SegmentLayout& segment : log.segments) {
    for (const char fill : {'\0', 'x'}) {
      Bytes longer = log.disk.contents(segment.path).value();
      longer.resize(longer.size() + 5000, static_cast<std::byte>(fill));
      SimDisk damaged = log.disk;
      damaged.put(segment.path, longer);
      const bool is_torn = fill != 0 && &segment == &log.last();
      EXPECT_EQ(verify(damaged).value().verdict, is_torn ? Verdict::torn_tail : Verdict::ok);
      const OpenResult opened = open_and_read(damaged);
      EXPECT_EQ(opened.records, log.records) << opened.message;
    }
  }
}

TEST_F(VerdictBlocks, payload_that_holds_frames_of_this_log_testifies_to_nothing) {
  const ReferenceLog made = make_reference_log({.frames_in_last = 4, .closes = false});
  SimEnv env(made.disk);
  auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  const Bytes file = env.disk().contents(made.last().path).value();
  const auto begin = file.begin() + static_cast<ptrdiff_t>(made.last().frames[1]);
  const Bytes payload(begin, file.begin() + static_cast<ptrdiff_t>(made.last().end));
  const Lsn lsn = log.append(payload).value();
  const auto segments = log.segments();
  ASSERT_EQ(segments.back().number, made.last().number) << "it went into another segment";
  const uint64_t offset = 4096 + (lsn - segments.back().base_lsn);
  env.crash_now();
  const SimDisk crashed = env.crashed_disk().crash({});
  EXPECT_EQ(verify(crashed).value().verdict, Verdict::ok);
  // Torn in its header: the frames in its payload must not turn it into damage.
  SimDisk damaged = crashed;
  flip_bit(damaged, made.last().path, (offset - format::kFrameHeaderBytes) * 8);
  EXPECT_EQ(verify(damaged).value().verdict, Verdict::torn_tail);
  const OpenResult opened = open_and_read(damaged);
  EXPECT_EQ(opened.records, made.records) << opened.message;
}

// What cannot be decided, see docs/format.md: both leave a state that a crash may leave, too.

TEST_F(VerdictBlocks, undecidable_newest_frame_after_a_crash_may_be_cut_as_torn) {
  const ReferenceLog log = make_reference_log({.closes = false});
  SimDisk damaged = log.disk;
  flip_bit(damaged, log.last().path, (log.last().end - 1) * 8);
  const OpenResult opened = open_and_read(damaged);
  EXPECT_EQ(opened.code, std::nullopt);
  EXPECT_EQ(opened.report.outcome, Outcome::torn_tail);
  EXPECT_EQ(opened.records.size() + 1, log.records.size());
  EXPECT_EQ(opened.report.cut_offset, log.last().frames.back());
}

// The header of the next segment was torn, but the first frame behind it is whole: it was issued
// only when all of the segment before was durable.
TEST_F(VerdictBlocks, frame_of_a_next_segment_that_lost_its_header_testifies_for_the_one_before) {
  const ReferenceLog log =
      make_reference_log({.frames_in_last = 1, .closes = false, .seals = false});
  const SegmentLayout& before = log.segments[log.segments.size() - 2];
  SimDisk damaged = log.disk;
  flip_bit(damaged, log.last().path, 0);
  ASSERT_EQ(open_and_read(damaged).code, std::nullopt);
  flip_bit(damaged, before.path, (before.frames.back() + format::kFrameHeaderBytes) * 8);
  EXPECT_EQ(verify(damaged).value().verdict, Verdict::corruption);
  const OpenResult opened = open_and_read(damaged);
  EXPECT_EQ(opened.code, ErrorCode::corruption) << opened.message;
  EXPECT_TRUE(opened.disk.shows_same_as(damaged));
}

TEST_F(VerdictBlocks, undecidable_first_frame_of_a_segment_before_the_seal_of_the_one_before_it) {
  // The first write of a segment holds its header, too: damage to that looks like its tear.
  const ReferenceLog log =
      make_reference_log({.frames_in_last = 1, .closes = false, .seals = false});
  const size_t before = log.last().first_record;
  for (const bool is_missing : {false, true}) {
    SimDisk damaged = log.disk;
    flip_bit(damaged, log.last().path, 0);
    if (is_missing) damaged.erase(log.last().path);
    const OpenResult opened = open_and_read(damaged);
    EXPECT_EQ(opened.code, std::nullopt) << opened.message;
    EXPECT_EQ(opened.records.size(), before);
    EXPECT_EQ(open_append_and_reopen(damaged).records.size(), before + 1);
  }
  // With the seal, which is issued next, it is decided.
  const ReferenceLog sealed = make_reference_log({.frames_in_last = 1, .closes = false});
  for (const bool is_missing : {false, true}) {
    SimDisk damaged = sealed.disk;
    flip_bit(damaged, sealed.last().path, 0);
    if (is_missing) damaged.erase(sealed.last().path);
    const OpenResult opened = open_and_read(damaged);
    EXPECT_EQ(opened.code, ErrorCode::corruption);
    EXPECT_TRUE(opened.disk.shows_same_as(damaged));
  }
}

}  // namespace
}  // namespace writeahead::testing
