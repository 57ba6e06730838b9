// SimNames: one directory of the simulated disk: its names, and which of their changes are pending.
//
// Each change may be lost on its own at a power cut, whatever came before or behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim_file_state.h"

namespace writeahead::testing::internal {

/// Names and the nodes (files and directories) that they stand for.
class SimNames {
 public:
  using Map = std::map<std::string, uint64_t, std::less<>>;
  struct Change {
    enum class Kind : uint8_t { create, rename, remove };
    /// certain: synced, but kept in line behind a failed change that is still open.
    enum class State : uint8_t { pending, failed, certain };
    uint64_t order;
    Kind kind;
    State state;
    std::string name;
    std::string new_name;  // Of a rename.
    uint64_t node;
  };

  [[nodiscard]] const Map& names() const noexcept { return view_; }
  [[nodiscard]] std::optional<uint64_t> find(std::string_view name) const;

  void create(uint64_t order, std::string_view name, uint64_t node);
  void rename(uint64_t order, std::string_view name, std::string_view new_name);
  void remove(uint64_t order, std::string_view name);
  void sync();
  void fail_sync();

  /// Sets or takes away a name, durably, with nothing pending on it.
  void set_durable(std::string_view name, std::optional<uint64_t> node);

  [[nodiscard]] bool is_durable() const noexcept { return changes_.empty(); }
  /// In order; those that are certain are no undecided items.
  [[nodiscard]] const std::vector<Change>& changes() const noexcept { return changes_; }
  /// The directory after a power cut. Takes a decision for each change that is not certain.
  [[nodiscard]] SimNames crashed(SimFileState::Decisions& decisions) const;

 private:
  void add(Change change);
  void apply(Map& names, const Change& change) const;

  Map durable_;
  Map view_;
  std::vector<Change> changes_;
};

}  // namespace writeahead::testing::internal
