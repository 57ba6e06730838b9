// Goal: each defect leaves out the rule that it is named after and no other, and lost answers are
// lost as they say. Method: appends to an object in memory, as the log makes them.
#include "nemesis/defective_objects.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/sim_objects.h"

namespace writeahead::nemesis {
namespace {

using Stored = ObjectGuard::Stored;

constexpr size_t kBytes = 10;

class DefectiveObjectsTest : public ::testing::Test {
 protected:
  void plant(const DefectiveObjects::Wish& wish) {
    sim_ = std::make_shared<test::SimObjects>();
    objects_ = std::make_unique<DefectiveObjects>(std::make_shared<test::SimClient>(sim_), wish);
    ObjectChange change{.creates = true};
    change.attributes = {{"epoch", "5"}, {"len", "0"}};
    ASSERT_EQ(objects_->change("o", change), ObjectAnswer::done);
  }
  /// As the owner with that epoch does it.
  SystemResult<ObjectAnswer> append(uint64_t epoch, uint64_t length) {
    const std::vector<std::byte> bytes(kBytes, std::byte{1});
    ObjectChange change;
    change.guards = {{.attribute = "epoch", .stored = Stored::at_most, .value = epoch},
                     {.attribute = "len", .stored = Stored::equal, .value = length}};
    change.bytes = bytes;
    change.offset = length;
    change.attributes = {{"epoch", std::to_string(epoch)},
                         {"len", std::to_string(length + kBytes)}};
    return objects_->change("o", change);
  }
  [[nodiscard]] uint64_t length() const {
    return std::stoull(sim_->read("o", 0, {})->attributes.at("len"));
  }

  std::shared_ptr<test::SimObjects> sim_;
  std::unique_ptr<DefectiveObjects> objects_;
};

TEST_F(DefectiveObjectsTest, without_a_defect_both_guards_hold) {
  plant({});
  EXPECT_EQ(append(4, 0), ObjectAnswer::refused);
  EXPECT_EQ(append(5, 7), ObjectAnswer::refused);
  EXPECT_EQ(append(5, 0), ObjectAnswer::done);
  EXPECT_EQ(length(), kBytes);
}

TEST_F(DefectiveObjectsTest, no_epoch_guard_lets_an_older_owner_append_at_the_end) {
  plant({.defect = Defect::no_epoch_guard});
  EXPECT_EQ(append(4, 7), ObjectAnswer::refused);
  EXPECT_EQ(append(4, 0), ObjectAnswer::done);
}

TEST_F(DefectiveObjectsTest, no_length_guard_lets_the_owner_append_anywhere) {
  plant({.defect = Defect::no_length_guard});
  EXPECT_EQ(append(4, 0), ObjectAnswer::refused);
  EXPECT_EQ(append(5, 7), ObjectAnswer::done);
  EXPECT_EQ(length(), 7 + kBytes);
}

TEST_F(DefectiveObjectsTest, early_ack_makes_an_append_with_the_change_behind_it) {
  plant({.defect = Defect::early_ack});
  EXPECT_EQ(append(5, 0), ObjectAnswer::done);
  EXPECT_EQ(length(), 0U);
  EXPECT_EQ(append(5, kBytes), ObjectAnswer::done);
  EXPECT_EQ(length(), kBytes);
}

TEST_F(DefectiveObjectsTest, lost_answers_are_of_changes_that_were_made_are_made_later_or_never) {
  plant({.lost_answers = 1});
  uint64_t made = 0;
  uint64_t later = 0;
  uint64_t calls = 0;
  for (; calls < 100; ++calls) {
    const uint64_t before = length();
    ASSERT_EQ(append(5, before), ObjectAnswer::unknown);
    if (length() != before) {
      ++made;
      continue;
    }
    // What comes by itself comes within eight changes.
    const auto nothing = [&] { (void)objects_->change("o", {.creates = true}); };
    for (int i = 0; i < 8; ++i) nothing();
    later += length() != before ? 1 : 0;
    EXPECT_LE(length(), before + kBytes);
  }
  EXPECT_EQ(objects_->lost(), calls);
  EXPECT_GT(made, 10U);
  EXPECT_GT(later, 10U);
  EXPECT_LT(made + later, calls - 10);
}

TEST_F(DefectiveObjectsTest, blind_retry_appends_what_was_made_once_more_behind_it) {
  uint64_t doubled = 0;
  // Which answers are lost how is the seed's.
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    plant({.defect = Defect::blind_retry, .lost_answers = 1, .seed = seed});
    EXPECT_EQ(append(5, 0), ObjectAnswer::done);
    doubled += length() == 2 * kBytes ? 1 : 0;
  }
  EXPECT_GT(doubled, 0U);
  EXPECT_LT(doubled, 20U);
}

TEST_F(DefectiveObjectsTest, zombie_appends_at_the_end_until_somebody_takes_over) {
  plant({});
  EXPECT_EQ(objects_->append_as_a_zombie(), ObjectAnswer::unknown);
  EXPECT_EQ(append(5, 0), ObjectAnswer::done);
  EXPECT_EQ(objects_->append_as_a_zombie(), ObjectAnswer::done);
  EXPECT_EQ(length(), 2 * kBytes);
  sim_->set_attribute("o", "epoch", "6");
  EXPECT_EQ(objects_->append_as_a_zombie(), ObjectAnswer::refused);
  EXPECT_EQ(length(), 2 * kBytes);
  sim_->remove("o");
  EXPECT_EQ(objects_->append_as_a_zombie(), ObjectAnswer::missing);
}

TEST(DefectNames, are_those_of_the_command_line) {
  EXPECT_EQ(defect_of("early_ack"), Defect::early_ack);
  EXPECT_EQ(defect_of("none"), Defect::none);
  EXPECT_EQ(defect_of("late_ack"), std::nullopt);
}

}  // namespace
}  // namespace writeahead::nemesis
