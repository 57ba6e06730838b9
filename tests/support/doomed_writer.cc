// One thread a writer; each goes on for a while after it was told.
#include "support/doomed_writer.h"

#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace writeahead::test {
namespace {

constexpr size_t kThreads = kOtherWriter;
constexpr int kMostFailures = 20;
// More than any device has room for.
constexpr uint64_t kMostAppends = 2000;

void print(const Error& error) {
  std::fprintf(stderr, "%s\n", std::string(error.message()).c_str());
}

DoomedEnd append_as(size_t writer, Log& log, uint64_t seed, DoomedHistory& doomed) {
  std::mt19937_64 random(seed);
  int failures = 0;
  for (uint64_t i = 0; i < kMostAppends && failures < kMostFailures; ++i) {
    const bool is_after = doomed.has_failed;
    const auto done = doomed.history.append_next(log, writer, random);
    if (done && is_after) doomed.acknowledged_after.fetch_add(1);
    // No room for a further segment is no failure.
    if (done || done.error().code() == ErrorCode::no_space) continue;
    const bool is_failed = done.error().code() == ErrorCode::failed;
    if (!is_failed || done.error().system_error() == 0) {
      print(done.error());
      return is_failed ? DoomedEnd::no_cause : DoomedEnd::wrong_code;
    }
    doomed.has_failed = true;
    ++failures;
  }
  return failures != 0 ? DoomedEnd::stopped : DoomedEnd::only_refused;
}

}  // namespace

bool append_while_healthy(Log& log, uint64_t seed, DoomedHistory& doomed) {
  std::mt19937_64 random(seed);
  for (uint64_t i = random() % 40; i > 0; --i) {
    const auto done = doomed.history.append_next(log, kOtherWriter, random);
    if (!done) {
      print(done.error());
      return false;
    }
  }
  return true;
}

DoomedEnd append_until_failed(Log& log, uint64_t seed, DoomedHistory& doomed) {
  std::vector<DoomedEnd> ends(kThreads, DoomedEnd::stopped);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] { ends[i] = append_as(i, log, seed + i, doomed); });
    }
  }
  for (const DoomedEnd end : ends) {
    if (end == DoomedEnd::wrong_code || end == DoomedEnd::no_cause) return end;
  }
  if (!doomed.has_failed) return DoomedEnd::only_refused;
  if (doomed.acknowledged_after != 0) return DoomedEnd::acknowledged_after;
  return DoomedEnd::stopped;
}

bool stays_failed(Log& log) { return !log.sync() && !log.append("") && !log.close(); }

}  // namespace writeahead::test
