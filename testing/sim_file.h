// SimFile: an open file of a simulated machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "sim_machine.h"
#include "writeahead/env.h"

namespace writeahead::testing::internal {

/// See File for the contract, SimDisk and SimEnv for what can go wrong.
class SimFile final : public File {
 public:
  /// Called with the machine's mutex held.
  SimFile(std::shared_ptr<SimMachine> machine, std::shared_ptr<const SimProcess> process,
          NodeNumber node, OpenFlags flags, std::string path);
  ~SimFile() override;

  SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) override;
  SystemResult<size_t> write_at(uint64_t offset, std::span<const std::byte> data,
                                WriteBarrier barrier) override;
  SystemResult<void> sync_data() override;
  SystemResult<FileInfo> info() override;
  DeviceUnits device_units() override;
  SystemResult<void> lock(LockKind kind) override;
  void unlock() override;
  SystemResult<std::unique_ptr<MappedRegion>> map(MapOptions options) override;

 private:
  SystemResult<size_t> perform_write(uint64_t offset, std::span<const std::byte> data,
                                     WriteBarrier barrier, std::unique_lock<std::mutex>& lock);
  bool wait_while_held(uint64_t offset, std::span<const std::byte> data,
                       std::unique_lock<std::mutex>& lock);
  [[nodiscard]] InFlightEffect effect_of(uint64_t offset, std::span<const std::byte> data) const;
  /// 0, or why the file can not be mapped so.
  [[nodiscard]] int map_refusal(MapOptions options) const;
  /// Every other open file of this one's bytes will report the error once.
  void report_to_others(int error);
  [[nodiscard]] bool is_aligned(uint64_t offset, const void* memory, size_t count) const;
  [[nodiscard]] SimMachine::Call call(CallKind kind, uint64_t offset, uint64_t length) const;

  std::shared_ptr<SimMachine> machine_;
  std::shared_ptr<const SimProcess> process_;
  NodeNumber node_;
  OpenFlags flags_;
  std::string path_;
  int pending_error_ = 0;
};

/// Turns a recorded result, negative for an errno, into the answer of a call.
[[nodiscard]] SystemResult<size_t> answer_count(int64_t result);
[[nodiscard]] SystemResult<void> answer(int64_t result);

}  // namespace writeahead::testing::internal
