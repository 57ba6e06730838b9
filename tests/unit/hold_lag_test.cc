// Goal: Stats::holds says how far each consumer is behind, in records, bytes and time, wherever its
// hold stands. Method: the public interface on a simulated machine whose clock the test moves.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/damaged_log.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

Log open(SimEnv& env) {
  return Log::open(kLogPath, {.segment_bytes = 8192,
                              .standby_segments = 0,
                              .env = &env,
                              .background = BackgroundWork::stepped})
      .value();
}

/// One a second.
std::vector<Lsn> append_some(SimEnv& env, Log& log, int count) {
  std::vector<Lsn> lsns;
  for (int i = 0; i < count; ++i) {
    lsns.push_back(log.append(std::string(1000, 'x')).value());
    env.advance_ns(1'000'000'000);
  }
  return lsns;
}

TEST(HoldLag, is_none_without_holds_and_listed_by_name) {
  SimEnv env{SimDisk{}};
  Log log = open(env);
  EXPECT_TRUE(log.stats().holds.empty());
  ASSERT_TRUE(log.hold("second", log.durable_lsn()));
  ASSERT_TRUE(log.hold("first", log.durable_lsn()));
  const auto holds = log.stats().holds;
  ASSERT_EQ(holds.size(), 2U);
  EXPECT_EQ(holds[0].name, "first");
  EXPECT_EQ(holds[1].name, "second");
  for (const HoldLag& lag : holds) {
    EXPECT_EQ(lag.bytes, 0U);
    EXPECT_EQ(lag.records, 0U);
    EXPECT_EQ(lag.age_ns, 0U);
  }
}

TEST(HoldLag, grows_with_what_is_appended_and_falls_as_the_hold_advances) {
  SimEnv env{SimDisk{}};
  Log log = open(env);
  auto hold = log.hold("consumer", Lsn()).value();
  const auto lsns = append_some(env, log, 30);
  for (size_t i = 0; i < lsns.size(); ++i) {
    ASSERT_TRUE(hold.advance(lsns[i]));
    const HoldLag lag = log.stats().holds.at(0);
    EXPECT_EQ(lag.records, lsns.size() - i);
    EXPECT_EQ(lag.bytes, log.durable_lsn() - lsns[i]);
    // The machine's clock goes on as it is asked.
    EXPECT_NEAR(static_cast<double>(lag.age_ns.value()) / 1e9, static_cast<double>(lsns.size() - i),
                0.1);
  }
  ASSERT_TRUE(hold.advance(log.durable_lsn()));
  EXPECT_EQ(log.stats().holds.at(0).records, 0U);
  ASSERT_TRUE(log.append("one more"));
  EXPECT_EQ(log.stats().holds.at(0).records, 1U);
  ASSERT_TRUE(hold.release());
  EXPECT_TRUE(log.stats().holds.empty());
}

TEST(HoldLag, counts_what_is_there_from_a_hold_below_the_first_record_and_behind_a_reopening) {
  SimEnv env{SimDisk{}};
  {
    Log log = open(env);
    const auto lsns = append_some(env, log, 30);
    ASSERT_TRUE(log.trim_before(lsns[20]));
    ASSERT_TRUE(log.hold("consumer", log.first_lsn()));
    ASSERT_TRUE(log.close());
  }
  Log log = open(env);
  const HoldLag lag = log.stats().holds.at(0);
  const uint64_t first = (*log.reader(log.first_lsn()).next())->ordinal;
  EXPECT_EQ(lag.records, 30 - first);
  EXPECT_EQ(lag.bytes, log.durable_lsn() - log.first_lsn());
}

TEST(HoldLag, says_what_it_knows_of_a_record_that_is_damaged) {
  SimEnv env{SimDisk{}};
  Lsn damaged;
  SimDisk disk;
  {
    Log log = open(env);
    damaged = append_some(env, log, 30).front();
    ASSERT_TRUE(log.hold("consumer", damaged));
    ASSERT_TRUE(log.close());
    disk = env.disk().shut_down();
  }
  const std::string path = "/log/00000000000000000001.wal";
  auto bytes = disk.contents(path).value();
  bytes[4096 + 100] ^= std::byte{0xFF};
  disk.put(path, bytes);
  SimEnv other(disk);
  Log log = open(other);
  const HoldLag lag = log.stats().holds.at(0);
  EXPECT_EQ(lag.bytes, log.durable_lsn() - damaged);
  EXPECT_FALSE(lag.records);
  EXPECT_FALSE(lag.age_ns);
}

}  // namespace
}  // namespace writeahead::testing
