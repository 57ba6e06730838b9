// Followers in processes of their own, woken by the writer: how long a record takes to them, and
// what they cost it.
#include <fmt/format.h>
#include <sys/mman.h>   // style-ok(system): memory that processes of the command share, no file
#include <sys/prctl.h>  // style-ok(system): children of the command
#include <sys/wait.h>   // style-ok(system): children of the command
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <stop_token>
#include <thread>

#include "bench/payload.h"
#include "bench/scenario.h"
#include "bench/stopwatch.h"
#include "bench/taking.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace wal::bench {

using writeahead::Log;
using writeahead::ReadOnlyLog;

namespace {

constexpr uint64_t kFollowedAppends = 1000;
constexpr uint64_t kFollowedBytes = 64;
constexpr size_t kMostFollowers = 100;
constexpr uint64_t kRun = 100;

uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

/// What the processes tell each other.
struct Shared {
  std::atomic<uint64_t> ready = 0;
  std::atomic<uint64_t> delivered_ns[kMostFollowers];  ///< When the newest record came.
  std::atomic<uint64_t> delivered[kMostFollowers];     ///< How many records came.
};

/// Memory that children of this process share.
class SharedPage {
 public:
  SharedPage()
      : memory_(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0)) {
    if (memory_ == MAP_FAILED) {
      throw NotMeasured(system_failure("map memory", errno).error());
    }
    new (memory_) Shared();
  }
  SharedPage(const SharedPage&) = delete;
  SharedPage& operator=(const SharedPage&) = delete;
  ~SharedPage() { (void)::munmap(memory_, sizeof(Shared)); }
  [[nodiscard]] Shared& get() const { return *static_cast<Shared*>(memory_); }

 private:
  void* memory_;
};

/// The child's whole life; it is killed in its wait for more, and ends with its parent.
[[noreturn]] void follow(const std::string& path, Shared& shared, size_t index, pid_t parent) {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {
    ::_exit(1);
  }
  auto log = ReadOnlyLog::open(path);
  if (!log) {
    ::_exit(1);
  }
  auto reader = log->reader(log->durable_lsn());
  shared.ready.fetch_add(1);
  while (const auto record = reader.wait_next()) {
    if (!*record) {
      ::_exit(1);
    }
    shared.delivered_ns[index].store(now_ns());
    shared.delivered[index].fetch_add(1);
  }
  ::_exit(0);
}

/// Children that follow the log as long as it lives.
class Followers {
 public:
  Followers(const std::string& path, Shared& shared, size_t count) : shared_(shared) {
    const pid_t parent = ::getpid();
    for (size_t i = 0; i < count; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        follow(path, shared, i, parent);
      }
      if (child < 0) {
        stop();
        throw NotMeasured(system_failure("fork", errno).error());
      }
      children_.push_back(child);
    }
    await([&] { return shared.ready.load() == count; });
  }
  Followers(const Followers&) = delete;
  Followers& operator=(const Followers&) = delete;
  ~Followers() { stop(); }

  /// Until each has `count` records. How many that is, by the slowest.
  void await_delivery(uint64_t count) {
    await([&] {
      for (size_t i = 0; i < children_.size(); ++i) {
        if (shared_.delivered[i].load() < count) {
          return false;
        }
      }
      return true;
    });
  }

 private:
  template <class IsThere>
  static void await(const IsThere& is_there) {
    constexpr double kMostSeconds = 60;
    const Clock time;
    while (!is_there()) {
      require(time.seconds() < kMostSeconds, "a follower does not get its records",
              ExitCode::environment);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }
  void stop() {
    for (const pid_t child : children_) {
      (void)::kill(child, SIGKILL);
      (void)::waitpid(child, nullptr, 0);
    }
  }

  Shared& shared_;
  std::vector<pid_t> children_;
};

class Following final : public Scenario {
 public:
  Following(const Place& place, size_t followers)
      : path_(place.directory + "/log"),
        followers_(followers),
        appends_(place.scaled(kFollowedAppends)),
        payload_(payload_of(kFollowedBytes)) {
    take(take(Log::open(path_)).close());
  }

  Measurement run() override {
    Measurement result;
    const SharedPage page;
    // Before the log that they follow is opened here: they have it from its files alone.
    Followers followers(path_, page.get(), followers_);
    Log followed = take(Log::open(path_));
    Log alone = take(Log::open(path_ + "_alone"));
    take(alone.append(payload_));
    uint64_t delivered = 0;
    take(followed.append(payload_));
    followers.await_delivery(++delivered);
    Sample appends;
    Sample appends_alone;
    Sample delays;
    const Stopwatch whole;
    // In runs, and each when the followers are idle: their work would slow the others down as well.
    for (uint64_t done = 0; done < appends_; done += kRun) {
      const uint64_t end = std::min(appends_, done + kRun);
      for (uint64_t i = done; i < end; ++i) {
        appends_alone.add(append_to(alone));
      }
      for (uint64_t i = done; i < end; ++i) {
        appends.add(append_to(followed));
        const uint64_t answered_ns = now_ns();
        ++delivered;
        // To a single follower each record before the next: what is measured is one delivery, and
        // not a queue of them.
        if (followers_ == 1) {
          followers.await_delivery(delivered);
          const uint64_t at_ns = page.get().delivered_ns[0].load();
          delays.add(at_ns > answered_ns ? static_cast<double>(at_ns - answered_ns) / 1e3 : 0);
        }
      }
      followers.await_delivery(delivered);
    }
    result.set_work({.records = appends_,
                     .record_bytes = kFollowedBytes,
                     .seconds = whole.seconds(),
                     .cpu_seconds = whole.cpu_seconds()});
    result.set_percentiles("alone_us", appends_alone);
    result.set_percentiles("delivery_us", delays);
    result.set_latencies(std::move(appends));
    result.set_ratio("p50_to_alone", "latency_us.p50", "alone_us.p50");
    take(alone.close());
    take(followed.close());
    return result;
  }

 private:
  double append_to(Log& log) {
    const Clock time;
    take(log.append(payload_));
    return time.us();
  }

  const std::string path_;
  const size_t followers_;
  const uint64_t appends_;
  const std::string payload_;
};

ScenarioKind following(size_t followers, std::string_view name, std::string_view what,
                       Target target) {
  return {.name = name, .what = what, .targets = {target}, .make = [followers](const Place& place) {
            return std::make_unique<Following>(place, followers);
          }};
}

}  // namespace

std::vector<ScenarioKind> follow_scenarios() {
  using enum Target::Kind;
  return {
      following(1, "follow_1", "a follower in another process",
                {"delivery_us.p50", at_most, 50, "p50 from the append's return to delivery, us"}),
      following(10, "follow_10", "10 followers",
                {"p50_to_alone", at_most, 1.10, "the writer's p50 to that without followers"}),
      following(100, "follow_100", "100 followers",
                {"p50_to_alone", at_most, 1.20, "the writer's p50 to that without followers"}),
  };
}

}  // namespace wal::bench
