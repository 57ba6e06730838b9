// Records of slow tags that are moved forward: what consumers get, where it lies, and what space
// the log takes then.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/error_of.h"
#include "support/hooked_env.h"
#include "support/scratch_directory.h"
#include "writeahead/index/tag_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::index::test {
namespace {

using testing::code_of;
using writeahead::test::ScratchDirectory;

constexpr uint64_t kSegmentBytes = 16 << 10;

class TagMoveTest : public ::testing::Test {
 protected:
  static TagLogOptions options() {
    return {.log = {.segment_bytes = kSegmentBytes, .background = BackgroundWork::stepped},
            .tags = 100};
  }
  std::unique_ptr<TagLog> open(const TagLogOptions& options = TagMoveTest::options()) {
    auto log = TagLog::open(path_, options);
    EXPECT_TRUE(log) << log.error().message();
    return std::move(*log);
  }
  /// `count` records of `tag`, some segments of another one's between each two.
  static std::vector<Lsn> append_slowly(TagLog& log, Tag tag, int count) {
    std::vector<Lsn> lsns;
    for (int i = 0; i < count; ++i) {
      lsns.push_back(
          log.append(fmt::format("slow {}", i), {tag}, {.type = static_cast<uint16_t>(i)}).value());
      append_others(log, 2 * kSegmentBytes);
    }
    return lsns;
  }
  static void append_others(TagLog& log, uint64_t bytes) {
    for (uint64_t done = 0; done < bytes; done += 1000) {
      EXPECT_TRUE(
          log.append(std::string(1000, '.'), {kFast}, {.durability = Durability::buffered}));
    }
    EXPECT_TRUE(log.log().sync());
  }
  static void pop_others(TagLog& log) { EXPECT_TRUE(log.pop(kFast, log.log().durable_lsn())); }
  static uint64_t kept_bytes(TagLog& log) {
    return log.log().durable_lsn() - log.log().first_lsn();
  }
  static void expect_slow(TagLog& log, Tag tag, const std::vector<Lsn>& lsns) {
    const auto records = log.peek(tag, Lsn(), UINT64_MAX);
    ASSERT_TRUE(records) << records.error().message();
    ASSERT_EQ(records->size(), lsns.size());
    for (size_t i = 0; i < lsns.size(); ++i) {
      const TaggedRecord& record = (*records)[i];
      EXPECT_EQ(record.lsn, lsns[i]);
      EXPECT_EQ(record.type, i);
      const std::string text(reinterpret_cast<const char*>(record.payload.data()),
                             record.payload.size());
      EXPECT_EQ(text, fmt::format("slow {}", i));
    }
  }

  static constexpr Tag kFast = 1;
  static constexpr Tag kSlow = 2;
  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
};

TEST_F(TagMoveTest, records_that_were_moved_keep_their_addresses_and_no_space) {
  auto log = open();
  const auto lsns = append_slowly(*log, kSlow, 5);
  pop_others(*log);
  EXPECT_EQ(log->info(kSlow)->kept_bytes, log->log().durable_lsn() - lsns.front());
  EXPECT_GT(kept_bytes(*log), 8 * kSegmentBytes);
  const Lsn end = log->log().durable_lsn();
  const auto moved = log->move_forward(kSlow, end);
  ASSERT_TRUE(moved) << moved.error().message();
  ASSERT_EQ(moved->size(), 5U);
  for (size_t i = 0; i < lsns.size(); ++i) {
    EXPECT_EQ((*moved)[i].lsn, lsns[i]);
    EXPECT_GE((*moved)[i].at, end);
    EXPECT_EQ(log->peek(kSlow, lsns[i], 1)->front().at, (*moved)[i].at);
  }
  EXPECT_LT(kept_bytes(*log), 2 * kSegmentBytes);
  EXPECT_LT(log->info(kSlow)->kept_bytes, kSegmentBytes);
  for (int opening = 0; opening < 3; ++opening) {
    ASSERT_NO_FATAL_FAILURE(expect_slow(*log, kSlow, lsns));
    if (opening == 1) {
      ASSERT_TRUE(log->close());
    }
    log.reset();
    log = open();
  }
  EXPECT_TRUE(log->move_forward(kSlow, end)->empty()) << "nothing lies there any more";
  ASSERT_TRUE(log->pop(kSlow, lsns[2]));
  EXPECT_EQ(log->info(kSlow)->records, 3U);
  EXPECT_EQ(log->info(kSlow)->first, lsns[2]);
  EXPECT_EQ(log->peek(kSlow, Lsn(), 1)->front().lsn, lsns[2]);
  ASSERT_TRUE(log->pop(kSlow, lsns[4] + 1));
  EXPECT_TRUE(log->peek(kSlow, Lsn(), UINT64_MAX)->empty());
  EXPECT_EQ(log->info(kSlow)->kept_bytes, 0U);
}

TEST_F(TagMoveTest, moves_are_repeated_as_the_log_goes_on) {
  auto log = open();
  auto lsns = append_slowly(*log, kSlow, 3);
  for (int i = 3; i < 12; ++i) {
    pop_others(*log);
    ASSERT_TRUE(log->move_forward(kSlow, log->log().durable_lsn()));
    EXPECT_LT(kept_bytes(*log), 3 * kSegmentBytes) << i;
    ASSERT_NO_FATAL_FAILURE(expect_slow(*log, kSlow, lsns));
    lsns.push_back(
        log->append(fmt::format("slow {}", i), {kSlow}, {.type = static_cast<uint16_t>(i)})
            .value());
    append_others(*log, 2 * kSegmentBytes);
  }
}

TEST_F(TagMoveTest, record_of_two_tags_is_moved_for_one_and_lies_where_it_did_for_the_other) {
  auto log = open();
  const Lsn lsn = log->append("of both", {kSlow, 3}).value();
  append_others(*log, 3 * kSegmentBytes);
  ASSERT_EQ(log->move_forward(kSlow, log->log().durable_lsn())->size(), 1U);
  EXPECT_NE(log->peek(kSlow, Lsn(), 1)->front().at, lsn);
  EXPECT_EQ(log->peek(3, Lsn(), 1)->front().at, lsn);
  EXPECT_EQ(log->peek(3, Lsn(), 1)->front().lsn, lsn);
  pop_others(*log);
  EXPECT_EQ(log->peek(3, Lsn(), 1)->front().lsn, lsn) << "it is trimmed";
  ASSERT_TRUE(log->pop(3, lsn + 1));
  EXPECT_EQ(log->peek(kSlow, Lsn(), 1)->front().lsn, lsn);
  EXPECT_LT(kept_bytes(*log), 2 * kSegmentBytes);
}

TEST_F(TagMoveTest, background_keeps_a_slow_tag_from_keeping_the_log) {
  TagLogOptions limited = options();
  limited.slow_tag_bytes = 4 * kSegmentBytes;
  auto log = open(limited);
  std::vector<Lsn> lsns;
  uint64_t most_kept = 0;
  for (int i = 0; i < 40; ++i) {
    lsns.push_back(
        log->append(fmt::format("slow {}", i), {kSlow}, {.type = static_cast<uint16_t>(i)})
            .value());
    append_others(*log, 2 * kSegmentBytes);
    pop_others(*log);
    for (int step = 0; step < 8; ++step) log->step_background();
    most_kept = std::max(most_kept, kept_bytes(*log));
  }
  EXPECT_LT(most_kept, 10 * kSegmentBytes);
  EXPECT_EQ(log->stats().last_failure, "");
  ASSERT_NO_FATAL_FAILURE(expect_slow(*log, kSlow, lsns));
  log.reset();
  log = open(limited);
  ASSERT_NO_FATAL_FAILURE(expect_slow(*log, kSlow, lsns));
}

/// A tag whose own records are more than the limit cannot be helped: what is written for it is
/// bounded by what is appended, and nothing is where nobody appends.
TEST_F(TagMoveTest, background_does_not_write_more_than_others_do) {
  TagLogOptions limited = options();
  limited.slow_tag_bytes = kSegmentBytes;
  auto log = open(limited);
  append_others(*log, 40 * kSegmentBytes);
  pop_others(*log);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(log->append(std::string(1000, 's'), {kSlow}));
  const auto moved_in = [&](int steps) {
    const Lsn before = log->log().durable_lsn();
    for (int step = 0; step < steps; ++step) log->step_background();
    return log->log().durable_lsn() - before;
  };
  EXPECT_LT(moved_in(1000), 15 * kSegmentBytes) << "no more than once, as one batch";
  EXPECT_EQ(moved_in(1000), 0U);
  uint64_t moved = 0;
  for (int i = 0; i < 40; ++i) {
    append_others(*log, kSegmentBytes / 2);
    moved += moved_in(10);
  }
  EXPECT_GT(moved, 5 * kSegmentBytes);
  EXPECT_LT(moved, 25 * kSegmentBytes) << "others wrote 20, and a little for each frame";
  EXPECT_EQ(log->peek(kSlow, Lsn(), UINT64_MAX)->size(), 200U);
}

TEST_F(TagMoveTest, versions_are_moved_once_they_are_known_to_be_committed) {
  auto log = open();
  uint64_t version = 0;
  const auto append = [&](uint64_t committed) {
    const VersionLink link{
        .version = version + 10, .previous_version = version, .known_committed_version = committed};
    version += 10;
    ASSERT_TRUE(log->append_version(link, fmt::format("v{}", version), {kSlow}));
  };
  for (int i = 0; i < 4; ++i) ASSERT_NO_FATAL_FAILURE(append(i == 3 ? 20 : 0));
  const auto moved = log->move_forward(kSlow, log->log().durable_lsn());
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->size(), 2U);
  ASSERT_TRUE(log->truncate_from_version(30));
  for (int opening = 0; opening < 2; ++opening) {
    const auto records = log->peek(kSlow, Lsn(), UINT64_MAX).value();
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0].version, 10U);
    EXPECT_EQ(records[1].version, 20U);
    EXPECT_NE(records[1].at, records[1].lsn);
    log.reset();
    log = open();
  }
  // What was moved is still no record without a version.
  EXPECT_EQ(code_of(log->append("plain", {1})), ErrorCode::invalid_argument);
  EXPECT_TRUE(log->append_version({.version = 40, .previous_version = 20}, "", {}));
}

/// Nobody should, but it must not be moved for ever.
TEST_F(TagMoveTest, record_that_somebody_else_trimmed_is_in_nobodys_way) {
  auto log = open();
  const auto lsns = append_slowly(*log, kSlow, 4);
  ASSERT_EQ(log->peek(kSlow, Lsn(), UINT64_MAX)->size(), 4U);
  ASSERT_TRUE(log->log().trim_before(lsns[2]));
  const auto moved = log->move_forward(kSlow, log->log().durable_lsn());
  ASSERT_TRUE(moved) << moved.error().message();
  ASSERT_EQ(moved->size(), 2U);
  EXPECT_EQ(moved->front().lsn, lsns[2]);
  EXPECT_EQ(log->peek(kSlow, Lsn(), UINT64_MAX)->size(), 2U);
}

TEST_F(TagMoveTest, longest_record_can_be_moved_and_a_longer_one_is_refused) {
  TagLogOptions small = options();
  small.log.max_record_bytes = 1000;
  auto log = open(small);
  const size_t most = 1000 - 16 - 2 * sizeof(uint32_t);
  EXPECT_EQ(code_of(log->append(std::string(most + 1, 'x'), {kSlow})), ErrorCode::too_large);
  ASSERT_TRUE(log->append(std::string(most, 'x'), {kSlow}));
  EXPECT_EQ(log->move_forward(kSlow, log->log().durable_lsn())->size(), 1U);
  EXPECT_EQ(log->peek(kSlow, Lsn(), 1)->front().payload.size(), most);
  EXPECT_EQ(code_of(log->move_forward(100, Lsn(1))), ErrorCode::invalid_argument);
}

/// A log on a machine that does something just before a segment is read next.
class TagMoveMomentTest : public TagMoveTest {
 protected:
  std::unique_ptr<TagLog> open() {
    TagLogOptions simulated = options();
    simulated.log.env = env_.get();
    return TagLog::open("/log", simulated).value();
  }
  /// Of a record, for the tags are up to date before.
  void before_next_read(TagLog& log, std::function<void()> action) {
    ASSERT_TRUE(log.peek(kSlow + 1, Lsn(), 1)->empty());
    action_ = std::move(action);
  }

 private:
  testing::SimEnv machine_{testing::SimDisk{}};
  std::function<void()> action_;
  const std::unique_ptr<Env> env_ =
      testing::make_hooked_env(machine_, [this](testing::CallKind kind, std::string_view) {
        if (kind != testing::CallKind::read || !action_) return;
        std::exchange(action_, nullptr)();
      });
};

TEST_F(TagMoveMomentTest, record_that_moves_under_a_peek_is_shown) {
  auto log = open();
  const auto lsns = append_slowly(*log, kSlow, 3);
  bool has_moved = false;
  before_next_read(*log, [&] {
    pop_others(*log);
    has_moved = log->move_forward(kSlow, log->log().durable_lsn())->size() == 3;
  });
  ASSERT_NO_FATAL_FAILURE(expect_slow(*log, kSlow, lsns));
  EXPECT_TRUE(has_moved);
  EXPECT_GT(log->log().first_lsn(), lsns.back());
}

TEST_F(TagMoveMomentTest, pop_beside_a_move_is_kept_when_its_record_is_trimmed) {
  auto log = open();
  const auto lsns = append_slowly(*log, kSlow, 3);
  Lsn after_pop;
  before_next_read(*log, [&] {
    ASSERT_TRUE(log->pop(kSlow, lsns[1]));
    after_pop = log->log().durable_lsn();
    append_others(*log, 2 * kSegmentBytes);
    pop_others(*log);
  });
  EXPECT_EQ(log->move_forward(kSlow, log->log().durable_lsn())->size(), 2U);
  ASSERT_GT(log->log().first_lsn(), after_pop);
  log.reset();
  log = open();
  const auto records = log->peek(kSlow, Lsn(), UINT64_MAX).value();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].lsn, lsns[1]);
}

/// Records that are moved and trimmed between the look at where they lie and the read.
TEST_F(TagMoveTest, consumer_beside_moves_and_trims_gets_every_record) {
  TagLogOptions threaded = options();
  threaded.log.background = BackgroundWork::thread;
  auto log = open(threaded);
  constexpr int kRecords = 300;
  std::atomic<bool> is_done = false;
  std::jthread mover([&] {
    while (!is_done) {
      const Lsn end = log->log().durable_lsn();
      ASSERT_TRUE(log->pop(kFast, end));
      ASSERT_TRUE(log->move_forward(kSlow, end));
    }
  });
  std::jthread writer([&] {
    for (int i = 0; i < kRecords; ++i) {
      ASSERT_TRUE(log->append(fmt::format("slow {}", i), {kSlow}));
      ASSERT_TRUE(log->append(std::string(3000, '.'), {kFast}));
    }
  });
  Lsn from;
  Lsn popped;
  for (int i = 0; i < kRecords;) {
    const auto records = log->wait_peek(kSlow, from, 200);
    ASSERT_TRUE(records) << records.error().message();
    for (const TaggedRecord& record : *records) {
      const std::string text(reinterpret_cast<const char*>(record.payload.data()),
                             record.payload.size());
      ASSERT_EQ(text, fmt::format("slow {}", i));
      ++i;
    }
    from = records->back().lsn + 1;
    // Far behind, so that there are many to be moved.
    if (i % 100 == 0 && popped < records->front().lsn) {
      popped = records->front().lsn;
      ASSERT_TRUE(log->pop(kSlow, popped));
    }
  }
  is_done = true;
}

}  // namespace
}  // namespace writeahead::index::test
