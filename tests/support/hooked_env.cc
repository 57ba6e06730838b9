// Every call goes on to the Env below, behind the hook.
#include "support/hooked_env.h"

#include <string>
#include <utility>

#include "support/forwarding_env.h"

namespace writeahead::testing {
namespace {

class HookedFile final : public ForwardingFile {
 public:
  HookedFile(std::unique_ptr<File> file, std::string_view name, const EnvHook& hook)
      : ForwardingFile(std::move(file)), name_(name), hook_(hook) {}

  SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) override {
    hook_(CallKind::read, name_);
    return ForwardingFile::read_at(offset, out);
  }
  SystemResult<size_t> write_at(uint64_t offset, std::span<const std::byte> data,
                                WriteBarrier barrier) override {
    const bool is_durable = barrier == WriteBarrier::dsync;
    hook_(is_durable ? CallKind::dsync_write : CallKind::write, name_);
    return ForwardingFile::write_at(offset, data, barrier);
  }
  SystemResult<void> sync_data() override {
    hook_(CallKind::sync, name_);
    return ForwardingFile::sync_data();
  }
  SystemResult<void> lock(LockKind kind) override {
    hook_(CallKind::lock, name_);
    return ForwardingFile::lock(kind);
  }

 private:
  const std::string name_;
  const EnvHook& hook_;
};

class HookedDirectory final : public ForwardingDirectory {
 public:
  HookedDirectory(std::unique_ptr<Directory> directory, const EnvHook& hook)
      : ForwardingDirectory(std::move(directory)), hook_(hook) {}

  SystemResult<std::vector<std::string>> list() override {
    hook_(CallKind::list, {});
    return ForwardingDirectory::list();
  }

 private:
  std::unique_ptr<File> wrap(std::unique_ptr<File> file, std::string_view name) override {
    return std::make_unique<HookedFile>(std::move(file), name, hook_);
  }
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<HookedDirectory>(std::move(directory), hook_);
  }

  const EnvHook& hook_;
};

class HookedEnv final : public ForwardingEnv {
 public:
  HookedEnv(Env& env, EnvHook hook) : ForwardingEnv(env), hook_(std::move(hook)) {}

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<HookedDirectory>(std::move(directory), hook_);
  }

  const EnvHook hook_;
};

}  // namespace

std::unique_ptr<Env> make_hooked_env(Env& env, EnvHook hook) {
  return std::make_unique<HookedEnv>(env, std::move(hook));
}

}  // namespace writeahead::testing
