// ObjectStore: what the library asks of a replicated object store, in which a log outgrows a
// machine.
//
// A log in one lies in objects instead of files: a head, and an object a segment. The library makes
// no request but through an ObjectStore, so that every request whose answer is lost can be
// simulated below the real code. Implementations keep the promises written at each call: the
// durability of such a log rests on them and on nothing else. Every call may be made from several
// threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "writeahead/env.h"
#include "writeahead/export.h"
#include "writeahead/result.h"

namespace writeahead {

/// What has to be true of an object's attribute, read as a decimal number, for a change to be made.
/// One that is missing is 0.
struct ObjectGuard {
  enum class Stored : uint8_t {
    equal,    ///< It is `value`.
    at_most,  ///< It is `value` or less.
    below,    ///< It is less than `value`.
  };
  std::string_view attribute;
  Stored stored = Stored::equal;
  uint64_t value = 0;
};

/// A change of one object: all of it is made, or nothing.
struct ObjectChange {
  /// The object must not exist yet; else it has to.
  bool creates = false;
  /// It is gone afterwards. A full store takes that.
  bool removes = false;
  /// A full store takes this, too: it is how space comes back, and how a log changes its owner.
  bool ignores_full = false;
  std::vector<ObjectGuard> guards = {};
  /// Written at `offset`, unless there are none; what stands behind stays.
  std::span<const std::byte> bytes = {};
  uint64_t offset = 0;
  /// Set to these values.
  std::vector<std::pair<std::string_view, std::string>> attributes = {};
};

/// What became of a change.
enum class ObjectAnswer : uint8_t {
  done,     ///< It was made, and every replica that counts has it on its disk.
  refused,  ///< A guard did not hold: nothing was changed.
  missing,  ///< There is no such object: nothing was changed.
  exists,   ///< There is one already: nothing was changed.
  unknown,  ///< It was made, or will be at some time, or never: nobody knows.
};

/// An object at one moment.
struct ObjectView {
  std::map<std::string, std::string, std::less<>> attributes;
  /// So many bytes were read; fewer than asked for at its end.
  size_t bytes = 0;
};

/// Somebody who waits for notify(); ends with this.
class WRITEAHEAD_EXPORT ObjectWatch {
 public:
  ObjectWatch() = default;
  ObjectWatch(const ObjectWatch&) = delete;
  ObjectWatch& operator=(const ObjectWatch&) = delete;
  virtual ~ObjectWatch() = default;
};

class WRITEAHEAD_EXPORT ObjectStore {
 public:
  ObjectStore() = default;
  ObjectStore(const ObjectStore&) = delete;
  ObjectStore& operator=(const ObjectStore&) = delete;
  virtual ~ObjectStore() = default;

  /// Makes a change. Changes of one object have an order, and so do those of one caller. Errors:
  /// ENOSPC and EDQUOT say that the store is full and that nothing was changed; ESHUTDOWN that it
  /// has shut this client out; others that the request itself is refused, and changed nothing.
  [[nodiscard]] virtual SystemResult<ObjectAnswer> change(const std::string& object,
                                                          const ObjectChange& change) = 0;
  /// Attributes and bytes from `offset` on, of one moment, with every change that was answered with
  /// `done` before the call. Errors: ENOENT; ETIMEDOUT if there was no answer in time.
  [[nodiscard]] virtual SystemResult<ObjectView> read(const std::string& object, uint64_t offset,
                                                      std::span<std::byte> out) = 0;

  /// Tells those who watch an object that it changed. Returns at once; may be lost.
  virtual void notify(const std::string& object) = 0;
  /// Calls `on_change`, from another thread, at each notify(). Null if that is not possible now.
  [[nodiscard]] virtual std::unique_ptr<ObjectWatch> watch(const std::string& object,
                                                           std::function<void()> on_change) = 0;
};

/// Where a log lies in a store: "scheme://place/name".
struct ObjectAddress {
  std::shared_ptr<ObjectStore> store;
  std::string name;  ///< The log's objects begin with it.
  /// Longest time in ms that a request without an answer is tried again and asked about.
  uint64_t patience_ms = 60'000;
};

/// Opens the store that an address names, with the scheme in front.
using ObjectStoreOpener = std::function<Result<ObjectAddress>(const std::string& address)>;

/// Whether a path is an address, "scheme://...", whoever may open such; else it is a directory's.
[[nodiscard]] WRITEAHEAD_EXPORT bool is_object_address(std::string_view path);

/// Makes addresses that begin with "`scheme`://" lead to object stores, for the calls
/// that take a log's path. Replaces what was said of that scheme before.
WRITEAHEAD_EXPORT void register_object_store(std::string_view scheme, ObjectStoreOpener opener);

}  // namespace writeahead
