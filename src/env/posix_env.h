// PosixEnv: the real system's paths, clocks, random bytes and processes.
//
// One instance a process, made on first use and never destroyed: logs in static storage may still
// be closing while other static objects are gone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "writeahead/env.h"

namespace writeahead::internal {

/// See Env for the contract.
class PosixEnv final : public Env {
 public:
  PosixEnv();

  SystemResult<std::unique_ptr<Directory>> open_directory(const std::string& path, bool create,
                                                          uint32_t mode) override;
  SystemResult<void> sync_parent(const std::string& path) override;
  SystemResult<void> remove_directory(const std::string& path) override;
  uint64_t max_file_bytes() override;
  SystemResult<std::string> resolve(const std::string& path) override;
  uint64_t wall_clock_ns() override;
  uint64_t monotonic_ns() override;
  SystemResult<void> random(std::span<std::byte> out) override;
  uint64_t process_id() override;
  ProcessIdentity process() override;
  bool is_alive(ProcessIdentity process) override;
  Identifier boot_id() override;

 private:
  Identifier boot_id_;
};

/// What /proc/PID/stat says of a process.
struct ProcessStatus {
  bool is_running = false;  ///< Neither a zombie nor dead.
  uint64_t start_time = 0;  ///< In clock ticks since boot.
};

/// Parses a line of /proc/PID/stat; not even a process named ") R 1" misleads it.
/// False if the line is not one.
[[nodiscard]] bool parse_process_status(std::string_view line, ProcessStatus& status);

/// Parses "01234567-89ab-...": all zero if it is not 32 digits with dashes.
[[nodiscard]] Identifier parse_boot_id(std::string_view text);

}  // namespace writeahead::internal
