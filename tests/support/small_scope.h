// The small scope: every course of a few steps, of all kinds of steps in any order.
//
// Most faults that are there at all show in a course that is short; chance and invention may pass
// it by, enumeration cannot. A course is named by its steps, a letter each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/script.h"
#include "writeahead/testing/crash_plan.h"
#include "writeahead/testing/sim_disk.h"

namespace writeahead::testing {

/// The steps behind the opening:
///   a  append of one record            t  trim of all that can go, and background work
///   b  batch of three                  x  truncation at the newest record
///   r  append that fills a segment     o  close and open
///   w  append that is written, and a sync
inline constexpr std::string_view kSmallSteps = "abrwtxo";
/// Of the steps of a course so many make a frame at most: a, b, r and w do.
inline constexpr size_t kSmallFrames = 3;

/// How frames end, and what a power cut does to a sector that it tears.
enum class SmallTail : uint8_t {
  packed,   ///< Frames share sectors, of which only changed bytes are torn.
  aligned,  ///< Frames have sectors of their own, and are torn whole.
};

/// All courses that have one more step than this one; fewer where it has kSmallFrames frames.
[[nodiscard]] std::vector<std::string> longer_courses(const std::string& steps);
/// `small_abtr` or `small_aligned_abtr`; nothing for another name.
[[nodiscard]] std::optional<Workload> small_course(std::string_view name);
[[nodiscard]] std::string small_course_name(std::string_view steps, SmallTail tail);

/// What a power cut can leave of this disk.
struct SmallPlans {
  std::vector<CrashPlan> plans;
  bool is_complete = false;  ///< All subsets; else a sample, with all subsets of names.
};

/// Subsets of the items whose loss makes a difference: all, up to ten. All plans have one seed, so
/// that sectors that are lost alike are torn alike.
[[nodiscard]] SmallPlans small_plans(const SimDisk& disk, TearMode tear, uint64_t seed);

}  // namespace writeahead::testing
