// SimDiskState: paths, nodes and space.
#include "sim_disk_state.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "sim_random.h"

namespace writeahead::testing::internal {

SimDiskState::SimDiskState(size_t sector) : sector_bytes(sector) {
  nodes.push_back({.file = {}, .directory = Cow(SimNames())});
}

SplitPath split_path(std::string_view path) {
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::optional<std::vector<NodeNumber>> SimDiskState::walk(std::string_view path) const {
  std::vector<NodeNumber> way = {kRootNode};
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (!is_directory(way.back())) return std::nullopt;
    if (name == "..") {
      if (way.size() > 1) way.pop_back();
      continue;
    }
    const std::optional<NodeNumber> next = names(way.back()).find(name);
    if (!next) return std::nullopt;
    way.push_back(*next);
  }
  return way;
}

std::optional<NodeNumber> SimDiskState::find(std::string_view path) const {
  const std::optional<std::vector<NodeNumber>> way = walk(path);
  if (!way) return std::nullopt;
  return way->back();
}

std::string SimDiskState::path_of(NodeNumber node) const {
  if (node == kRootNode) return "/";
  for (NodeNumber directory = 0; directory < nodes.size(); ++directory) {
    if (!is_directory(directory)) continue;
    for (const auto& [name, target] : names(directory).names()) {
      if (target != node) continue;
      const std::string above = path_of(directory);
      if (above.empty()) return {};
      return above == "/" ? above + name : above + "/" + name;
    }
  }
  return {};
}

uint64_t SimDiskState::links_of(NodeNumber node) const {
  uint64_t links = 0;
  for (const Node& directory : nodes) {
    if (!directory.directory) continue;
    for (const auto& entry : directory.directory->names()) links += entry.second == node ? 1 : 0;
  }
  return links;
}

NodeNumber SimDiskState::add_node(Node node) {
  nodes.push_back(std::move(node));
  return nodes.size() - 1;
}

NodeNumber SimDiskState::create_file(NodeNumber directory, std::string_view name) {
  const NodeNumber node = add_node({.file = Cow(SimFileState(sector_bytes)), .directory = {}});
  names(directory).create(next_order++, name, node);
  return node;
}

NodeNumber SimDiskState::create_directory(NodeNumber directory, std::string_view name) {
  const NodeNumber node = add_node({.file = {}, .directory = Cow(SimNames())});
  names(directory).create(next_order++, name, node);
  return node;
}

uint64_t SimDiskState::used_blocks() const {
  std::set<NodeNumber> named;
  for (const Node& node : nodes) {
    if (!node.directory) continue;
    for (const auto& entry : node.directory->names()) named.insert(entry.second);
  }
  uint64_t blocks = 0;
  for (const NodeNumber node : named) {
    if (nodes[node].file) blocks += nodes[node].file->cache().allocated_blocks();
  }
  return blocks;
}

size_t SimDiskState::room_for(NodeNumber node, uint64_t offset, size_t count) const {
  if (!capacity_blocks || count == 0) return count;
  const uint64_t used = used_blocks();
  uint64_t free = *capacity_blocks > used ? *capacity_blocks - used : 0;
  const SimImage& image = nodes[node].file->cache();
  const uint64_t last = (offset + count - 1) / kBlockBytes;
  for (uint64_t block = offset / kBlockBytes; block <= last; ++block) {
    if (image.has_block(block)) continue;
    if (free == 0) {
      const uint64_t begin = block * kBlockBytes;
      return begin <= offset ? 0 : static_cast<size_t>(begin - offset);
    }
    --free;
  }
  return count;
}

uint64_t SimDiskState::digest(NodeNumber node) const {
  if (nodes[node].file) {
    const SimFileState& file = *nodes[node].file;
    return SimRandom(file.cache().digest() + file.bytes()).next();
  }
  uint64_t all = 1;
  for (const auto& [name, below] : names(node).names()) {
    all = SimRandom(all ^ std::hash<std::string>{}(name)).next() ^ digest(below);
  }
  return all;
}

void SimDiskState::drop_unreachable() {
  std::vector<bool> is_reached(nodes.size());
  std::vector<NodeNumber> open = {kRootNode};
  while (!open.empty()) {
    const NodeNumber node = open.back();
    open.pop_back();
    if (is_reached[node]) continue;
    is_reached[node] = true;
    if (!is_directory(node)) continue;
    for (const auto& entry : names(node).names()) open.push_back(entry.second);
  }
  for (NodeNumber node = 0; node < nodes.size(); ++node) {
    if (!is_reached[node]) nodes[node] = Node();
  }
  may_have_unreachable = false;
  while (!nodes.back().file && !nodes.back().directory) nodes.pop_back();
}

}  // namespace writeahead::testing::internal
