// Reading sealed segments where they are mapped: which are, that locks keep what views show, that
// errors of reading in are errors, and that a refused mapping is replaced by reads. And the map of
// records, which answers point reads, against what a search finds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/segment_header.h"
#include "format/segment_name.h"
#include "segment/file_store.h"
#include "segment/segment_table.h"
#include "support/damaged_log.h"
#include "support/error_of.h"
#include "support/hooked_env.h"
#include "writeahead/read_only_log.h"

namespace writeahead::testing {
namespace {

/// A reference log of sealed segments, opened.
struct OpenedLog {
  explicit OpenedLog(bool maps = true, const ReferenceOptions& made_with = {})
      : made(make_reference_log(made_with)), env(made.disk, {.trace_calls = 0}) {
    auto options = reference_options(env);
    options.map_segments = maps;
    log.emplace(Log::open(std::string(kLogPath), options).value());
  }
  [[nodiscard]] const StoredRecord& first_of(size_t segment) const {
    return made.records[made.segments[segment].first_record];
  }
  [[nodiscard]] std::unique_ptr<File> file_of(size_t segment) {
    auto directory = env.open_directory(std::string(kLogPath), false, 0).value();
    return directory->open(format::segment_name(made.segments[segment].number), {.write = true})
        .value();
  }
  [[nodiscard]] bool is_locked(size_t segment) {
    return !file_of(segment)->lock(LockKind::exclusive);
  }

  ReferenceLog made;
  SimEnv env;
  std::optional<Log> log;
};

void expect_same(const Result<RecordView>& read, const StoredRecord& stored) {
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->lsn, stored.lsn);
  EXPECT_EQ(read->ordinal, stored.ordinal);
  EXPECT_EQ(read->type, stored.type);
  EXPECT_EQ(std::vector(read->payload.begin(), read->payload.end()), stored.payload);
}

TEST(MappedRead, segment_is_locked_as_long_as_it_is_open_or_mapped) {
  OpenedLog opened;
  EXPECT_FALSE(opened.is_locked(0)) << "nobody has read it";
  expect_same(opened.log->read(opened.first_of(0).lsn), opened.first_of(0));
  EXPECT_TRUE(opened.is_locked(0));
  const size_t active = opened.made.segments.size() - 1;
  EXPECT_TRUE(opened.is_locked(active)) << "the writer has it open";
  ASSERT_TRUE(opened.log->close());
  opened.log.reset();
  EXPECT_FALSE(opened.is_locked(0));
  EXPECT_FALSE(opened.is_locked(active));
}

TEST(MappedRead, view_keeps_the_lock_when_the_log_is_gone) {
  OpenedLog opened;
  std::optional<RecordView> view = opened.log->read(opened.first_of(0).lsn).value();
  auto reader = opened.log->reader(opened.first_of(1).lsn);
  std::optional<RecordView> second = reader.next().value().value();
  ASSERT_TRUE(opened.log->close());
  opened.log.reset();
  {
    Reader gone = std::move(reader);
  }
  EXPECT_TRUE(opened.is_locked(0));
  EXPECT_TRUE(opened.is_locked(1));
  expect_same(*view, opened.first_of(0));
  view.reset();
  second.reset();
  EXPECT_FALSE(opened.is_locked(0)) << "whoever recycles it may have it now";
  EXPECT_FALSE(opened.is_locked(1));
}

TEST(MappedRead, segment_without_a_seal_is_never_mapped) {
  OpenedLog opened(true, {.closes = false, .seals = false});
  const uint64_t before = opened.env.calls(CallKind::map);
  for (const StoredRecord& record : opened.made.records) {
    expect_same(opened.log->read(record.lsn), record);
  }
  EXPECT_EQ(opened.env.calls(CallKind::map), before);
}

TEST(MappedRead, option_off_reads_and_never_maps) {
  OpenedLog opened(false);
  const uint64_t before = opened.env.calls(CallKind::map);
  for (const StoredRecord& record : opened.made.records) {
    expect_same(opened.log->read(record.lsn), record);
  }
  EXPECT_EQ(opened.env.calls(CallKind::map), before);
}

TEST(MappedRead, segment_that_somebody_has_exclusively_is_not_read) {
  OpenedLog opened;
  const auto held = opened.file_of(0);
  ASSERT_TRUE(held->lock(LockKind::exclusive));
  const auto refused = opened.log->read(opened.first_of(0).lsn);
  ASSERT_FALSE(refused) << "its bytes may be changed";
  EXPECT_EQ(refused.error().code(), ErrorCode::io);
  EXPECT_EQ(refused.error().system_error(), EWOULDBLOCK);
  held->unlock();
  expect_same(opened.log->read(opened.first_of(0).lsn), opened.first_of(0));
}

TEST(MappedRead, refused_mapping_is_replaced_by_reads) {
  OpenedLog opened;
  opened.env.fail_call(opened.env.calls(CallKind::map) + 1, ENOMEM, FaultSpan::for_ever,
                       CallKind::map);
  for (const StoredRecord& record : opened.made.records) {
    expect_same(opened.log->read(record.lsn), record);
  }
}

TEST(MappedRead, refused_lock_is_io) {
  OpenedLog opened;
  opened.env.fail_call(opened.env.calls(CallKind::lock) + 1, ENOLCK, FaultSpan::for_ever,
                       CallKind::lock);
  const auto refused = opened.log->read(opened.first_of(0).lsn);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().system_error(), ENOLCK);
  opened.env.clear_faults();
  expect_same(opened.log->read(opened.first_of(0).lsn), opened.first_of(0));
}

TEST(MappedRead, error_of_reading_in_is_io_and_the_next_read_succeeds) {
  OpenedLog opened;
  const uint64_t mapped = opened.env.calls(CallKind::map);
  // The first call maps, the second reads in.
  opened.env.fail_call(mapped + 2, EIO, FaultSpan::once, CallKind::map);
  const auto failed = opened.log->read(opened.first_of(0).lsn);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::io);
  EXPECT_EQ(failed.error().system_error(), EIO);
  expect_same(opened.log->read(opened.first_of(0).lsn), opened.first_of(0));
}

TEST(MappedRead, file_that_another_segment_took_over_is_not_mapped) {
  const ReferenceLog made = make_reference_log();
  SimDisk disk = made.disk;
  SimEnv env(disk, {.trace_calls = 0});
  auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  auto directory = env.open_directory(std::string(kLogPath), false, 0).value();
  auto file = directory->open(format::segment_name(1), {.write = true}).value();
  const auto other = made.disk.contents(made.segments[1].path).value();
  ASSERT_TRUE(file->write_at(0, std::span(other).first(kBlockBytes), WriteBarrier::dsync));
  // A copy still verifies, record by record; nothing is shown in place.
  const uint64_t mapped = env.calls(CallKind::map);
  expect_same(log.read(made.records[0].lsn), made.records[0]);
  EXPECT_EQ(env.calls(CallKind::map), mapped);
}

TEST(MappedRead, file_that_was_recycled_before_it_was_locked_is_not_opened) {
  const ReferenceLog made = make_reference_log();
  SimEnv env(made.disk, {.trace_calls = 0});
  auto directory = env.open_directory(std::string(kLogPath), false, 0).value();
  const std::string name = format::segment_name(1);
  const auto hooked = make_hooked_env(env, [&](CallKind kind, std::string_view file) {
    if (kind != CallKind::lock || file != name) return;
    ASSERT_TRUE(directory->rename_no_replace(name, format::segment_name(9)));
  });
  const auto store = format::FileStore::open_read_only(*hooked, std::string(kLogPath)).value();
  EXPECT_FALSE(store->open(1));
  EXPECT_TRUE(store->open(2));
}

/// Batches of several sizes over several segments, all sealed but the last.
struct BatchLog {
  BatchLog() : env(SimDisk{}, {.trace_calls = 0}) {
    auto options = reference_options(env);
    options.segment_bytes = 16 * kBlockBytes;
    log.emplace(Log::open(std::string(kLogPath), options).value());
    for (size_t i = 0; log->stats().segments_opened < 4; ++i) {
      Batch batch;
      for (size_t k = 0; k <= i * 7 % 90; ++k) {
        batch.add(std::string((i + k) * 13 % 150, static_cast<char>('a' + k % 26)));
      }
      const Appended range = log->append(batch).value();
      for (size_t k = 0; k < batch.size(); ++k) lsns.push_back(batch.lsn(k, range));
    }
    while (log->step_background()) {
    }
  }
  /// Opens it anew, so that nobody knows what its segments hold.
  void reopen() {
    log.reset();
    log.emplace(Log::open(std::string(kLogPath), reference_options(env)).value());
  }
  /// In the header of a record of the first segment.
  void damage(Lsn lsn) {
    auto directory = env.open_directory(std::string(kLogPath), false, 0).value();
    auto file = directory->open(format::segment_name(1), {.write = true}).value();
    const std::byte wrong{0xee};
    ASSERT_TRUE(
        file->write_at(kBlockBytes + lsn.value() + 8, std::span(&wrong, 1), WriteBarrier::dsync));
  }
  SimEnv env;
  std::optional<Log> log;
  std::vector<Lsn> lsns;
};

TEST(MappedRead, map_of_records_answers_every_address_as_a_search_does) {
  BatchLog made;
  // By search first: a reader has no map.
  std::vector<RecordView> expected;
  for (auto& record : made.log->reader(Lsn(0))) expected.push_back(record.value());
  ASSERT_EQ(expected.size(), made.lsns.size());
  // Small segments earn their maps after a few reads.
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < expected.size(); ++i) {
      const auto read = made.log->read(made.lsns[i]);
      ASSERT_TRUE(read) << i << read.error().message();
      EXPECT_EQ(read->ordinal, i);
      EXPECT_EQ(read->time_ns, expected[i].time_ns) << i;
      EXPECT_TRUE(std::ranges::equal(read->payload, expected[i].payload)) << i;
      EXPECT_TRUE(read->pin) << i;
    }
  }
  const Lsn end = made.log->segments()[1].end_lsn;
  size_t next = 0;
  for (Lsn lsn(0); lsn < end; lsn = lsn + 1) {
    const bool is_record = next < made.lsns.size() && made.lsns[next] == lsn;
    const auto read = made.log->read(lsn);
    EXPECT_EQ(read.has_value(), is_record) << lsn.value();
    if (!read) {
      EXPECT_EQ(read.error().code(), ErrorCode::not_found) << lsn.value();
    }
    next += is_record ? 1 : 0;
  }
}

TEST(MappedRead, damage_after_the_first_use_of_a_segment_is_found_by_the_next_reader) {
  BatchLog made;
  made.reopen();
  for (auto& record : made.log->reader(Lsn(0))) ASSERT_TRUE(record);
  made.damage(made.lsns[5]);
  Reader reader = made.log->reader(Lsn(0));
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(reader.next().value().value().lsn, made.lsns[i]);
  }
  const auto record = reader.next();
  ASSERT_TRUE(record && !*record);
  EXPECT_EQ(record->error().code(), ErrorCode::corruption) << record->error().message();
  EXPECT_FALSE(reader.next());
}

TEST(MappedRead, views_of_a_first_reader_outlive_it_and_the_log) {
  BatchLog made;
  std::vector<RecordView> expected;
  for (auto& record : made.log->reader(Lsn(0))) expected.push_back(record.value());
  ASSERT_EQ(expected.size(), made.lsns.size());
  made.reopen();
  std::vector<RecordView> views;
  for (auto& record : made.log->reader(Lsn(0))) views.push_back(record.value());
  made.log.reset();
  ASSERT_EQ(views.size(), expected.size());
  for (size_t i = 0; i < views.size(); ++i) {
    EXPECT_EQ(views[i].lsn, expected[i].lsn);
    EXPECT_EQ(views[i].ordinal, i);
    EXPECT_EQ(views[i].time_ns, expected[i].time_ns);
    EXPECT_TRUE(std::ranges::equal(views[i].payload, expected[i].payload)) << i;
    EXPECT_TRUE(views[i].pin) << i;
  }
}

TEST(MappedRead, damage_under_a_map_of_records_is_corruption) {
  BatchLog made;
  for (int round = 0; round < 2; ++round) {
    for (const Lsn lsn : made.lsns) ASSERT_TRUE(made.log->read(lsn));
  }
  made.damage(made.lsns[5]);
  const auto read = made.log->read(made.lsns[5]);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::corruption) << read.error().message();
  EXPECT_TRUE(made.log->read(made.lsns[4]));
}

TEST(FindTime, first_record_that_is_not_older_is_found) {
  BatchLog made;
  EXPECT_EQ(made.log->find_time(0).value(), made.lsns[0]);
  std::vector<RecordView> records;
  for (auto& record : made.log->reader(Lsn(0))) records.push_back(record.value());
  for (size_t i = 0; i < records.size(); ++i) {
    if (i > 0 && records[i].time_ns == records[i - 1].time_ns) continue;
    EXPECT_EQ(made.log->find_time(records[i].time_ns).value(), records[i].lsn) << i;
    if (i > 0) {
      EXPECT_EQ(made.log->find_time(records[i - 1].time_ns + 1).value(), records[i].lsn) << i;
    }
  }
  const auto later = made.log->find_time(records.back().time_ns + 1);
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code(), ErrorCode::not_found);
  const auto read_only = ReadOnlyLog::open(std::string(kLogPath), {.env = &made.env}).value();
  EXPECT_EQ(read_only.find_time(records[7].time_ns).value(),
            made.log->find_time(records[7].time_ns).value());
}

TEST(FindTime, empty_log_has_no_time) {
  SimEnv env(SimDisk{});
  const auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  EXPECT_EQ(log.find_time(0).error().code(), ErrorCode::not_found);
}

TEST(SegmentTable, segment_that_becomes_due_late_is_still_asked_for) {
  format::SegmentTable table{format::LogStart{}};
  const auto header_of = [](uint64_t number) {
    format::SegmentHeader header;
    header.number = number;
    header.base_lsn = Lsn(number * 1000);
    return header;
  };
  const auto add = [&](uint64_t number) {
    table.add(format::SegmentTable::prepare(header_of(number), nullptr));
  };
  const auto verify = [&](uint64_t number, bool is_sealed) {
    table.set_verified(number, format::SegmentContents::empty(header_of(number)), is_sealed);
  };
  const auto next = [&] {
    const auto due = table.next_unsealed();
    return due ? due->header.number : 0;
  };
  for (uint64_t number = 1; number <= 5; ++number) add(number);
  EXPECT_EQ(next(), 0U);
  verify(3, false);
  EXPECT_EQ(next(), 3U);
  verify(2, false);
  EXPECT_EQ(next(), 2U) << "the oldest first";
  table.set_sealed(2);
  EXPECT_EQ(next(), 3U);
  table.set_sealed(3);
  EXPECT_EQ(next(), 0U);
  verify(1, true);
  EXPECT_EQ(next(), 0U);
  verify(4, false);
  EXPECT_EQ(next(), 0U) << "its successor has no frame yet";
  add(6);
  EXPECT_EQ(next(), 4U);
}

/// Every record and some addresses that none has, in no order, read twice: before there are maps of
/// records, and with them.
template <class AnyLog>
void expect_many_as_one_by_one(const AnyLog& log, const std::vector<StoredRecord>& records) {
  std::vector<Lsn> lsns;
  for (const StoredRecord& record : records) {
    lsns.push_back(record.lsn);
    if (record.ordinal % 7 == 0) lsns.push_back(record.lsn + 8);
  }
  lsns.push_back(Lsn(uint64_t{1} << 60));
  std::shuffle(lsns.begin(), lsns.end(), std::mt19937_64(7));
  for (int round = 0; round < 2; ++round) {
    const auto many = log.read_many(lsns);
    ASSERT_EQ(many.size(), lsns.size());
    for (size_t i = 0; i < lsns.size(); ++i) {
      const auto one = log.read(lsns[i]);
      ASSERT_EQ(many[i].has_value(), one.has_value()) << lsns[i].value();
      if (!one) {
        EXPECT_EQ(many[i].error().code(), one.error().code());
        continue;
      }
      EXPECT_EQ(many[i]->lsn, lsns[i]);
      EXPECT_EQ(many[i]->ordinal, one->ordinal);
      EXPECT_TRUE(std::ranges::equal(many[i]->payload, one->payload));
    }
  }
  EXPECT_TRUE(log.read_many({}).empty());
}

TEST(MappedRead, many_are_answered_as_one_by_one) {
  OpenedLog opened;
  expect_many_as_one_by_one(*opened.log, opened.made.records);
  ASSERT_TRUE(opened.log->close());
  const std::vector<Lsn> lsns = {opened.first_of(0).lsn, opened.first_of(1).lsn};
  const auto refused = opened.log->read_many(lsns);
  ASSERT_EQ(refused.size(), 2U);
  for (const auto& read : refused) EXPECT_EQ(code_of(read), ErrorCode::closed);
  const auto follower = ReadOnlyLog::open(std::string(kLogPath), {.env = &opened.env});
  ASSERT_TRUE(follower);
  expect_many_as_one_by_one(*follower, opened.made.records);
}

/// The first one lies in a segment that nobody has read, and is read from its file: meanwhile the
/// log is cut at the other one.
TEST(MappedRead, many_reads_beside_a_truncation_show_one_course_of_the_log) {
  const ReferenceLog made = make_reference_log();
  SimEnv machine(made.disk, {.trace_calls = 0});
  std::function<void()> before_read;
  const auto env = make_hooked_env(machine, [&](CallKind kind, std::string_view) {
    if (kind == CallKind::read && before_read) std::exchange(before_read, nullptr)();
  });
  auto log = Log::open(std::string(kLogPath), reference_options(*env)).value();
  ASSERT_GT(made.segments.size(), 3U);
  const Lsn sealed = made.records[made.segments[1].first_record].lsn;
  const Lsn unread = made.records[made.segments[2].first_record].lsn;
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(log.read(sealed));
  bool is_cut = false;
  before_read = [&] {
    is_cut = true;
    EXPECT_TRUE(log.truncate_from(sealed));
  };
  const std::vector<Lsn> lsns = {unread, sealed};
  const auto many = log.read_many(lsns);
  ASSERT_TRUE(is_cut);
  EXPECT_FALSE(many[1]) << "it was taken back before";
}

}  // namespace
}  // namespace writeahead::testing
