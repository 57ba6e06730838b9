// What reads say of damage that comes while the log is open, and of addresses that are none.
// The damage is written into the files below the open log, past its back.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "format/frame.h"
#include "format/segment_header.h"
#include "format/segment_name.h"
#include "support/damaged_log.h"

namespace writeahead::testing {
namespace {

constexpr uint64_t kFrame = format::kFrameHeaderBytes;
constexpr uint64_t kHeader = format::kSegmentHeaderBytes;

/// Writes into a file of a machine that runs.
void write_below(SimEnv& env, uint64_t segment, uint64_t offset, std::span<const std::byte> bytes) {
  auto directory = env.open_directory(std::string(kLogPath), false, 0).value();
  auto file = directory->open(format::segment_name(segment), {.write = true}).value();
  ASSERT_EQ(file->write_at(offset, bytes, WriteBarrier::dsync).value(), bytes.size());
}

/// Records of 16 bytes: one flipped bit of a length makes a record as long as two.
struct OpenLog {
  explicit OpenLog(uint64_t segment_bytes = 4 * kBlockBytes) : env(SimDisk{}) {
    auto options = reference_options(env);
    options.segment_bytes = segment_bytes;
    log.emplace(Log::open(std::string(kLogPath), options).value());
  }
  Appended append(size_t count) {
    Batch batch;
    for (size_t i = 0; i < count; ++i) batch.add(std::string(16, static_cast<char>('a' + i)));
    return log->append(batch).value();
  }
  SimEnv env;
  std::optional<Log> log;
};

TEST(VerdictRead, address_that_no_record_has_is_not_found) {
  OpenLog open;
  const Appended first = open.append(3);
  const Appended second = open.append(2);
  for (uint64_t lsn = 0; lsn < second.end_lsn.value() + 200; ++lsn) {
    const bool is_record = (lsn >= kFrame && lsn < kFrame + 96 && (lsn - kFrame) % 32 == 0) ||
                           (lsn >= second.first_lsn.value() && lsn < second.end_lsn.value() &&
                            (lsn - second.first_lsn.value()) % 32 == 0);
    const auto record = open.log->read(Lsn(lsn));
    EXPECT_EQ(record.has_value(), is_record) << lsn;
    if (!record) {
      EXPECT_EQ(record.error().code(), ErrorCode::not_found) << lsn;
    }
  }
  EXPECT_EQ(first.first_lsn, Lsn(kFrame));
  EXPECT_EQ(open.log->read(Lsn(UINT64_MAX)).error().code(), ErrorCode::not_found);
}

TEST(VerdictRead, ordinal_that_no_record_has_is_not_found) {
  OpenLog open;
  EXPECT_EQ(open.log->find_ordinal(0).error().code(), ErrorCode::not_found);
  EXPECT_EQ(open.log->find_ordinal(UINT64_MAX).error().code(), ErrorCode::not_found);
  open.append(3);
  EXPECT_TRUE(open.log->find_ordinal(2));
  EXPECT_EQ(open.log->find_ordinal(3).error().code(), ErrorCode::not_found);
  EXPECT_EQ(open.log->find_ordinal(UINT64_MAX - 1).error().code(), ErrorCode::not_found);
  EXPECT_EQ(open.log->find_ordinal(UINT64_MAX).error().code(), ErrorCode::not_found);
}

TEST(VerdictRead, damage_to_an_open_segment_is_corruption_at_each_way_of_reading) {
  OpenLog open;
  const Appended range = open.append(4);
  // Behind a block, so that the damaged one is not the one that the writer keeps in memory.
  ASSERT_TRUE(open.log->append(std::string(kBlockBytes, 'z')));
  // The first record's length becomes that of two: the next address on the way is passed over.
  const std::byte length{48};
  write_below(open.env, 1, kHeader + kFrame, std::span(&length, 1));
  const auto code_of = [](const auto& result) {
    return result ? std::nullopt : std::optional(result.error().code());
  };
  for (uint64_t i = 0; i < 2; ++i) {
    const auto record = open.log->read(range.first_lsn + 32 * i);
    EXPECT_EQ(code_of(record), ErrorCode::corruption) << i;
    if (!record) {
      EXPECT_NE(record.error().message().find("00000000000000000001.wal, offset 4096, lsn 0"),
                std::string_view::npos)
          << record.error().message();
    }
  }
  auto reader = open.log->reader(Lsn(0));
  const auto record = reader.next();
  ASSERT_TRUE(record);
  EXPECT_EQ(code_of(*record), ErrorCode::corruption);
  EXPECT_FALSE(reader.next()) << "an error is the end";
  // What lies in sound frames is still there.
  EXPECT_EQ(open.log->last().value().payload.size(), kBlockBytes);
}

TEST(VerdictRead, damage_to_a_closed_segment_is_found_by_its_first_read) {
  const ReferenceLog made = make_reference_log();
  SimEnv env(made.disk);
  auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  const SegmentLayout& segment = made.segments[1];
  const std::byte damage{0xee};
  write_below(env, segment.number, segment.end - 1, std::span(&damage, 1));
  const StoredRecord& record = made.records[segment.first_record];
  const auto read = log.read(record.lsn);
  ASSERT_FALSE(read) << "the segment was never checked";
  EXPECT_EQ(read.error().code(), ErrorCode::corruption);
  EXPECT_TRUE(log.read(made.records[0].lsn));
  EXPECT_TRUE(log.read(made.records.back().lsn));
  EXPECT_TRUE(log.append("reading does not stop appends"));
}

TEST(VerdictRead, reader_that_follows_a_writer_through_rotations_misses_nothing) {
  SimEnv env(SimDisk{}, {.trace_calls = 0});
  auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  constexpr uint64_t kRecords = 4000;
  std::atomic<bool> is_failed = false;
  std::jthread writer([&] {
    const std::string payload(1500, 'w');  // two frames a segment
    for (uint64_t i = 0; i < kRecords && !is_failed; ++i) {
      if (!log.append(payload)) is_failed = true;
    }
  });
  auto reader = log.reader(Lsn(0));
  for (uint64_t expected = 0; expected < kRecords && !is_failed;) {
    auto record = reader.next();
    if (!record) continue;
    if (!*record || (*record)->ordinal != expected) {
      is_failed = true;
      ADD_FAILURE() << "instead of ordinal " << expected << ": "
                    << (*record ? std::to_string((*record)->ordinal)
                                : std::string(record->error().message()));
    }
    ++expected;
  }
  EXPECT_FALSE(is_failed);
}

}  // namespace
}  // namespace writeahead::testing
