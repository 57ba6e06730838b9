// SnapshotDirectory: the files of one index, in the directory `index` beside the log's segments, or
// in one that the caller chose.
//
//   NAME.lock                      held by whoever has the index open
//   NAME-<20 digits>.snapshot      whole and durable; the greatest number is the newest
//   NAME-<20 digits>.new           being written, or left over by a crash
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "writeahead/env.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

/// Where the files of a log's indexes lie: in `chosen`, if that is not empty, else beside its
/// segments. Empty for a log at an address: there is no such place.
[[nodiscard]] std::string cache_path(const std::string& log_path, const std::string& chosen);

/// `invalid_argument` if an index cannot be called so.
[[nodiscard]] Result<void> check_index_name(const std::string& name, const std::string& log_path);

class SnapshotDirectory {
 public:
  /// Opens the one at cache_path(), which is not empty; makes it if need be. `locked` if somebody
  /// has this index open, `invalid_argument` if every user may put files there.
  [[nodiscard]] static Result<std::unique_ptr<SnapshotDirectory>> open(Env& env,
                                                                       const std::string& log_path,
                                                                       const std::string& chosen,
                                                                       const std::string& name);

  /// The numbers of all snapshots, the newest first.
  [[nodiscard]] Result<std::vector<uint64_t>> list();
  [[nodiscard]] Result<std::unique_ptr<File>> open(uint64_t number);
  /// Begins a snapshot, under a name that does not count yet.
  [[nodiscard]] Result<std::unique_ptr<File>> create(uint64_t number);
  /// Gives the space of one back that was begun and not published.
  void discard(uint64_t number);
  /// Gives it the name that counts, durably. What the file holds is durable before.
  [[nodiscard]] Result<void> publish(uint64_t number);
  /// Removes all others of this index, whole ones and leftovers, as far as that is possible: one
  /// that stays is older, or was never published.
  void remove_all_but(uint64_t number);

  [[nodiscard]] std::string path_of(uint64_t number) const;

 private:
  SnapshotDirectory(std::unique_ptr<Directory> directory, std::string path, std::string name);
  [[nodiscard]] Result<void> lock();
  [[nodiscard]] std::string file_name(uint64_t number, std::string_view extension) const;

  const std::unique_ptr<Directory> directory_;
  const std::string path_;
  const std::string name_;
  std::unique_ptr<File> lock_;
};

}  // namespace writeahead::index::internal
