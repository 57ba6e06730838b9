// What can happen to an owner of a log in objects at each of its changes, one after the other.
//
// A course is run once for each of them: its tests say what it does, and what has to hold behind
// it. The loops end at the first failure, and a failure says where it happened.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <ostream>
#include <utility>

#include "support/sim_objects.h"

namespace writeahead::test {

/// A change that is made late meets what came of it meanwhile: the same one made again, the next
/// ones, another owner.
inline constexpr std::array<uint64_t, 7> kLater = {1, 2, 3, 4, 8, 20, 40};

/// What becomes of one change of an owner, and where the owner stops.
struct OwnerFault {
  LostAnswer lost = {};
  uint64_t stop = UINT64_MAX;

  friend std::ostream& operator<<(std::ostream& out, const OwnerFault& fault) {
    return out << "lost " << fault.lost.call << ", fate " << static_cast<int>(fault.lost.fate)
               << ", " << fault.lost.calls_later << "; stopped at " << fault.stop;
  }
};

/// Who owns the log next, and meets that.
inline std::shared_ptr<SimClient> register_owner(std::shared_ptr<SimObjects> objects,
                                                 const OwnerFault& fault = {}) {
  const auto client = std::make_shared<SimClient>(std::move(objects));
  client->lose(fault.lost);
  client->stop_at(fault.stop);
  register_client(client);
  return client;
}

/// Each fate of the answer to each of so many changes.
template <class Run>
void for_each_lost_answer(uint64_t changes, const Run& run) {
  using Fate = LostAnswer::Fate;
  const auto run_with = [&](const LostAnswer& lost) {
    const OwnerFault fault{.lost = lost};
    SCOPED_TRACE(::testing::Message() << fault);
    if (!::testing::Test::HasFailure()) run(fault);
  };
  for (uint64_t call = 1; call <= changes; ++call) {
    run_with({.call = call, .fate = Fate::made});
    run_with({.call = call, .fate = Fate::never});
    for (const uint64_t later : kLater) {
      run_with({.call = call, .fate = Fate::later, .calls_later = later});
    }
  }
}

/// Each change at which an owner can stop, or every so many-th; and what may have become of the
/// changes before it: so many of them may still be on their way.
template <class Run>
void for_each_stop(uint64_t changes, uint64_t step, uint64_t on_their_way, const Run& run) {
  using Fate = LostAnswer::Fate;
  const auto run_with = [&](uint64_t stop, const LostAnswer& lost) {
    const OwnerFault fault{.lost = lost, .stop = stop};
    SCOPED_TRACE(::testing::Message() << fault);
    if (!::testing::Test::HasFailure()) run(fault);
  };
  for (uint64_t stop = 1; stop <= changes + 1; stop += step) {
    run_with(stop, {.call = stop - 1, .fate = Fate::made});
    run_with(stop, {.call = stop - 1, .fate = Fate::never});
    for (uint64_t before = 1; before <= std::min(stop, on_their_way); ++before) {
      for (const uint64_t later : kLater) {
        run_with(stop, {.call = stop - before, .fate = Fate::later, .calls_later = later});
      }
    }
  }
}

}  // namespace writeahead::test
