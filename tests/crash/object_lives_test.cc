// Goal: a log that is destroyed is gone, whole, and nothing of it is in the one that is made under
// its name, whichever answer of the store is lost, whenever its destroyer stops, and whoever owned
// the first one goes on. Method: the courses run on objects in memory; each change of a course is
// in turn the one whose answer is lost, or at which it stops.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/counts.h"
#include "support/error_of.h"
#include "support/object_courses.h"
#include "support/sim_objects.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {
namespace {

using ::writeahead::testing::code_of;

const std::string kAddress = "sim://log";
constexpr int kRecords = 14;

Options options() { return {.segment_bytes = 8192, .background = BackgroundWork::stepped}; }

std::string payload_of(char life, int i) {
  return life + std::to_string(i) + std::string(900, life);
}

/// What became of a course.
struct Lives {
  bool is_destroyed = false;    // the first one, and its destroyer was told so
  bool is_made_anew = false;    // its maker was told so
  std::vector<Lsn> first = {};  // what was acknowledged, record by record
  std::vector<Lsn> second = {};
};

std::vector<Lsn> append_all(Log& log, char life) {
  std::vector<Lsn> lsns;
  for (int i = 0; i < kRecords; ++i) {
    const auto lsn = log.append(payload_of(life, i));
    if (!lsn) return lsns;
    lsns.push_back(*lsn);
    while (log.step_background()) {
    }
  }
  return lsns;
}

/// A life, its end, and a second one. Whoever owned the first tries to go on in the second.
void run_lives(Lives& lives) {
  auto first = Log::open(kAddress, options());
  if (!first) return;
  lives.first = append_all(*first, 'p');
  if (lives.first.size() != kRecords) return;
  lives.is_destroyed = Log::destroy(kAddress).has_value();
  if (!lives.is_destroyed) return;
  auto second = Log::open(kAddress, options());
  if (!second) return;
  lives.is_made_anew = true;
  EXPECT_FALSE(first->append("zombie"));
  lives.second = append_all(*second, 'q');
  EXPECT_FALSE(first->trim_before(first->end_lsn()));
  (void)second->close();
}

/// The payloads that are there; nothing if there is no log.
std::optional<std::vector<std::string>> read_all() {
  auto log = ReadOnlyLog::open(kAddress);
  if (!log) {
    EXPECT_EQ(code_of(log), ErrorCode::not_found) << log.error().message();
    return std::nullopt;
  }
  std::vector<std::string> payloads;
  for (auto& record : log->reader(log->first_lsn())) {
    if (!record) {
      ADD_FAILURE() << record.error().message();
      break;
    }
    payloads.emplace_back(reinterpret_cast<const char*>(record->payload.data()),
                          record->payload.size());
  }
  return payloads;
}

/// All that is there is of one life, in its order, and no record less than was acknowledged.
void expect_one_life(const Lives& lives) {
  const auto payloads = read_all();
  if (!payloads) {
    // Nobody was told that there is one, or it may just have been destroyed.
    EXPECT_FALSE(lives.is_made_anew);
    return;
  }
  const bool is_first = !payloads->empty() && payloads->front()[0] == 'p';
  EXPECT_TRUE(!is_first || !lives.is_destroyed);
  EXPECT_TRUE(!lives.is_made_anew || !is_first);
  const char life = is_first ? 'p' : 'q';
  for (size_t i = 0; i < payloads->size(); ++i) {
    EXPECT_EQ((*payloads)[i], payload_of(life, static_cast<int>(i)));
  }
  const auto& acknowledged = is_first ? lives.first : lives.second;
  // A log that nobody has appended to yet may be that between two lives.
  if (is_first || lives.is_made_anew) {
    EXPECT_GE(payloads->size(), acknowledged.size());
  }
}

uint64_t changes_of_a_course() {
  const auto client = std::make_shared<SimClient>(std::make_shared<SimObjects>());
  register_client(client);
  Lives lives;
  run_lives(lives);
  EXPECT_EQ(lives.second.size(), kRecords);
  expect_one_life(lives);
  return client->changes();
}

TEST(ObjectLives, lost_answers_mix_no_lives) {
  const uint64_t changes = changes_of_a_course();
  ASSERT_GT(changes, 40U);
  uint64_t states = 0;
  for_each_lost_answer(changes, [&](const OwnerFault& fault) {
    register_owner(std::make_shared<SimObjects>(), fault);
    Lives lives;
    run_lives(lives);
    ASSERT_EQ(lives.second.size(), kRecords) << "one lost answer is asked for";
    expect_one_life(lives);
    ++states;
  });
  print_count(part::kObjects, "lost answers around a destruction", states);
}

TEST(ObjectLives, destroyer_that_stops_anywhere_mixes_no_lives) {
  const uint64_t changes = changes_of_a_course();
  uint64_t states = 0;
  for_each_stop(changes, 1, 1, [&](const OwnerFault& fault) {
    const bool is_late = fault.lost.fate == LostAnswer::Fate::later;
    const auto objects = std::make_shared<SimObjects>();
    register_owner(objects, fault);
    Lives lives;
    run_lives(lives);
    register_owner(objects);
    if (!is_late) expect_one_life(lives);
    // The name can be used, and a destruction leaves nothing.
    ASSERT_TRUE(Log::open(kAddress, options()));
    expect_one_life(lives);
    ASSERT_TRUE(Log::destroy(kAddress));
    EXPECT_FALSE(read_all());
    EXPECT_TRUE(is_late || objects->names().empty());
    ++states;
  });
  print_count(part::kObjects, "destroyers that stopped", states);
}

}  // namespace
}  // namespace writeahead::test
