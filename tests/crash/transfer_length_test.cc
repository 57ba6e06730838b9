// One read or write that transfers less than asked, by each length that it can fall short by.
//
// Goal: as of short_transfer_test.cc, and what a run that went on leaves is byte by byte what it
// leaves without. Method: small courses for all that transfers bytes, each of their reads and
// writes cut to 0 bytes (a write only), 1, 2, and so on until nothing is left to cut.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/crash_run.h"
#include "support/lying_env.h"
#include "support/test_scale.h"

namespace writeahead::testing {
namespace {

/// A course of calls, those of its reads and writes that are cut short being behind a beginning.
struct Course {
  Workload workload;
  void (*before)(Script&);     ///< Leaves the disk that it begins on.
  void (*beginning)(Script&);  ///< Its first steps, which another course has as its last.
};

/// For the messages of the test framework.
void PrintTo(const Course& course, std::ostream* out) { *out << course.workload.name; }

const Script::Keep kEveryOther = [](size_t index, const Undecided&) { return index % 2 == 0; };

void nothing(Script&) {}

void append_bytes(Script& s, size_t size) { s.append_payloads({Bytes(size, std::byte{0xb7})}); }

void creation(Script& s) {
  s.open();
  s.append({100});
}

/// The block of the end is written again, then it and the one behind it.
void tail_blocks(Script& s) {
  creation(s);
  s.append({200});
  s.append_payloads({Bytes(2500, std::byte{1}), {}, Bytes(2000, std::byte{2})});
}

void filled_segment(Script& s) {
  s.open();
  append_bytes(s, 3000);
}

void rotation_and_seal(Script& s) {
  filled_segment(s);
  append_bytes(s, 2000);
  s.step_background();
  s.close();
}

void opening(Script& s) { s.open(); }

void torn_tail(Script& s) {
  creation(s);
  s.cut_power_in_append({900}, kEveryOther, LostBytes::garbage);
  s.stop();
}

void two_segments(Script& s) {
  filled_segment(s);
  s.append({500, 500});
}

void truncation_in_a_batch(Script& s) {
  two_segments(s);
  s.truncate(2);
}

void truncation_of_a_segment(Script& s) {
  two_segments(s);
  s.truncate(1);
  s.append({10});
}

void file_to_recycle(Script& s) {
  two_segments(s);
  s.trim(1);
  s.step_background();
}

void recycled_file(Script& s) {
  file_to_recycle(s);
  append_bytes(s, 3000);
}

void buffered_batch(Script& s) {
  creation(s);
  s.append_at(Durability::buffered, 500);
  s.append_at(Durability::written, 200);
  s.sync();
}

enum class Access : uint8_t { direct, cached, in_sectors };

Course make_course(std::string_view name, Access access, void (*before)(Script&),
                   void (*beginning)(Script&), void (*steps)(Script&)) {
  constexpr std::array kNames = {"direct", "cached", "in_sectors"};
  Course course{
      .workload = {.name = fmt::format("{}_{}", name, kNames[static_cast<size_t>(access)]),
                   .steps = steps},
      .before = before,
      .beginning = beginning};
  course.workload.refuses_direct = access == Access::cached;
  if (access == Access::in_sectors) course.workload.frame_alignment = 512;
  // Fewer transfers, and reads instead of mappings.
  course.workload.adjust = [](Options& options) {
    options.standby_segments = 0;
    options.map_segments = false;
  };
  return course;
}

std::vector<Course> courses() {
  using enum Access;
  return {
      make_course("creation", direct, nothing, nothing, creation),
      make_course("creation", cached, nothing, nothing, creation),
      make_course("tail_blocks", direct, nothing, creation, tail_blocks),
      make_course("tail_blocks", in_sectors, nothing, creation, tail_blocks),
      make_course("buffered_batch", direct, nothing, creation, buffered_batch),
      make_course("buffered_batch", in_sectors, nothing, creation, buffered_batch),
      make_course("rotation_and_seal", direct, nothing, filled_segment, rotation_and_seal),
      make_course("closed_log", direct, rotation_and_seal, nothing, opening),
      make_course("torn_tail", direct, torn_tail, nothing, opening),
      make_course("torn_tail", cached, torn_tail, nothing, opening),
      make_course("truncation_in_a_batch", direct, nothing, two_segments, truncation_in_a_batch),
      make_course("truncation_of_a_segment", cached, nothing, two_segments,
                  truncation_of_a_segment),
      make_course("recycled_file", direct, nothing, file_to_recycle, recycled_file),
  };
}

/// Each length, or under sanitizers one of so many.
size_t length_step() {
  return std::max(size_t{1}, static_cast<size_t>(std::lround(1 / test::test_scale())));
}

/// What every length of every transfer of a course does.
class Sweep {
 public:
  Sweep(const Course& course, std::string_view part)
      : workload_(course.workload),
        tally_(workload_, part.empty() ? "" : "short transfers", Oracle::Names::are_certain, part),
        before_(with_steps(course.workload, course.before), {}) {
    Script whole(workload_, {}, before_);
    complaint_ = whole.complaint();
    last_ = whole.transfers();
    left_ = leave(whole).digest();
    const Workload beginning = with_steps(course.workload, course.beginning);
    first_ = Script(beginning, {}, before_).transfers() + 1;
  }

  /// The first complaint; `lie` is told to all runs.
  Complaint run(std::optional<Lie> lie = std::nullopt) {
    for (uint64_t k = first_; k <= last_ && complaint_.empty(); ++k) {
      run_one({k, 0}, lie);
      for (size_t bytes = 1; complaint_.empty() && run_one({k, bytes}, lie);) {
        bytes += length_step();
      }
    }
    return complaint_;
  }
  [[nodiscard]] uint64_t lengths() const { return lengths_; }
  [[nodiscard]] uint64_t transfers() const { return last_ + 1 - first_; }

 private:
  static Workload with_steps(Workload workload, void (*steps)(Script&)) {
    workload.steps = steps;
    return workload;
  }

  static SimDisk leave(Script& script) {
    script.stop();
    return script.machine().crashed_disk().crash({});
  }

  /// Whether this was less than was asked for.
  bool run_one(std::pair<uint64_t, size_t> transfer, std::optional<Lie> lie) {
    Interference interference{.short_transfer = transfer};
    if (lie) interference.wrap = [&](Env& env) { return make_lying_env(env, *lie); };
    Script script(workload_, interference, before_);
    const bool is_short = script.short_transfers() != 0;
    if (is_short) ++lengths_;
    complaint_ = script.complaint();
    if (!complaint_.empty()) return is_short;
    // Nothing can go on within a block that is written or read past the page cache.
    const bool may_fail =
        transfer.second == 0 || (!workload_.refuses_direct && transfer.second < kBlockBytes);
    const SimDisk disk = leave(script);
    if (script.has_failed() && !may_fail) {
      complaint_ = "the log failed";
    } else if (!script.has_failed() && disk.digest() != left_) {
      complaint_ = "the disk differs from that of a run without";
    } else {
      complaint_ = tally_.judge(disk, script.model());
    }
    if (!complaint_.empty()) explain(interference);
    return is_short;
  }

  void explain(Interference interference) {
    interference.trace_calls = 1000;
    const auto [k, bytes] = *interference.short_transfer;
    complaint_ = fmt::format("transfer {} of {} bytes: {}\n{}", k, bytes, complaint_,
                             Script(workload_, interference, before_).machine().trace());
  }

  const Workload workload_;
  CrashTally tally_;
  const Script before_;
  Complaint complaint_;
  uint64_t left_ = 0;
  uint64_t first_ = 0;
  uint64_t last_ = 0;
  uint64_t lengths_ = 0;
};

class TransferLength : public ::testing::TestWithParam<Course> {};

TEST_P(TransferLength, of_every_kind_is_survived_or_an_error) {
  Sweep sweep(GetParam(), test::part::kFailures);
  EXPECT_EQ(sweep.run(), "");
  EXPECT_GT(sweep.lengths(), sweep.transfers());
  test::print_count(test::part::kFailures, "lengths of short transfers", sweep.lengths());
}

INSTANTIATE_TEST_SUITE_P(Courses, TransferLength, ::testing::ValuesIn(courses()),
                         [](const auto& tested) { return tested.param.workload.name; });

Complaint sweep_control(std::string_view name, Lie lie) {
  for (const Course& course : courses()) {
    if (course.workload.name != name) continue;
    Complaint found = Sweep(course, {}).run(lie);
    test::print_control(!found.empty());
    return found;
  }
  return {};
}

TEST(TransferLengthControl, a_short_write_taken_for_a_whole_one_is_found) {
  EXPECT_NE(sweep_control("creation_direct", Lie::short_write_was_complete), "");
  EXPECT_NE(sweep_control("tail_blocks_in_sectors", Lie::short_write_was_complete), "");
  EXPECT_NE(sweep_control("torn_tail_cached", Lie::short_write_was_complete), "");
}

TEST(TransferLengthControl, a_single_length_taken_for_a_whole_write_is_found) {
  EXPECT_NE(sweep_control("tail_blocks_direct", Lie::one_length_was_complete), "");
}

}  // namespace
}  // namespace writeahead::testing
