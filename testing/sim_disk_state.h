// SimDiskState: the nodes of a simulated disk and the changes that a system makes to them.
//
// Works on node numbers, so that an open file keeps its bytes when its name goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cow.h"
#include "sim_file_state.h"
#include "sim_names.h"
#include "writeahead/testing/sim_disk.h"

namespace writeahead::testing::internal {

/// The number of a file or a directory, stable between crashes.
using NodeNumber = uint64_t;

inline constexpr NodeNumber kRootNode = 0;

/// See the file's head.
struct SimDiskState {
  struct Node {
    Cow<SimFileState> file;  // One of the two, or neither for a node that is gone.
    Cow<SimNames> directory;
    SimFileKind kind = SimFileKind::regular;
  };

  explicit SimDiskState(size_t sector);

  size_t sector_bytes;
  std::vector<Node> nodes;
  uint64_t next_order = 1;
  uint64_t boots = 1;
  bool may_have_unreachable = false;        // A name was removed since the last crash.
  uint64_t processes = 0;                   // Started so far: gives each its start time.
  std::optional<uint64_t> capacity_blocks;  // Without a value there is always room.

  [[nodiscard]] bool is_directory(NodeNumber node) const { return bool{nodes[node].directory}; }
  SimFileState& file(NodeNumber node) { return nodes[node].file.mutate(); }
  SimNames& names(NodeNumber node) { return nodes[node].directory.mutate(); }
  [[nodiscard]] const SimNames& names(NodeNumber node) const { return *nodes[node].directory; }

  /// The nodes on the way to `path`, from the root; nothing if one is missing or the way leads
  /// through a file. ".." is followed.
  [[nodiscard]] std::optional<std::vector<NodeNumber>> walk(std::string_view path) const;
  [[nodiscard]] std::optional<NodeNumber> find(std::string_view path) const;
  /// The first path of the node; empty if it has none.
  [[nodiscard]] std::string path_of(NodeNumber node) const;
  [[nodiscard]] uint64_t links_of(NodeNumber node) const;

  NodeNumber create_file(NodeNumber directory, std::string_view name);
  NodeNumber create_directory(NodeNumber directory, std::string_view name);
  NodeNumber add_node(Node node);

  [[nodiscard]] uint64_t used_blocks() const;
  /// How many of `count` bytes can be written at `offset` before the space is used up.
  [[nodiscard]] size_t room_for(NodeNumber node, uint64_t offset, size_t count) const;

  /// A hash of what is seen below a node: bytes and size of a file, or all of a directory.
  [[nodiscard]] uint64_t digest(NodeNumber node) const;

  /// Drops the nodes that no name leads to. Numbers of the others stay.
  void drop_unreachable();
};

/// Splits a path into the directory's part and the last name.
struct SplitPath {
  std::string_view directory;
  std::string_view name;
};
[[nodiscard]] SplitPath split_path(std::string_view path);

}  // namespace writeahead::testing::internal
