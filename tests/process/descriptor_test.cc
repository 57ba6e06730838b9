// Goal: a log needs few descriptors, however it is used.
// Method: a child with a low limit of them.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string>

#include "support/forked_process.h"
#include "support/scratch_directory.h"
#include "writeahead/log.h"

namespace writeahead::test {

namespace {

size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

/// Rotates with each append; the answer is 0 if that went well.
int rotate_and_read(const std::string& path, BackgroundWork background) {
  const rlimit limit{.rlim_cur = 224, .rlim_max = 224};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  const size_t before = open_descriptors();
  {
    auto log = Log::open(path, {.segment_bytes = 8192, .background = background});
    if (!log) return 2;
    for (int i = 0; i < 400; ++i) {
      const auto lsn = log->append(std::string(3000, 'x'));
      if (!lsn) {
        std::fprintf(stderr, "append %d: %s\n", i, std::string(lsn.error().message()).c_str());
        return 3;
      }
    }
    size_t count = 0;
    for (const auto& record : log->reader(log->first_lsn())) {
      if (!record) return 4;
      ++count;
    }
    if (count != 400) return 5;
    if (!log->close()) return 6;
  }
  return open_descriptors() == before ? 0 : 7;
}

TEST(DescriptorTest, seals_that_lag_behind_hold_few_descriptors) {
  for (const auto background : {BackgroundWork::stepped, BackgroundWork::thread}) {
    const ScratchDirectory scratch;
    ForkedProcess child([&] { return rotate_and_read(scratch.path("log"), background); });
    EXPECT_EQ(child.wait(), 0);
  }
}

}  // namespace

}  // namespace writeahead::test
