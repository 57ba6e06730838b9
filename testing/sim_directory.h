// SimDirectory: an open directory of a simulated machine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim_machine.h"
#include "writeahead/env.h"

namespace writeahead::testing::internal {

/// See Directory for the contract.
class SimDirectory final : public Directory {
 public:
  SimDirectory(std::shared_ptr<SimMachine> machine, std::shared_ptr<const SimProcess> process,
               NodeNumber node, std::string path);

  SystemResult<std::unique_ptr<File>> open(std::string_view name, OpenFlags flags) override;
  SystemResult<std::vector<std::string>> list() override;
  SystemResult<void> rename_no_replace(std::string_view from, std::string_view to) override;
  SystemResult<void> remove(std::string_view name) override;
  SystemResult<void> remove_directory(std::string_view name) override;
  SystemResult<std::unique_ptr<Directory>> open_directory(std::string_view name, bool create,
                                                          uint32_t mode) override;
  SystemResult<void> sync() override;

 private:
  [[nodiscard]] std::string path_of(std::string_view name) const;
  /// 0, or why the file can not be opened so.
  [[nodiscard]] int refusal(std::string_view name, OpenFlags flags) const;

  std::shared_ptr<SimMachine> machine_;
  std::shared_ptr<const SimProcess> process_;
  NodeNumber node_;
  std::string path_;
};

/// Opens or makes the directory `name` in `parent`, as one counted call. With the mutex held.
[[nodiscard]] SystemResult<std::unique_ptr<Directory>> open_sim_directory(
    const std::shared_ptr<SimMachine>& machine, const std::shared_ptr<const SimProcess>& process,
    NodeNumber parent, std::string_view name, bool create, const std::string& path);

/// What a name has to stand for, to be removed by a call.
enum class SimNameKind : uint8_t { file, directory };
/// Removes the name of a file or of an empty directory, as one counted call. With the mutex held.
[[nodiscard]] SystemResult<void> remove_sim_name(SimMachine& machine, const SimProcess& process,
                                                 NodeNumber parent, std::string_view name,
                                                 const std::string& path, SimNameKind kind);

/// Makes the names of a directory durable, as one counted call. With the mutex held.
[[nodiscard]] SystemResult<void> sync_sim_directory(SimMachine& machine, const SimProcess& process,
                                                    NodeNumber node, const std::string& path);

}  // namespace writeahead::testing::internal
