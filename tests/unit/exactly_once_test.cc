// Goal: an append with a producer's number is in the log once, whoever repeats it, when and how:
// over rotations, openings, trims and truncations, as a batch, without waiting, from many threads.
// Method: the answers of repeats against the first ones, and what the log holds at the end.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/segment_header.h"
#include "segment/segment_size.h"
#include "support/error_of.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

namespace format = ::writeahead::internal;

const std::string kPath = "/log";

AppendOptions numbered(uint64_t producer, uint64_t number,
                       Durability durability = Durability::durable) {
  return {.durability = durability,
          .producer_number = ProducerNumber{.producer = producer, .number = number}};
}

BatchOptions numbered_batch(uint64_t producer, uint64_t number,
                            Durability durability = Durability::durable) {
  return {.durability = durability,
          .producer_number = ProducerNumber{.producer = producer, .number = number}};
}

Batch batch_of(const std::vector<std::string>& payloads) {
  Batch batch;
  for (const std::string& payload : payloads) batch.add(payload, {.type = 3});
  return batch;
}

std::string text_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}

std::vector<std::string> texts_of(const Log& log) {
  std::vector<std::string> texts;
  for (const auto& record : log.reader(log.first_lsn())) texts.push_back(text_of(record.value()));
  return texts;
}

void step(Log& log) {
  while (log.step_background()) {
  }
}

class ExactlyOnce : public ::testing::Test {
 protected:
  Options options(uint64_t segment_bytes = 8192) {
    return {.segment_bytes = segment_bytes,
            .standby_segments = 0,
            .env = env_.get(),
            .background = BackgroundWork::stepped};
  }
  Log open(uint64_t segment_bytes = 8192) {
    return Log::open(kPath, options(segment_bytes)).value();
  }
  /// After a power cut that takes away whatever may go.
  Log crash_and_open(Log& log, uint64_t segment_bytes = 8192) {
    env_->crash_now();
    auto next = std::make_unique<SimEnv>(env_->crashed_disk().crash({}));
    {
      const Log gone = std::move(log);
    }
    env_ = std::move(next);
    return open(segment_bytes);
  }
  Log close_and_open(Log& log, uint64_t segment_bytes = 8192) {
    EXPECT_TRUE(log.close());
    return open(segment_bytes);
  }
  /// Required features of each segment in the order of their numbers.
  std::vector<uint64_t> features() {
    std::vector<uint64_t> all;
    for (const std::string& file : env_->disk().files()) {
      if (!file.ends_with(".wal")) continue;
      const auto bytes = env_->disk().contents(file).value();
      all.push_back(format::segment_field::required_features.load(bytes));
    }
    return all;
  }

  std::unique_ptr<SimEnv> env_ = std::make_unique<SimEnv>(SimDisk{});
};

TEST_F(ExactlyOnce, repeat_writes_nothing_and_answers_the_first_lsn) {
  Log log = open();
  const Lsn first = log.append("a", numbered(7, 1)).value();
  const Lsn other = log.append("b", numbered(8, 1)).value();
  const Lsn end = log.end_lsn();
  EXPECT_EQ(log.append("a", numbered(7, 1)).value(), first);
  EXPECT_EQ(log.append("b", numbered(8, 1)).value(), other);
  EXPECT_EQ(log.end_lsn(), end);
  EXPECT_EQ(texts_of(log), (std::vector<std::string>{"a", "b"}));
}

TEST_F(ExactlyOnce, lower_number_is_repeated_and_a_higher_one_is_appended) {
  Log log = open();
  ASSERT_TRUE(log.append("a", numbered(7, 5)));
  const auto lower = log.append("b", numbered(7, 4));
  EXPECT_EQ(code_of(lower), ErrorCode::repeated);
  EXPECT_NE(lower.error().message().find("producer 7 is at number 5"), std::string::npos)
      << lower.error().message();
  ASSERT_TRUE(log.append("c", numbered(7, 900)));
  EXPECT_EQ(code_of(log.append("a", numbered(7, 5))), ErrorCode::repeated);
  EXPECT_EQ(texts_of(log), (std::vector<std::string>{"a", "c"}));
}

TEST_F(ExactlyOnce, number_of_a_record_is_read_back_by_every_way) {
  Log log = open();
  const Lsn plain = log.append("plain").value();
  const Lsn lsn = log.append("a", numbered(7, 1)).value();
  const auto expect_numbered = [&](const Result<RecordView>& record) {
    ASSERT_TRUE(record) << record.error().message();
    EXPECT_EQ(text_of(*record), "a");
    EXPECT_EQ(record->producer_number, (ProducerNumber{.producer = 7, .number = 1}));
  };
  expect_numbered(log.read(lsn));
  expect_numbered(log.read(lsn, {.record_alone = true}));
  expect_numbered(log.last());
  // Often enough that the places of records are looked for.
  for (int i = 0; i < 50; ++i) expect_numbered(log.read(lsn));
  EXPECT_EQ(log.read(plain)->producer_number, std::nullopt);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(log.append(std::string(500, 'x')));
  step(log);
  for (int i = 0; i < 50; ++i) expect_numbered(log.read(lsn));
  auto reader = log.reader(plain);
  EXPECT_EQ(reader.next()->value().producer_number, std::nullopt);
  expect_numbered(*reader.next());
  EXPECT_EQ(reader.next()->value().producer_number, std::nullopt);
}

TEST_F(ExactlyOnce, payload_of_any_length_comes_back) {
  Log log = open();
  for (uint64_t bytes = 0; bytes < 40; ++bytes) {
    const std::string payload(bytes, static_cast<char>('a' + bytes % 26));
    const Lsn lsn = log.append(payload, numbered(7, bytes + 1)).value();
    EXPECT_EQ(text_of(log.read(lsn).value()), payload);
  }
  Log again = close_and_open(log);
  EXPECT_EQ(texts_of(again).size(), 40U);
  EXPECT_EQ(ReadOnlyLog::verify(kPath, {.env = env_.get()})->verdict, VerifyReport::Verdict::ok);
}

TEST_F(ExactlyOnce, batch_is_one_append) {
  Log log = open();
  const Batch batch = batch_of({"a", "bb", std::string(100, 'c')});
  const Appended first = log.append(batch, numbered_batch(7, 1)).value();
  const Appended again = log.append(batch, numbered_batch(7, 1)).value();
  EXPECT_EQ(again.first_lsn, first.first_lsn);
  EXPECT_EQ(again.end_lsn, first.end_lsn);
  EXPECT_EQ(again.first_ordinal, first.first_ordinal);
  EXPECT_EQ(first.end_lsn, log.end_lsn());
  const std::vector<std::string> payloads = {"a", "bb", std::string(100, 'c')};
  for (size_t i = 0; i < batch.size(); ++i) {
    const auto record = log.read(batch.lsn(i, again));
    ASSERT_TRUE(record) << record.error().message();
    EXPECT_EQ(text_of(*record), payloads[i]);
    EXPECT_EQ(record->type, 3);
    EXPECT_EQ(record->producer_number, (ProducerNumber{.producer = 7, .number = 1}));
  }
  // The same batch as another append, and as one without a number.
  EXPECT_GT(log.append(batch, numbered_batch(7, 2))->first_lsn, first.first_lsn);
  const Appended plain = log.append(batch).value();
  for (size_t i = 0; i < batch.size(); ++i) {
    EXPECT_EQ(text_of(log.read(batch.lsn(i, plain)).value()), payloads[i]);
  }
  EXPECT_EQ(texts_of(log).size(), 9U);
  log = crash_and_open(log);
  EXPECT_EQ(code_of(log.append(batch, numbered_batch(7, 1))), ErrorCode::repeated);
}

TEST_F(ExactlyOnce, first_numbered_append_begins_a_segment_and_plain_logs_have_none) {
  Log log = open(65536);
  ASSERT_TRUE(log.append("plain"));
  ASSERT_TRUE(log.append("plain"));
  EXPECT_EQ(features(), (std::vector<uint64_t>{0}));
  ASSERT_TRUE(log.append("a", numbered(7, 1)));
  EXPECT_EQ(features(), (std::vector<uint64_t>{0, 1}));
  ASSERT_TRUE(log.append("plain"));
  ASSERT_TRUE(log.append("b", numbered(7, 2)));
  EXPECT_EQ(features(), (std::vector<uint64_t>{0, 1}));
  EXPECT_EQ(texts_of(log), (std::vector<std::string>{"plain", "plain", "a", "plain", "b"}));
}

TEST_F(ExactlyOnce, producers_are_remembered_over_rotations_and_openings) {
  Log log = open();
  std::map<uint64_t, Lsn> lsns;
  for (uint64_t producer = 1; producer <= 9; ++producer) {
    lsns[producer] = log.append("p", numbered(producer, producer)).value();
  }
  // Nothing of producers in any of these but the table.
  for (int segments = 0; segments < 3; ++segments) {
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(log.append(std::string(700, 'x')));
    const auto expect_all = [&] {
      for (const auto& [producer, lsn] : lsns) {
        EXPECT_EQ(log.append("p", numbered(producer, producer)).value(), lsn) << producer;
        EXPECT_EQ(code_of(log.append("p", numbered(producer, producer - 1))), ErrorCode::repeated);
      }
    };
    expect_all();
    log = crash_and_open(log);
    expect_all();
    log = close_and_open(log);
    expect_all();
    lsns[3] = log.append("p", numbered(3, 3 + 10 * (segments + 1))).value();
    lsns.erase(3);
  }
  EXPECT_EQ(log.append("q", numbered(3, 33)).value(), log.append("q", numbered(3, 33)).value());
}

TEST_F(ExactlyOnce, segment_without_a_frame_does_not_make_producers_forgotten) {
  // A rotation of which only the header was written.
  Log log = open();
  const Lsn lsn = log.append("a", numbered(7, 1)).value();
  while (log.segments().size() < 2) ASSERT_TRUE(log.append(std::string(900, 'x')));
  const Lsn base = log.segments().back().base_lsn;
  const std::string path = "/log/00000000000000000002.wal";
  env_->crash_now();
  SimDisk disk = env_->crashed_disk().crash({});
  auto bytes = disk.contents(path).value();
  std::fill(bytes.begin() + kBlockBytes, bytes.end(), std::byte{0});
  disk.put(path, bytes);
  {
    const Log gone = std::move(log);
  }
  env_ = std::make_unique<SimEnv>(disk);
  log = open();
  ASSERT_EQ(log.end_lsn(), base);
  EXPECT_EQ(log.append("a", numbered(7, 1)).value(), lsn);
  // The first frame of that segment has to have the table.
  ASSERT_TRUE(log.append("plain"));
  log = crash_and_open(log);
  EXPECT_EQ(log.append("a", numbered(7, 1)).value(), lsn);
}

TEST_F(ExactlyOnce, oldest_producer_is_forgotten_when_there_are_too_many) {
  const uint64_t most = format::most_producers_in(8192);
  ASSERT_LT(most, 100U);
  for (const bool reopens : {false, true}) {
    env_ = std::make_unique<SimEnv>(SimDisk{});
    Log log = open();
    std::map<uint64_t, Lsn> lsns;
    for (uint64_t producer = 0; producer < most; ++producer) {
      lsns[producer] = log.append("p", numbered(producer, 1)).value();
    }
    // The first one is the newest then.
    lsns[0] = log.append("p", numbered(0, 2)).value();
    lsns[most] = log.append("p", numbered(most, 1)).value();
    if (reopens) log = crash_and_open(log);
    EXPECT_EQ(log.append("p", numbered(0, 2)).value(), lsns[0]);
    for (uint64_t producer = 2; producer <= most; ++producer) {
      EXPECT_EQ(log.append("p", numbered(producer, 1)).value(), lsns[producer]) << producer;
    }
    EXPECT_GT(log.append("p", numbered(1, 1)).value(), lsns[most]) << "it was to be forgotten";
  }
}

TEST_F(ExactlyOnce, trimmed_append_is_forgotten) {
  Log log = open();
  const Lsn first = log.append("a", numbered(7, 1)).value();
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(log.append(std::string(900, 'x')));
  const Lsn kept = log.append("b", numbered(8, 1)).value();
  ASSERT_TRUE(log.trim_before(kept));
  ASSERT_GT(log.first_lsn(), first);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(log.append("b", numbered(8, 1)).value(), kept);
    log = crash_and_open(log);
  }
  EXPECT_GT(log.append("a", numbered(7, 1)).value(), kept);
  // An empty log knows nobody, and needs no numbered segment.
  ASSERT_TRUE(log.trim_before(log.end_lsn()));
  ASSERT_TRUE(log.append("plain"));
  EXPECT_EQ(features().back(), 0U);
  ASSERT_TRUE(log.append("b", numbered(8, 1)));
  EXPECT_EQ(texts_of(log), (std::vector<std::string>{"plain", "b"}));
}

TEST_F(ExactlyOnce, append_that_was_trimmed_is_forgotten_at_opening) {
  Log log = open();
  ASSERT_TRUE(log.append("a", numbered(7, 1)));
  // The table of a segment that is kept has it.
  while (log.segments().size() < 3)
    ASSERT_TRUE(log.append(std::string(900, 'x'), numbered(8, 1 + log.end_lsn().value())));
  const Lsn kept = log.segments()[2].base_lsn;
  ASSERT_TRUE(log.trim_before(kept));
  log = crash_and_open(log);
  const Lsn end = log.end_lsn();
  EXPECT_EQ(log.append("a", numbered(7, 0)).value() > end, true) << "it is remembered";
}

TEST_F(ExactlyOnce, truncation_takes_back_what_lies_above_it) {
  for (const bool reopens : {false, true}) {
    env_ = std::make_unique<SimEnv>(SimDisk{});
    Log log = open();
    std::vector<Lsn> lsns;
    for (uint64_t i = 1; i <= 30; ++i) {
      lsns.push_back(log.append(std::string(300, 'p'), numbered(i % 3, i)).value());
    }
    for (const size_t left : {size_t{28}, size_t{17}, size_t{4}}) {
      ASSERT_TRUE(log.truncate_from(lsns[left]));
      if (reopens) log = crash_and_open(log);
      for (uint64_t i = left - 2; i <= left; ++i) {
        EXPECT_EQ(log.append("p", numbered(i % 3, i)).value(), lsns[i - 1]) << i;
        EXPECT_EQ(code_of(log.append("p", numbered(i % 3, 0))), ErrorCode::repeated);
      }
      // It was taken back, so it is new.
      const Lsn again = log.append("again", numbered((left + 1) % 3, left + 1)).value();
      EXPECT_EQ(text_of(log.read(again).value()), "again");
      EXPECT_EQ(log.append("again", numbered((left + 1) % 3, left + 1)).value(), again);
      ASSERT_TRUE(log.truncate_from(again));
    }
  }
}

TEST_F(ExactlyOnce, batch_that_was_cut_in_two_is_forgotten) {
  for (const bool reopens : {false, true}) {
    env_ = std::make_unique<SimEnv>(SimDisk{});
    Log log = open();
    const Lsn before = log.append("before", numbered(7, 1)).value();
    const Batch batch = batch_of({"a", "b", "c"});
    const Appended range = log.append(batch, numbered_batch(7, 2)).value();
    ASSERT_TRUE(log.truncate_from(batch.lsn(1, range)));
    if (reopens) log = crash_and_open(log);
    EXPECT_EQ(log.append("before", numbered(7, 1)).value(), before);
    const Lsn again = log.append(batch, numbered_batch(7, 2))->first_lsn;
    EXPECT_EQ(again, log.find_ordinal(2).value());
    EXPECT_EQ(texts_of(log), (std::vector<std::string>{"before", "a", "a", "b", "c"}));
  }
}

TEST_F(ExactlyOnce, repeat_waits_for_the_level_that_it_asks_for) {
  Log log = open();
  const Lsn lsn = log.append("a", numbered(7, 1, Durability::buffered)).value();
  EXPECT_LE(log.durable_lsn(), lsn);
  EXPECT_EQ(log.append("a", numbered(7, 1, Durability::buffered)).value(), lsn);
  EXPECT_LE(log.durable_lsn(), lsn);
  EXPECT_EQ(log.append("a", numbered(7, 1, Durability::written)).value(), lsn);
  EXPECT_LE(log.durable_lsn(), lsn);
  EXPECT_EQ(log.append("a", numbered(7, 1)).value(), lsn);
  EXPECT_GT(log.durable_lsn(), lsn);
  log = crash_and_open(log);
  EXPECT_EQ(texts_of(log), (std::vector<std::string>{"a"}));
}

TEST_F(ExactlyOnce, append_that_a_crash_took_is_appended_again) {
  Log log = open();
  ASSERT_TRUE(log.append("first", numbered(7, 1)));
  ASSERT_TRUE(log.append("lost", numbered(7, 2, Durability::buffered)));
  log = crash_and_open(log);
  ASSERT_EQ(texts_of(log), (std::vector<std::string>{"first"}));
  ASSERT_TRUE(log.append("lost", numbered(7, 2)));
  EXPECT_EQ(texts_of(log), (std::vector<std::string>{"first", "lost"}));
}

TEST_F(ExactlyOnce, failed_log_answers_no_repeat) {
  Log log = open();
  ASSERT_TRUE(log.append("a", numbered(7, 1)));
  env_->fail_call(env_->calls(CallKind::dsync_write) + 1, EIO, FaultSpan::once,
                  CallKind::dsync_write);
  EXPECT_EQ(code_of(log.append("b", numbered(7, 2))), ErrorCode::failed);
  EXPECT_EQ(code_of(log.append("b", numbered(7, 2))), ErrorCode::failed);
  EXPECT_EQ(code_of(log.append("a", numbered(7, 1))), ErrorCode::failed);
}

TEST_F(ExactlyOnce, refused_append_does_not_count) {
  Options small = options();
  small.max_record_bytes = 1000;
  Log log = Log::open(kPath, small).value();
  ASSERT_TRUE(log.append("a", numbered(7, 1)));
  EXPECT_EQ(code_of(log.append(std::string(1001, 'x'), numbered(7, 2))), ErrorCode::too_large);
  ASSERT_TRUE(log.append("b", numbered(7, 2)));
  // Without room for another segment.
  env_->set_free_bytes(0);
  uint64_t number = 2;
  Result<Lsn> answer = Lsn();
  while ((answer = log.append(std::string(900, 'x'), numbered(7, number + 1)))) ++number;
  ASSERT_EQ(code_of(answer), ErrorCode::no_space);
  // A repeat needs no room.
  EXPECT_TRUE(log.append(std::string(900, 'x'), numbered(7, number)));
  EXPECT_EQ(code_of(log.append(std::string(900, 'x'), numbered(7, number + 1))),
            ErrorCode::no_space);
  env_->set_free_bytes(1 << 20);
  const Lsn end = log.end_lsn();
  EXPECT_GT(log.append(std::string(900, 'x'), numbered(7, number + 1)).value(), end);
  EXPECT_EQ(texts_of(log).size(), number + 1);
}

}  // namespace
}  // namespace writeahead::testing
