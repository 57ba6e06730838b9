// Whole files: missing, duplicated, swapped, renamed, of another log, older, or of another kind.
// On every verdict of corruption the disk is compared with what it was.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "format/checksum.h"
#include "format/frame.h"
#include "format/root_slot.h"
#include "format/segment_header.h"
#include "format/segment_name.h"
#include "support/damaged_log.h"
#include "writeahead/salvage.h"

namespace writeahead::testing {
namespace {

using Bytes = std::vector<std::byte>;
using Verdict = VerifyReport::Verdict;
using Outcome = RecoveryReport::Outcome;

std::string path_of(uint64_t number) {
  return std::string(kLogPath) + "/" + format::segment_name(number);
}
Bytes bytes_of(const SimDisk& disk, std::string_view path) { return disk.contents(path).value(); }

/// Refused at opening, for writing and for reading, by verify too, and nothing is changed.
void expect_refused(const SimDisk& damaged, const std::string& what) {
  const auto report = verify(damaged);
  ASSERT_TRUE(report) << what << ": " << report.error().message();
  EXPECT_EQ(report->verdict, Verdict::corruption) << what;
  EXPECT_FALSE(report->findings.empty()) << what;
  for (const OpenResult& opened : {open_and_read(damaged), read_only(damaged)}) {
    EXPECT_FALSE(opened.opened) << what;
    EXPECT_EQ(opened.code, ErrorCode::corruption) << what << ": " << opened.message;
    EXPECT_TRUE(opened.disk.shows_same_as(damaged)) << what << ": " << opened.message;
  }
}

/// Opens, and holds everything.
void expect_whole(const ReferenceLog& log, const SimDisk& disk, const std::string& what) {
  const auto report = verify(disk);
  ASSERT_TRUE(report) << what << ": " << report.error().message();
  EXPECT_EQ(report->verdict, Verdict::ok) << what;
  const OpenResult opened = open_and_read(disk);
  EXPECT_EQ(opened.code, std::nullopt) << what << ": " << opened.message;
  EXPECT_EQ(opened.records, log.records) << what;
}

TEST(VerdictFiles, any_set_of_missing_segments_is_damage) {
  for (const bool closes : {true, false}) {
    const ReferenceLog log = make_reference_log({.closes = closes});
    for (uint32_t missing = 1; missing < 16; ++missing) {
      // After a crash without a proof of the root an empty directory says nothing.
      if (!closes && missing == 15) continue;
      SimDisk damaged = log.disk;
      for (size_t i = 0; i < 4; ++i) {
        if ((missing >> i & 1U) != 0) damaged.erase(log.segments[i].path);
      }
      expect_refused(damaged, "missing " + std::to_string(missing));
    }
  }
}

TEST(VerdictFiles, segment_in_the_place_of_another_or_under_a_new_name_is_damage) {
  const ReferenceLog log = make_reference_log();
  for (const SegmentLayout& from : log.segments) {
    const Bytes bytes = bytes_of(log.disk, from.path);
    for (uint64_t to = 1; to <= 6; ++to) {
      if (to == from.number) continue;
      const std::string what = std::to_string(from.number) + " and " + std::to_string(to);
      SimDisk copied = log.disk;
      copied.put(path_of(to), bytes);
      expect_refused(copied, "copied " + what);
      SimDisk renamed = copied;
      renamed.erase(from.path);
      expect_refused(renamed, "renamed " + what);
      if (to > log.segments.size()) continue;
      SimDisk swapped = copied;
      swapped.put(from.path, bytes_of(log.disk, path_of(to)));
      expect_refused(swapped, "swapped " + what);
    }
  }
}

TEST(VerdictFiles, segment_or_root_of_another_log_is_damage) {
  const ReferenceLog log = make_reference_log();
  const ReferenceLog other = make_reference_log({.seed = 2});
  for (const SegmentLayout& segment : log.segments) {
    SimDisk damaged = log.disk;
    damaged.put(segment.path, bytes_of(other.disk, segment.path));
    expect_refused(damaged, "foreign " + segment.path);
  }
  SimDisk damaged = log.disk;
  damaged.put(path_of(5), bytes_of(other.disk, path_of(4)));
  expect_refused(damaged, "foreign segment behind the last");
  damaged = log.disk;
  damaged.put(kRootPath, bytes_of(other.disk, kRootPath));
  expect_refused(damaged, "foreign root");
  for (const uint64_t slot : {0, 1}) {
    damaged = log.disk;
    const Bytes root = bytes_of(other.disk, kRootPath);
    edit(damaged, kRootPath, slot * kBlockBytes,
         std::span(root).subspan(slot * kBlockBytes, kBlockBytes));
    expect_refused(damaged, "foreign slot");
  }
}

TEST(VerdictFiles, older_copy_of_a_segment_is_damage) {
  const ReferenceLog log = make_reference_log();
  for (const SegmentLayout& segment : log.segments) {
    const ReferenceLog older =
        make_reference_log({.segments = segment.number, .frames_in_last = 2, .closes = false});
    SimDisk damaged = log.disk;
    damaged.put(segment.path, bytes_of(older.disk, segment.path));
    ASSERT_FALSE(damaged.shows_same_as(log.disk));
    const auto report = verify(damaged).value();
    EXPECT_EQ(report.verdict, Verdict::corruption) << segment.path;
    ASSERT_FALSE(report.findings.empty());
    EXPECT_EQ(report.findings.back().file, format::segment_name(segment.number));
    // The header and the chain are right: a closed segment is found out by its first read.
    const OpenResult opened = open_and_read(damaged);
    EXPECT_EQ(opened.code, ErrorCode::corruption) << segment.path;
    EXPECT_EQ(opened.records.size(), opened.opened ? segment.first_record : 0U);
  }
}

TEST(VerdictFiles, older_copy_of_the_root_loses_nothing) {
  const ReferenceLog log = make_reference_log();
  const ReferenceLog older = make_reference_log({.segments = 2, .closes = false});
  SimDisk damaged = log.disk;
  damaged.put(kRootPath, bytes_of(older.disk, kRootPath));
  ASSERT_FALSE(damaged.shows_same_as(log.disk));
  expect_whole(log, damaged, "older root");
  // What it takes away is the proof of the end: the log is judged as after a crash.
  EXPECT_EQ(open_and_read(damaged).report.outcome, Outcome::unclean);
}

TEST(VerdictFiles, damaged_or_zeroed_header_is_damage_wherever_the_segment_had_data) {
  for (const bool closes : {true, false}) {
    const ReferenceLog log = make_reference_log({.closes = closes, .seals = closes});
    for (const SegmentLayout& segment : log.segments) {
      for (const char fill : {'\0', 'x'}) {
        SimDisk damaged = log.disk;
        edit(damaged, segment.path, 0, Bytes(kBlockBytes, static_cast<std::byte>(fill)));
        expect_refused(damaged, "header of " + segment.path);
        // In front of nothing but zeros: a file that was never used, in the place of one that was.
        if (!closes && &segment == &log.last()) continue;
        damaged.put(segment.path, Bytes(segment.bytes, static_cast<std::byte>(fill)));
        expect_refused(damaged, "all of " + segment.path);
      }
    }
  }
}

TEST(VerdictFiles, header_that_verifies_and_lies_is_damage) {
  const ReferenceLog log = make_reference_log();
  for (const SegmentLayout& segment : log.segments) {
    const auto change = [&](auto alter) {
      Bytes block = bytes_of(log.disk, segment.path);
      auto header = format::decode_segment_header(block).header;
      alter(header);
      format::encode_segment_header(header, block);
      SimDisk damaged = log.disk;
      damaged.put(segment.path, block);
      return damaged;
    };
    expect_refused(change([](auto& h) { h.base_lsn = h.base_lsn + 8; }), "base_lsn");
    expect_refused(change([](auto& h) { h.prepared_bytes += kBlockBytes; }), "prepared_bytes");
    if (segment.number == 1) continue;
    expect_refused(change([](auto& h) { ++h.link.number; }), "link.number");
    expect_refused(change([](auto& h) { h.link.end_lsn = h.link.end_lsn + 8; }), "link.end_lsn");
    expect_refused(change([](auto& h) { h.epoch = 0; }), "epoch");
    // Ordinal and digest of the segment before are compared when that is read.
    for (const SimDisk& damaged :
         {change([](auto& h) { ++h.base_ordinal; }), change([](auto& h) { ++h.link.digest; })}) {
      EXPECT_EQ(verify(damaged).value().verdict, Verdict::corruption);
      EXPECT_EQ(open_and_read(damaged).code, ErrorCode::corruption);
    }
  }
}

/// The log with another header of its newest frame, whose checksum is right.
template <class Alter>
SimDisk with_newest_frame(const ReferenceLog& log, Alter alter) {
  const SegmentLayout& last = log.last();
  Bytes bytes = bytes_of(log.disk, last.path);
  const auto header = format::decode_segment_header(bytes).header;
  const auto binding = format::SegmentBinding::of(header.log_id, last.number);
  const uint64_t offset = last.frames.back();
  const auto frame = std::span(bytes).subspan(offset);
  const Lsn lsn = header.base_lsn + (offset - format::kSegmentHeaderBytes);
  auto changed = format::decode_frame_header(frame, lsn, binding).value();
  alter(changed);
  format::encode_frame_header(changed, binding, frame);
  SimDisk damaged = log.disk;
  damaged.put(last.path, bytes);
  return damaged;
}

TEST(VerdictFiles, newest_frame_that_claims_to_go_beyond_its_segment_is_torn) {
  const ReferenceLog log = make_reference_log({.closes = false});
  const SegmentLayout& last = log.last();
  const uint64_t room = last.bytes - last.frames.back();
  for (const uint64_t length : {room + 8, uint64_t{1} << 40, ~uint64_t{7}}) {
    const OpenResult opened =
        open_and_read(with_newest_frame(log, [&](auto& frame) { frame.length = length; }));
    EXPECT_EQ(opened.report.outcome, Outcome::torn_tail) << length << opened.message;
    EXPECT_EQ(opened.report.cut_offset, last.frames.back()) << length;
    EXPECT_EQ(opened.report.cause, "no frame header verifies here") << length;
  }
}

TEST(VerdictFiles, newest_frame_with_a_wrong_ordinal_is_damage_and_of_an_old_epoch_is_torn) {
  const ReferenceLog log = make_reference_log({.closes = false});
  const SegmentLayout& last = log.last();
  const uint64_t offset = last.frames.back();
  const auto change = [&](auto alter) { return with_newest_frame(log, alter); };
  for (const uint64_t step : {uint64_t{1}, ~uint64_t{0}}) {
    expect_refused(change([&](auto& frame) { frame.first_ordinal += step; }), "ordinal");
  }
  const SimDisk stale = change([](auto& frame) { --frame.epoch; });
  const OpenResult opened = open_and_read(stale);
  EXPECT_EQ(opened.report.outcome, Outcome::torn_tail) << opened.message;
  EXPECT_EQ(opened.report.cut_offset, offset);
  EXPECT_EQ(opened.records.size() + 1, log.records.size());
  // Nor does it testify for the frame before it.
  const uint64_t before = last.frames[last.frames.size() - 2];
  SimDisk broken = stale;
  flip_bit(broken, last.path, 8 * (before + format::kFrameHeaderBytes));
  EXPECT_EQ(open_and_read(broken).report.cut_offset, before);
}

TEST(VerdictFiles, epoch_that_leaves_no_room_for_openings_is_damage_and_nothing_wraps) {
  for (const bool closes : {true, false}) {
    const ReferenceLog log = make_reference_log({.closes = closes});
    const auto with_epoch = [&](uint64_t epoch) {
      Bytes root = bytes_of(log.disk, kRootPath);
      for (size_t i = 0; i < 2; ++i) {
        const auto slot = std::span(root).subspan(i * kBlockBytes, kBlockBytes);
        auto decoded = format::decode_root_slot(slot);
        decoded.root.epoch = epoch;
        format::encode_root_slot(decoded.root, decoded.sequence, slot);
      }
      SimDisk disk = log.disk;
      disk.put(kRootPath, root);
      return disk;
    };
    for (const uint64_t epoch : {format::kMaxCounterAtOpening, format::kMaxCounter,
                                 format::kMaxCounter + 1, ~uint64_t{0}}) {
      const OpenResult opened = open_and_read(with_epoch(epoch));
      EXPECT_FALSE(opened.opened) << epoch;
      EXPECT_EQ(opened.code, ErrorCode::corruption) << opened.message;
      // A new log that nobody could open would be worth nothing; the old one can still be removed.
      SimEnv env(with_epoch(epoch));
      const auto rescued = salvage(kLogPath, "/rescued", {.env = &env});
      if (epoch > format::kMaxCounter) {  // Such a root is none, and the segments are sound.
        ASSERT_TRUE(rescued) << rescued.error().message();
        EXPECT_TRUE(Log::open("/rescued", {.env = &env})) << epoch;
      } else {
        ASSERT_FALSE(rescued);
        EXPECT_EQ(rescued.error().code(), ErrorCode::corruption) << rescued.error().message();
      }
      EXPECT_TRUE(Log::destroy(kLogPath, {.env = &env})) << epoch;
    }
    const OpenResult opened = open_and_read(with_epoch(format::kMaxCounterAtOpening - 1));
    EXPECT_EQ(opened.report.epoch, format::kMaxCounterAtOpening) << opened.message;
  }
}

TEST(VerdictFiles, root_that_is_missing_or_cut_below_a_slot_is_damage) {
  for (const bool closes : {true, false}) {
    const ReferenceLog log = make_reference_log({.closes = closes});
    SimDisk damaged = log.disk;
    damaged.erase(kRootPath);
    expect_refused(damaged, "missing root");
    for (const uint64_t length : {0, 1, 4095, 4096, 4097, 8191}) {
      damaged = log.disk;
      cut_file(damaged, kRootPath, length);
      const std::string what = "root of " + std::to_string(length) + " bytes";
      if (length < kBlockBytes) {
        expect_refused(damaged, what);
        continue;
      }
      expect_whole(log, damaged, what);
      EXPECT_EQ(open_and_read(damaged).report.epoch, log.epoch + 2);
    }
    damaged.put(kRootPath, Bytes(2 * kBlockBytes));
    expect_refused(damaged, "zeroed root");
  }
}

TEST(VerdictFiles, root_with_one_bad_slot_costs_an_epoch) {
  const ReferenceLog log = make_reference_log();
  for (const uint64_t slot : {0, 1}) {
    SimDisk damaged = log.disk;
    flip_bit(damaged, kRootPath, (slot * kBlockBytes + 100) * 8);
    EXPECT_EQ(open_and_read(damaged).report.epoch, log.epoch + 2) << slot;
  }
}

TEST(VerdictFiles, newer_version_of_a_root_slot_or_a_header_is_unsupported_and_untouched) {
  const ReferenceLog log = make_reference_log();
  std::vector<std::string> paths = {std::string(kRootPath)};
  for (const SegmentLayout& segment : log.segments) paths.push_back(segment.path);
  for (const std::string& path : paths) {
    for (const auto field : {format::segment_field::version.offset,
                             path == kRootPath ? format::root_field::required_features.offset
                                               : format::segment_field::required_features.offset}) {
      Bytes bytes = bytes_of(log.disk, path);
      bytes[field] ^= std::byte{2};
      const auto covered = std::span(bytes).first(format::root_field::checksum.offset);
      format::root_field::checksum.store(bytes, format::checksum(covered, 0));
      SimDisk newer = log.disk;
      newer.put(path, bytes);
      EXPECT_EQ(verify(newer).error().code(), ErrorCode::unsupported_format) << path;
      for (const OpenResult& opened : {open_and_read(newer), read_only(newer)}) {
        EXPECT_EQ(opened.code, ErrorCode::unsupported_format) << path;
        EXPECT_TRUE(opened.disk.shows_same_as(newer));
      }
    }
  }
}

/// All that is left of the last segment's header block is zeros, as if its first write had torn;
/// but its first frame was only issued when all segments before it were durable.
TEST(VerdictFiles, missing_segments_before_a_first_write_that_tore_are_damage) {
  const ReferenceLog log =
      make_reference_log({.frames_in_last = 1, .closes = false, .seals = false});
  for (uint32_t missing = 0; missing < 8; ++missing) {
    SimDisk damaged = log.disk;
    for (size_t i = 0; i < 3; ++i) {
      if ((missing >> i & 1U) != 0) damaged.erase(log.segments[i].path);
    }
    edit(damaged, log.last().path, 0, Bytes(kBlockBytes));
    const std::string what = "missing " + std::to_string(missing);
    if (missing != 0) {
      expect_refused(damaged, what);
    } else {
      EXPECT_EQ(open_and_read(damaged).records.size(), log.records.size() - 1);
    }
  }
}

TEST(VerdictFiles, files_with_other_names_are_not_touched_and_standbys_are_no_data) {
  const ReferenceLog log = make_reference_log();
  SimDisk disk = log.disk;
  const std::vector<std::string> others = {
      "notes.txt",  "1.wal", "00000000000000000000.wal", "00000000000000000002.wal.bak",
      "log.root.1", ".wal",  "99999999999999999999.wal", "index.wal"};
  const Bytes foreign = bytes_of(log.disk, path_of(2));
  for (const std::string& name : others) disk.put(std::string(kLogPath) + "/" + name, foreign);
  expect_whole(log, disk, "other names");
  for (const std::string& name : others) {
    EXPECT_EQ(bytes_of(open_and_read(disk).disk, std::string(kLogPath) + "/" + name), foreign);
  }
  // Prepared files behind the last segment, whole, empty or unfinished, with a gap between them.
  disk.put(path_of(5), Bytes(12288));
  disk.put(path_of(7), {});
  disk.put(path_of(8), Bytes(5000));
  disk.put(path_of(9), Bytes(5000, std::byte{'t'}));
  expect_whole(log, disk, "standbys");
  EXPECT_TRUE(read_only(disk).disk.shows_same_as(disk));
  EXPECT_EQ(open_append_and_reopen(disk).records.size(), log.records.size() + 1);
}

}  // namespace
}  // namespace writeahead::testing
