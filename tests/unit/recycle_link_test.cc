// Goal: a file that gets a second name at the last moment, as a backup gives it, is not recycled:
// its bytes stay, also where the process is killed right behind the renaming. Method: real files,
// and an Env that makes the link just before a trimmed file is renamed, when it has been looked at.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "support/forked_process.h"
#include "support/forwarding_env.h"
#include "support/scratch_directory.h"
#include "writeahead/log.h"

namespace writeahead::testing {
namespace {

namespace fs = std::filesystem;

/// Told of each file that is renamed, just before, and right behind it.
struct RenameHook {
  std::function<void(std::string_view from)> before;
  std::function<void()> behind = [] {};
};

class RenamingDirectory final : public ForwardingDirectory {
 public:
  RenamingDirectory(std::unique_ptr<Directory> directory, const RenameHook& hook)
      : ForwardingDirectory(std::move(directory)), hook_(hook) {}
  SystemResult<void> rename_no_replace(std::string_view from, std::string_view to) override {
    hook_.before(from);
    const auto renamed = ForwardingDirectory::rename_no_replace(from, to);
    hook_.behind();
    return renamed;
  }

 private:
  std::unique_ptr<File> wrap(std::unique_ptr<File> file, std::string_view) override {
    return std::make_unique<ForwardingFile>(std::move(file));
  }
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<RenamingDirectory>(std::move(directory), hook_);
  }

  const RenameHook& hook_;
};

class RenamingEnv final : public ForwardingEnv {
 public:
  explicit RenamingEnv(RenameHook hook) : ForwardingEnv(Env::posix()), hook_(std::move(hook)) {}

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<RenamingDirectory>(std::move(directory), hook_);
  }

  const RenameHook hook_;
};

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Result<Log> open_small(const fs::path& path, Env& env) {
  return Log::open(path.string(), {.segment_bytes = 8192,
                                   .standby_segments = 2,
                                   .env = &env,
                                   .background = BackgroundWork::stepped});
}

void append_and_trim(Log& log) {
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(log.append(std::string(3000, 'a')));
    EXPECT_TRUE(log.trim_before(log.segments().back().base_lsn));
    while (log.step_background()) {
    }
  }
}

/// Recycled segments of a run in which each trimmed file may get a second name before its renaming.
uint64_t recycled_beside(bool is_linked) {
  const test::ScratchDirectory scratch;
  const fs::path path = scratch.path("log");
  const fs::path backup = scratch.path("backup");
  fs::create_directory(backup);
  std::vector<std::pair<fs::path, std::string>> linked;
  RenamingEnv env({.before = [&](std::string_view from) {
    if (!is_linked) return;
    const fs::path link = backup / from;
    fs::create_hard_link(path / from, link);
    linked.emplace_back(link, bytes_of(link));
  }});
  auto log = open_small(path, env);
  EXPECT_TRUE(log);
  append_and_trim(*log);
  EXPECT_EQ(linked.empty(), !is_linked);
  for (const auto& [link, bytes] : linked) {
    EXPECT_EQ(bytes_of(link), bytes) << link << " was written";
  }
  return log->stats().recycled;
}

TEST(RecycleLink, file_that_is_linked_before_its_renaming_keeps_its_bytes) {
  EXPECT_GT(recycled_beside(false), 0U);
  EXPECT_EQ(recycled_beside(true), 0U);
}

TEST(RecycleLink, file_that_is_linked_keeps_its_bytes_where_the_process_is_killed_behind_it) {
  const test::ScratchDirectory scratch;
  const fs::path path = scratch.path("log");
  const fs::path link = scratch.path("link");
  const fs::path copy = scratch.path("copy");
  test::ForkedProcess child([&] {
    RenamingEnv env({.before =
                         [&](std::string_view from) {
                           fs::create_hard_link(path / from, link);
                           fs::copy_file(link, copy);
                         },
                     .behind = [] { ::_exit(0); }});
    auto log = open_small(path, env);
    if (log) append_and_trim(*log);
    return 1;  // Nothing was recycled.
  });
  ASSERT_EQ(child.wait(), 0);
  ASSERT_EQ(fs::hard_link_count(link), 2U) << "it stays under its new number";
  auto log = open_small(path, Env::posix());
  ASSERT_TRUE(log) << log.error().message();
  append_and_trim(*log);
  EXPECT_EQ(bytes_of(link), bytes_of(copy));
  EXPECT_EQ(fs::hard_link_count(link), 1U);
}

}  // namespace
}  // namespace writeahead::testing
