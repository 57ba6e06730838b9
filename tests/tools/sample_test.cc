// Sample and medians: the numbers that `wal probe` and `wal bench` show.
#include "sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "support/test_seed.h"

namespace wal {
namespace {

TEST(Sample, percentile_is_the_value_at_its_rank) {
  Sample sample;
  for (int i = 1000; i >= 1; --i) sample.add(i);
  EXPECT_EQ(sample.percentile(0), 1);
  EXPECT_EQ(sample.percentile(0.1), 1);
  EXPECT_EQ(sample.percentile(0.11), 2);
  EXPECT_EQ(sample.percentile(50), 500);
  EXPECT_EQ(sample.percentile(99.9), 999) << "a whole rank is not rounded up";
  EXPECT_EQ(sample.percentile(99.91), 1000);
  EXPECT_EQ(sample.percentile(100), 1000);
}

TEST(Sample, of_one_value_has_it_at_every_percentile) {
  Sample sample;
  sample.add(7);
  for (const Percentile& percentile : kPercentiles) {
    EXPECT_EQ(sample.percentile(percentile.percent), 7) << percentile.name;
  }
}

// However it was put together, and looked at in between.
TEST(Sample, as_many_values_are_at_most_a_percentile_as_it_says) {
  SCOPED_TRACE(writeahead::test::replay_command());
  std::mt19937_64 random(writeahead::test::test_seed());
  for (int round = 0; round < 100; ++round) {
    Sample sample;
    std::vector<double> values;
    while (values.empty() || random() % 8 != 0) {
      Sample part;
      for (uint64_t i = random() % 50; i > 0; --i) {
        values.push_back(static_cast<double>(random() % 100));
        part.add(values.back());
      }
      sample.add(part);
      if (!sample.is_empty()) (void)sample.percentile(50);
    }
    if (values.empty()) continue;
    ASSERT_EQ(sample.size(), values.size());
    const double percent = static_cast<double>(1 + random() % 100);
    const double found = sample.percentile(percent);
    const auto needed = static_cast<std::ptrdiff_t>(
        std::ceil(percent * static_cast<double>(values.size()) / 100 - 1e-9));
    EXPECT_GE(std::ranges::count_if(values, [&](double value) { return value <= found; }), needed);
    EXPECT_LT(std::ranges::count_if(values, [&](double value) { return value < found; }), needed);
  }
}

TEST(Median, is_the_middle_one_or_the_smaller_of_two) {
  EXPECT_EQ(median_of({5}), 5);
  EXPECT_EQ(median_of({9, 1}), 1);
  EXPECT_EQ(median_of({9, 1, 4}), 4);
  EXPECT_EQ(median_of({9, 1, 4, 7}), 4);
}

}  // namespace
}  // namespace wal
