// Schemes, and what opens their addresses.
// Those of object stores register themselves, as the library of such a store is loaded.
#include "segment/open_store.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "segment/file_store.h"
#include "segment/rados_store/rados_store.h"
#include "writeahead/object_store.h"

namespace writeahead {
namespace internal {
namespace {

/// Made on first use: whoever registers is constructed before main, in any order.
struct Schemes {
  std::mutex mutex;
  std::map<std::string, ObjectStoreOpener, std::less<>> openers;
};
Schemes& schemes() {
  static Schemes all;
  return all;
}

/// What stands in front of "://"; nothing for a directory.
std::optional<std::string_view> scheme_of(std::string_view path) {
  const size_t end = path.find("://");
  if (end == 0 || end == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = path.substr(0, end);
  const bool is_name = scheme.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyz"
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-") == std::string_view::npos;
  return is_name ? std::optional(scheme) : std::nullopt;
}

Result<ObjectAddress> open_address(const std::string& path, std::string_view scheme) {
  ObjectStoreOpener opener;
  {
    const std::lock_guard lock(schemes().mutex);
    const auto found = schemes().openers.find(scheme);
    if (found != schemes().openers.end()) opener = found->second;
  }
  if (opener) return opener(path);
  return std::unexpected(
      make_error(ErrorCode::invalid_argument, "open log",
                 fmt::format("this program is not linked with what opens {}:// addresses", scheme),
                 {.path = path}));
}

Error env_error(const std::string& path) {
  return make_error(ErrorCode::invalid_argument, "open log",
                    "an env has no part in a log of objects", {.path = path});
}

/// What has a meaning for files only is refused, and not ignored.
Result<void> check_object_options(const std::string& path, const Options& options) {
  const Options defaults;
  const auto refuse = [&](std::string_view cause) {
    return std::unexpected(
        make_error(ErrorCode::invalid_argument, "open log", cause, {.path = path}));
  };
  if (options.env != nullptr) return std::unexpected(env_error(path));
  if (options.sync_method != SyncMethod::automatic) {
    return refuse("sync_method has no meaning for objects");
  }
  if (options.frame_alignment != 0) return refuse("frame_alignment has no meaning for objects");
  if (options.file_mode != defaults.file_mode) return refuse("objects have no file_mode");
  if (options.standby_segments.value_or(0) != 0) {
    return refuse("segments of objects are not prepared: standby_segments has to be 0");
  }
  // What waits together may be a whole segment, and goes in one request.
  if (options.segment_bytes > RadosStore::kTraits.most_batch_bytes) {
    return refuse("segment_bytes must be at most 80 MiB for objects");
  }
  return {};
}

}  // namespace

StoreTraits traits_of(const std::string& path) {
  return scheme_of(path) ? RadosStore::kTraits : StoreTraits{};
}

Result<std::unique_ptr<SegmentStore>> open_store(Env& env, const std::string& path,
                                                 const Options& options, uint64_t least_epoch) {
  if (const auto scheme = scheme_of(path)) {
    if (auto checked = check_object_options(path, options); !checked) {
      return std::unexpected(checked.error());
    }
    auto address = open_address(path, *scheme);
    if (!address) return std::unexpected(address.error());
    return RadosStore::open(env, std::move(*address), path, options, least_epoch);
  }
  return FileStore::open(env, path,
                         {.create_if_missing = options.create_if_missing,
                          .file_mode = options.file_mode,
                          .sync_method = options.sync_method,
                          .frame_alignment = options.frame_alignment,
                          .is_stepped = options.background == BackgroundWork::stepped});
}

Result<std::unique_ptr<SegmentStore>> open_store_read_only(Env& env, const std::string& path) {
  if (const auto scheme = scheme_of(path)) {
    if (&env != &Env::posix()) return std::unexpected(env_error(path));
    auto address = open_address(path, *scheme);
    if (!address) return std::unexpected(address.error());
    return RadosStore::open_read_only(std::move(*address), path);
  }
  return FileStore::open_read_only(env, path);
}

Result<void> destroy_store(Env& env, const std::string& path) {
  if (const auto scheme = scheme_of(path)) {
    if (&env != &Env::posix()) return std::unexpected(env_error(path));
    auto address = open_address(path, *scheme);
    if (!address) return std::unexpected(address.error());
    return RadosStore::destroy(env, std::move(*address), path);
  }
  return FileStore::destroy(env, path);
}

}  // namespace internal

bool is_object_address(std::string_view path) { return internal::scheme_of(path).has_value(); }

void register_object_store(std::string_view scheme, ObjectStoreOpener opener) {
  const std::lock_guard lock(internal::schemes().mutex);
  internal::schemes().openers.insert_or_assign(std::string(scheme), std::move(opener));
}

}  // namespace writeahead
