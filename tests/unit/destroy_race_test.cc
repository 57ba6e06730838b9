// Goal: who opened the root of a log just before it was destroyed, and gets its lock just behind
// that, does not take a file without a name for a log. Method: an Env that destroys the log between
// these two calls of an opening.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr const char* kPath = "/log";

using Hook = std::function<void()>;

/// Calls the hook before the first lock that is taken.
class HookedFile final : public File {
 public:
  HookedFile(std::unique_ptr<File> file, Hook& hook) : file_(std::move(file)), hook_(hook) {}
  SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) override {
    return file_->read_at(offset, out);
  }
  SystemResult<size_t> write_at(uint64_t offset, std::span<const std::byte> data,
                                WriteBarrier barrier) override {
    return file_->write_at(offset, data, barrier);
  }
  SystemResult<void> sync_data() override { return file_->sync_data(); }
  SystemResult<FileInfo> info() override { return file_->info(); }
  SystemResult<void> lock(LockKind kind) override {
    if (hook_) std::exchange(hook_, nullptr)();
    return file_->lock(kind);
  }
  void unlock() override { file_->unlock(); }
  SystemResult<std::unique_ptr<MappedRegion>> map(MapOptions options) override {
    return file_->map(options);
  }

 private:
  std::unique_ptr<File> file_;
  Hook& hook_;
};

class HookedDirectory final : public Directory {
 public:
  HookedDirectory(std::unique_ptr<Directory> directory, Hook& hook)
      : directory_(std::move(directory)), hook_(hook) {}
  SystemResult<std::unique_ptr<File>> open(std::string_view name, OpenFlags flags) override {
    auto file = directory_->open(name, flags);
    if (!file) return file;
    return std::make_unique<HookedFile>(std::move(*file), hook_);
  }
  SystemResult<std::vector<std::string>> list() override { return directory_->list(); }
  SystemResult<void> rename_no_replace(std::string_view from, std::string_view to) override {
    return directory_->rename_no_replace(from, to);
  }
  SystemResult<void> remove(std::string_view name) override { return directory_->remove(name); }
  SystemResult<void> remove_directory(std::string_view name) override {
    return directory_->remove_directory(name);
  }
  SystemResult<std::unique_ptr<Directory>> open_directory(std::string_view name, bool create,
                                                          uint32_t mode) override {
    return directory_->open_directory(name, create, mode);
  }
  SystemResult<void> sync() override { return directory_->sync(); }

 private:
  std::unique_ptr<Directory> directory_;
  Hook& hook_;
};

class HookedEnv final : public Env {
 public:
  HookedEnv(Env& env, Hook hook) : env_(env), hook_(std::move(hook)) {}
  SystemResult<std::unique_ptr<Directory>> open_directory(const std::string& path, bool create,
                                                          uint32_t mode) override {
    auto directory = env_.open_directory(path, create, mode);
    if (!directory) return directory;
    return std::make_unique<HookedDirectory>(std::move(*directory), hook_);
  }
  SystemResult<void> sync_parent(const std::string& path) override {
    return env_.sync_parent(path);
  }
  SystemResult<void> remove_directory(const std::string& path) override {
    return env_.remove_directory(path);
  }
  uint64_t wall_clock_ns() override { return env_.wall_clock_ns(); }
  uint64_t monotonic_ns() override { return env_.monotonic_ns(); }
  SystemResult<void> random(std::span<std::byte> out) override { return env_.random(out); }
  uint64_t process_id() override { return env_.process_id(); }
  ProcessIdentity process() override { return env_.process(); }
  bool is_alive(ProcessIdentity process) override { return env_.is_alive(process); }
  Identifier boot_id() override { return env_.boot_id(); }

 private:
  Env& env_;
  Hook hook_;
};

TEST(DestroyRace, an_opening_in_between_does_not_own_what_has_no_name) {
  for (const bool is_made_again : {false, true}) {
    SimEnv env{SimDisk{}};
    const Options options{.env = &env, .background = BackgroundWork::stepped};
    ASSERT_TRUE(Log::open(kPath, options)->append("old"));
    HookedEnv hooked(env, [&] {
      ASSERT_TRUE(Log::destroy(kPath, options));
      if (!is_made_again) return;
      ASSERT_TRUE(Log::open(kPath, options)->append("new"));
    });
    Options racing = options;
    racing.env = &hooked;
    const auto refused = Log::open(kPath, racing);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::locked) << refused.error().message();
    auto again = Log::open(kPath, racing);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->is_empty(), !is_made_again);
  }
}

TEST(DestroyRace, two_that_destroy_do_not_disturb_a_log_that_is_made_behind_the_first) {
  SimEnv env{SimDisk{}};
  const Options options{.env = &env, .background = BackgroundWork::stepped};
  ASSERT_TRUE(Log::open(kPath, options)->append("old"));
  HookedEnv hooked(env, [&] {
    ASSERT_TRUE(Log::destroy(kPath, options));
    ASSERT_TRUE(Log::open(kPath, options)->append("new"));
  });
  Options racing = options;
  racing.env = &hooked;
  EXPECT_FALSE(Log::destroy(kPath, racing));
  auto log = Log::open(kPath, options);
  ASSERT_TRUE(log) << log.error().message();
  EXPECT_FALSE(log->is_empty());
}

}  // namespace
}  // namespace writeahead::testing
