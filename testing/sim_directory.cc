// SimDirectory: names of one directory, under the machine's mutex.
#include "sim_directory.h"

#include <cerrno>
#include <optional>
#include <utility>

#include "sim_file.h"

namespace writeahead::testing::internal {
namespace {

bool is_single_component(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

}  // namespace

SimDirectory::SimDirectory(std::shared_ptr<SimMachine> machine,
                           std::shared_ptr<const SimProcess> process, NodeNumber node,
                           std::string path)
    : machine_(std::move(machine)),
      process_(std::move(process)),
      node_(node),
      path_(std::move(path)) {}

std::string SimDirectory::path_of(std::string_view name) const {
  return path_ + (path_.ends_with('/') ? "" : "/") + std::string(name);
}

int SimDirectory::refusal(std::string_view name, OpenFlags flags) const {
  if (!is_single_component(name)) return EINVAL;
  const SimDiskState& disk = machine_->disk.state();
  const std::optional<NodeNumber> node = disk.names(node_).find(name);
  if (flags.create) {
    if (node) return EEXIST;
  } else {
    if (!node) return ENOENT;
    if (disk.nodes[*node].kind == SimFileKind::symbolic_link) return ELOOP;
    if (disk.is_directory(*node) && flags.write) return EISDIR;
  }
  return flags.direct && machine_->options.refuses_direct ? EINVAL : 0;
}

SystemResult<std::unique_ptr<File>> SimDirectory::open(std::string_view name, OpenFlags flags) {
  const std::lock_guard lock(machine_->mutex);
  const CallKind kind = flags.create ? CallKind::create : CallKind::open;
  const int refused = refusal(name, flags);
  const SimFaults::Verdict verdict = machine_->begin(*process_, kind, [&]() -> InFlightEffect {
    if (!flags.create || refused != 0) return {};
    return [node = node_, text = std::string(name)](SimDiskState& disk, size_t bytes) {
      if (bytes != 0) disk.create_file(node, text);
    };
  });
  const int error = verdict.error != 0 ? verdict.error : refused;
  machine_->record({kind, path_of(name)}, -error);
  if (error != 0) return std::unexpected(SystemError{error});
  SimDiskState& disk = machine_->state();
  const NodeNumber node =
      flags.create ? disk.create_file(node_, name) : *disk.names(node_).find(name);
  return std::make_unique<SimFile>(machine_, process_, node, flags, path_of(name));
}

SystemResult<std::vector<std::string>> SimDirectory::list() {
  const std::lock_guard lock(machine_->mutex);
  const int error = machine_->begin(*process_, CallKind::list).error;
  machine_->record({CallKind::list, path_}, -error);
  if (error != 0) return std::unexpected(SystemError{error});
  std::vector<std::string> names;
  for (const auto& entry : machine_->state().names(node_).names()) names.push_back(entry.first);
  return names;
}

SystemResult<void> SimDirectory::rename_no_replace(std::string_view from, std::string_view to) {
  const std::lock_guard lock(machine_->mutex);
  const SimNames& names = std::as_const(machine_->state()).names(node_);
  int refused = 0;
  if (!is_single_component(from) || !is_single_component(to)) {
    refused = EINVAL;
  } else if (!names.find(from)) {
    refused = ENOENT;
  } else if (names.find(to)) {
    refused = EEXIST;
  }
  const SimFaults::Verdict verdict =
      machine_->begin(*process_, CallKind::rename, [&]() -> InFlightEffect {
        if (refused != 0) return {};
        return [node = node_, old_name = std::string(from), new_name = std::string(to)](
                   SimDiskState& disk, size_t bytes) {
          if (bytes != 0) disk.names(node).rename(disk.next_order++, old_name, new_name);
        };
      });
  const int error = verdict.error != 0 ? verdict.error : refused;
  machine_->record({CallKind::rename, path_of(from) + " to " + std::string(to)}, -error);
  if (error != 0) return std::unexpected(SystemError{error});
  SimDiskState& disk = machine_->state();
  disk.names(node_).rename(disk.next_order++, from, to);
  return {};
}

SystemResult<void> SimDirectory::remove(std::string_view name) {
  const std::lock_guard lock(machine_->mutex);
  return remove_sim_name(*machine_, *process_, node_, name, path_of(name), SimNameKind::file);
}

SystemResult<void> SimDirectory::remove_directory(std::string_view name) {
  const std::lock_guard lock(machine_->mutex);
  return remove_sim_name(*machine_, *process_, node_, name, path_of(name), SimNameKind::directory);
}

SystemResult<std::unique_ptr<Directory>> SimDirectory::open_directory(std::string_view name,
                                                                      bool create, uint32_t) {
  const std::lock_guard lock(machine_->mutex);
  if (!is_single_component(name)) return std::unexpected(SystemError{EINVAL});
  return open_sim_directory(machine_, process_, node_, name, create, path_of(name));
}

SystemResult<void> SimDirectory::sync() {
  const std::lock_guard lock(machine_->mutex);
  return sync_sim_directory(*machine_, *process_, node_, path_);
}

SystemResult<std::unique_ptr<Directory>> open_sim_directory(
    const std::shared_ptr<SimMachine>& machine, const std::shared_ptr<const SimProcess>& process,
    NodeNumber parent, std::string_view name, bool create, const std::string& path) {
  SimDiskState& disk = machine->state();
  std::optional<NodeNumber> node = std::as_const(disk).names(parent).find(name);
  const CallKind kind = !node && create ? CallKind::make_directory : CallKind::open;
  const SimFaults::Verdict verdict = machine->begin(*process, kind, [&]() -> InFlightEffect {
    if (kind == CallKind::open) return {};
    return [parent, text = std::string(name)](SimDiskState& copy, size_t bytes) {
      if (bytes != 0) copy.create_directory(parent, text);
    };
  });
  int error = verdict.error;
  if (error == 0 && !node && !create) error = ENOENT;
  if (error == 0 && node && !disk.is_directory(*node)) error = ENOTDIR;
  machine->record({kind, path}, -error);
  if (error != 0) return std::unexpected(SystemError{error});
  if (!node) node = disk.create_directory(parent, name);
  return std::make_unique<SimDirectory>(machine, process, *node, path);
}

SystemResult<void> remove_sim_name(SimMachine& machine, const SimProcess& process,
                                   NodeNumber parent, std::string_view name,
                                   const std::string& path, SimNameKind kind) {
  const SimDiskState& now = machine.disk.state();
  const std::optional<NodeNumber> node = now.names(parent).find(name);
  int refused = 0;
  if (!is_single_component(name)) {
    refused = EINVAL;
  } else if (!node) {
    refused = ENOENT;
  } else if (kind == SimNameKind::file) {
    refused = now.is_directory(*node) ? EISDIR : 0;
  } else if (!now.is_directory(*node)) {
    refused = ENOTDIR;
  } else if (!now.names(*node).names().empty()) {
    refused = ENOTEMPTY;
  }
  const InFlightEffect effect = [parent, text = std::string(name)](SimDiskState& disk,
                                                                   size_t bytes) {
    if (bytes == 0) return;
    disk.names(parent).remove(disk.next_order++, text);
    disk.may_have_unreachable = true;
  };
  const SimFaults::Verdict verdict = machine.begin(
      process, CallKind::remove, [&] { return refused == 0 ? effect : InFlightEffect(); });
  const int error = verdict.error != 0 ? verdict.error : refused;
  machine.record({CallKind::remove, path}, -error);
  if (error != 0) return std::unexpected(SystemError{error});
  effect(machine.state(), SIZE_MAX);
  return {};
}

SystemResult<void> sync_sim_directory(SimMachine& machine, const SimProcess& process,
                                      NodeNumber node, const std::string& path) {
  const SimFaults::Verdict verdict = machine.begin(process, CallKind::directory_sync);
  if (verdict.error == 0) {
    machine.state().names(node).sync();
  } else if (!verdict.stops_machine) {
    machine.state().names(node).fail_sync();
  }
  return answer(machine.record({CallKind::directory_sync, path}, -verdict.error));
}

}  // namespace writeahead::testing::internal
