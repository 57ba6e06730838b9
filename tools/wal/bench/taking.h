// Taking: the value of what has to succeed for a measurement to be one.
//
// A measurement is many calls deep, and has nothing to mend when one of them fails: the failure is
// thrown, and the verb catches it.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

#include "bench/stopwatch.h"
#include "failure.h"
#include "writeahead/env.h"

namespace wal::bench {

/// Why a scenario ended without a figure.
class NotMeasured : public std::exception {
 public:
  explicit NotMeasured(Failure failure) : failure_(std::move(failure)) {}
  [[nodiscard]] const Failure& failure() const { return failure_; }
  [[nodiscard]] const char* what() const noexcept override { return failure_.message.c_str(); }

 private:
  Failure failure_;
};

/// The value, or throws NotMeasured.
template <class T>
T take(writeahead::Result<T> result) {
  if (!result) {
    throw NotMeasured(failure_of(result.error()).error());
  }
  if constexpr (!std::is_void_v<T>) {
    return *std::move(result);
  }
}
template <class T>
T take(Outcome<T> outcome) {
  if (!outcome) {
    throw NotMeasured(std::move(outcome.error()));
  }
  if constexpr (!std::is_void_v<T>) {
    return *std::move(outcome);
  }
}
template <class T>
T take(writeahead::SystemResult<T> result, std::string_view action) {
  if (!result) {
    throw NotMeasured(system_failure(action, result.error().number).error());
  }
  if constexpr (!std::is_void_v<T>) {
    return *std::move(result);
  }
}

/// Throws if `holds` is false; by default what came back is not what was put there.
void require(bool holds, std::string_view what, ExitCode code = ExitCode::damage);

/// Runs `work(i)` on `count` threads at once, and returns when all have ended, how long that took.
/// Throws what one of them threw.
Elapsed run_together(size_t count, const std::function<void(size_t)>& work);

}  // namespace wal::bench
