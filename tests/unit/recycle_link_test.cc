// Goal: a file that gets a second name at the last moment, as a backup gives it, is not recycled:
// its bytes stay. Method: real files, and an Env that makes the link just before a trimmed file is
// renamed, when it has been looked at.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "support/forwarding_env.h"
#include "support/scratch_directory.h"
#include "writeahead/log.h"

namespace writeahead::testing {
namespace {

namespace fs = std::filesystem;

/// Told of each file that is renamed, just before.
using RenameHook = std::function<void(std::string_view from)>;

class RenamingDirectory final : public ForwardingDirectory {
 public:
  RenamingDirectory(std::unique_ptr<Directory> directory, const RenameHook& hook)
      : ForwardingDirectory(std::move(directory)), hook_(hook) {}
  SystemResult<void> rename_no_replace(std::string_view from, std::string_view to) override {
    hook_(from);
    return ForwardingDirectory::rename_no_replace(from, to);
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

/// Recycled segments of a run in which each trimmed file may get a second name before its renaming.
uint64_t recycled_beside(bool is_linked) {
  const test::ScratchDirectory scratch;
  const fs::path path = scratch.path("log");
  const fs::path backup = scratch.path("backup");
  fs::create_directory(backup);
  std::vector<std::pair<fs::path, std::string>> linked;
  RenamingEnv env([&](std::string_view from) {
    if (!is_linked) return;
    const fs::path link = backup / from;
    fs::create_hard_link(path / from, link);
    linked.emplace_back(link, bytes_of(link));
  });
  auto log = Log::open(path.string(), {.segment_bytes = 8192,
                                       .standby_segments = 2,
                                       .env = &env,
                                       .background = BackgroundWork::stepped});
  EXPECT_TRUE(log);
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(log->append(std::string(3000, 'a')));
    EXPECT_TRUE(log->trim_before(log->segments().back().base_lsn));
    while (log->step_background()) {
    }
  }
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

}  // namespace
}  // namespace writeahead::testing
