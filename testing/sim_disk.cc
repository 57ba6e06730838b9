// SimDisk: crashes, and what tests prepare and inspect.
#include "writeahead/testing/sim_disk.h"

#include <algorithm>
#include <utility>

#include "sim_disk_state.h"

namespace writeahead::testing {

using internal::Cow;
using internal::NodeNumber;
using internal::SimDiskState;
using internal::SimFileState;
using internal::SimNames;

std::string to_string(const CrashPlan& plan) {
  std::string text = "kept=";
  for (const uint8_t kept : plan.kept) text += kept != 0 ? '1' : '0';
  text += " lost=";
  text += plan.lost == LostBytes::old ? "old" : plan.lost == LostBytes::zero ? "zero" : "garbage";
  text += " tear=";
  text += plan.tear == TearMode::powersafe ? "powersafe" : "strict";
  return text + " seed=" + std::to_string(plan.seed);
}

SimDisk::SimDisk(size_t sector_bytes) : state_(std::make_unique<SimDiskState>(sector_bytes)) {}
SimDisk::SimDisk(std::unique_ptr<SimDiskState> state) noexcept : state_(std::move(state)) {}
SimDisk::SimDisk(const SimDisk& other) : state_(std::make_unique<SimDiskState>(*other.state_)) {}
SimDisk::SimDisk(SimDisk&& other) noexcept = default;
SimDisk& SimDisk::operator=(const SimDisk& other) {
  if (this != &other) state_ = std::make_unique<SimDiskState>(*other.state_);
  return *this;
}
SimDisk& SimDisk::operator=(SimDisk&& other) noexcept = default;
SimDisk::~SimDisk() = default;

size_t SimDisk::undecided_count() const {
  size_t count = 0;
  for (const SimDiskState::Node& node : state_->nodes) {
    if (node.file) count += node.file->pieces().size() + node.file->sizes().size();
    if (!node.directory) continue;
    count += static_cast<size_t>(
        std::ranges::count_if(node.directory->changes(), [](const SimNames::Change& change) {
          return change.state != SimNames::Change::State::certain;
        }));
  }
  return count;
}

std::vector<Undecided> SimDisk::undecided() const {
  std::vector<Undecided> items;
  for (NodeNumber number = 0; number < state_->nodes.size(); ++number) {
    const SimDiskState::Node& node = state_->nodes[number];
    if (node.file && !node.file->is_durable()) {
      const std::string path = state_->path_of(number);
      for (const SimFileState::Piece& piece : node.file->pieces()) {
        items.push_back(
            {Undecided::Kind::sector, piece.order, path, piece.sector * node.file->sector_bytes()});
      }
      for (const SimFileState::SizeChange& size : node.file->sizes()) {
        items.push_back({Undecided::Kind::size, size.order, path, size.bytes});
      }
    }
    if (node.directory && !node.directory->is_durable()) {
      const std::string path = state_->path_of(number);
      for (const SimNames::Change& change : node.directory->changes()) {
        if (change.state == SimNames::Change::State::certain) continue;
        std::string name = path == "/" ? path + change.name : path + "/" + change.name;
        items.push_back({Undecided::Kind::name, change.order, std::move(name), 0});
      }
    }
  }
  return items;
}

SimDisk SimDisk::crash(const CrashPlan& plan) const {
  auto next = std::make_unique<SimDiskState>(*state_);
  ++next->boots;
  SimFileState::Decisions decisions(plan);
  bool has_name_changes = false;
  for (NodeNumber number = 0; number < next->nodes.size(); ++number) {
    SimDiskState::Node& node = next->nodes[number];
    if (node.file && !node.file->is_durable()) {
      node.file = Cow(node.file->crashed(decisions, number));
    }
    if (node.directory && !node.directory->is_durable()) {
      node.directory = Cow(node.directory->crashed(decisions));
      has_name_changes = true;
    }
  }
  // A name that was durably removed leaves an unreachable file, too.
  if (has_name_changes || next->may_have_unreachable) next->drop_unreachable();
  return SimDisk(std::move(next));
}

SimDisk SimDisk::shut_down() const {
  SimDisk synced = *this;
  for (SimDiskState::Node& node : synced.state_->nodes) {
    if (node.file && !node.file->is_durable()) node.file.mutate().sync();
    if (node.directory && !node.directory->is_durable()) node.directory.mutate().sync();
  }
  return synced.crash({});
}

uint64_t SimDisk::boots() const { return state_->boots; }

void SimDisk::make_directory(std::string_view path) {
  if (state_->find(path)) return;
  const internal::SplitPath parts = internal::split_path(path);
  make_directory(parts.directory);
  const NodeNumber node = state_->add_node({.file = {}, .directory = Cow(SimNames())});
  state_->names(*state_->find(parts.directory)).set_durable(parts.name, node);
}

void SimDisk::put(std::string_view path, std::span<const std::byte> bytes, SimFileKind kind) {
  const internal::SplitPath parts = internal::split_path(path);
  make_directory(parts.directory);
  const NodeNumber directory = *state_->find(parts.directory);
  std::optional<NodeNumber> node = state_->names(directory).find(parts.name);
  if (!node) {
    node = state_->add_node({.file = Cow(SimFileState(state_->sector_bytes)), .directory = {}});
  }
  state_->names(directory).set_durable(parts.name, node);
  state_->file(*node).replace(bytes);
  state_->nodes[*node].kind = kind;
}

bool SimDisk::link(std::string_view path, std::string_view new_path) {
  const std::optional<NodeNumber> node = state_->find(path);
  const internal::SplitPath parts = internal::split_path(new_path);
  const std::optional<NodeNumber> directory = state_->find(parts.directory);
  if (!node || !directory) return false;
  state_->names(*directory).set_durable(parts.name, node);
  return true;
}

bool SimDisk::erase(std::string_view path) {
  const internal::SplitPath parts = internal::split_path(path);
  const std::optional<NodeNumber> directory = state_->find(parts.directory);
  if (!directory || !state_->is_directory(*directory)) return false;
  if (!state_->names(*directory).find(parts.name)) return false;
  state_->names(*directory).set_durable(parts.name, std::nullopt);
  state_->may_have_unreachable = true;
  return true;
}

std::optional<std::vector<std::byte>> SimDisk::contents(std::string_view path) const {
  const std::optional<NodeNumber> node = state_->find(path);
  if (!node || !state_->nodes[*node].file) return std::nullopt;
  const SimFileState& file = *state_->nodes[*node].file;
  std::vector<std::byte> bytes(file.bytes());
  file.cache().read(0, bytes);
  return bytes;
}

std::optional<std::vector<std::string>> SimDisk::names(std::string_view path) const {
  const std::optional<NodeNumber> node = state_->find(path);
  if (!node || !state_->is_directory(*node)) return std::nullopt;
  std::vector<std::string> result;
  for (const auto& entry : state_->names(*node).names()) result.push_back(entry.first);
  return result;
}

std::vector<std::string> SimDisk::files() const {
  std::vector<std::string> result;
  std::vector<std::string> open = {""};
  while (!open.empty()) {
    const std::string path = std::move(open.back());
    open.pop_back();
    for (const auto& [name, node] : state_->names(*state_->find(path)).names()) {
      std::string below = path + "/" + name;
      (state_->is_directory(node) ? open : result).push_back(std::move(below));
    }
  }
  std::ranges::sort(result);
  return result;
}

uint64_t SimDisk::digest() const { return state_->digest(internal::kRootNode); }

bool SimDisk::shows_same_as(const SimDisk& other) const {
  const std::vector<std::string> paths = files();
  if (paths != other.files()) return false;
  return std::ranges::all_of(paths, [&](const std::string& path) {
    const auto& mine = state_->nodes[*state_->find(path)].file;
    const auto& theirs = other.state_->nodes[*other.state_->find(path)].file;
    if (mine.shares_with(theirs)) return true;
    return mine->bytes() == theirs->bytes() &&
           mine->cache().shows_same_as(theirs->cache(), mine->bytes());
  });
}

}  // namespace writeahead::testing
