// Every call goes on to the Env below, but for the lie.
#include "support/lying_env.h"

#include <algorithm>
#include <utility>

#include "support/forwarding_env.h"

namespace writeahead::testing {
namespace {

class LyingFile final : public ForwardingFile {
 public:
  LyingFile(std::unique_ptr<File> file, bool is_root, Lie lie)
      : ForwardingFile(std::move(file)), is_root_(is_root), lie_(lie) {}

  SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) override {
    auto count = ForwardingFile::read_at(offset, out);
    if (!count && lie_ == Lie::read_error_is_the_end) return size_t{0};
    if (!count && lie_ == Lie::read_error_is_zeros) {
      std::ranges::fill(out, std::byte{0});
      return out.size();
    }
    return count;
  }
  SystemResult<size_t> write_at(uint64_t offset, std::span<const std::byte> data,
                                WriteBarrier barrier) override {
    const bool is_lost = is_root_ && lie_ == Lie::second_slot_is_lost && ++root_writes_ > 2;
    // The slots take turns: this leaves one of them as it was since the opening.
    if (is_lost && root_writes_ % 2 == 0) return data.size();
    if (lie_ == Lie::dsync_is_a_plain_write) barrier = WriteBarrier::none;
    auto count = ForwardingFile::write_at(offset, data, barrier);
    if (!count && lie_ == Lie::failed_write_succeeds) return data.size();
    if (count && lie_ == Lie::short_write_was_complete) return data.size();
    if (count == kOneLength && lie_ == Lie::one_length_was_complete) return data.size();
    return count;
  }
  SystemResult<void> sync_data() override {
    if (lie_ == Lie::file_sync_does_nothing) return {};
    auto synced = ForwardingFile::sync_data();
    if (!synced && lie_ == Lie::failed_sync_succeeds) return {};
    return synced;
  }

 private:
  const bool is_root_;
  const Lie lie_;
  uint64_t root_writes_ = 0;
};

class LyingDirectory final : public ForwardingDirectory {
 public:
  LyingDirectory(std::unique_ptr<Directory> directory, Lie lie)
      : ForwardingDirectory(std::move(directory)), lie_(lie) {}

  SystemResult<void> sync() override {
    if (lie_ == Lie::names_sync_does_nothing) return {};
    return ForwardingDirectory::sync();
  }

 private:
  std::unique_ptr<File> wrap(std::unique_ptr<File> file, std::string_view name) override {
    return std::make_unique<LyingFile>(std::move(file), name == "log.root", lie_);
  }
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<LyingDirectory>(std::move(directory), lie_);
  }

  const Lie lie_;
};

class LyingEnv final : public ForwardingEnv {
 public:
  LyingEnv(Env& env, Lie lie) : ForwardingEnv(env), lie_(lie) {}

  SystemResult<void> sync_parent(const std::string& path) override {
    if (lie_ == Lie::names_sync_does_nothing) return {};
    return ForwardingEnv::sync_parent(path);
  }

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<LyingDirectory>(std::move(directory), lie_);
  }

  const Lie lie_;
};

}  // namespace

std::unique_ptr<Env> make_lying_env(Env& env, Lie lie) {
  return std::make_unique<LyingEnv>(env, lie);
}

}  // namespace writeahead::testing
