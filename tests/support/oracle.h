// Oracle: judges the disk that a crash left, by the invariants of a write-ahead log.
//
// On copies of the disk it observes and verifies the log, recovers it, recovers it again after a
// power cut, appends, cuts the power again, reads everything back, closes and reopens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "support/log_model.h"
#include "support/script.h"
#include "writeahead/testing/sim_disk.h"

namespace writeahead::testing {

/// Keeps nothing of what it judged.
class Oracle {
 public:
  /// Whether a name that a directory's sync made durable is so for good: one whose sync failed
  /// before is not, and a copy of torn bytes or a file without data may come or go with it. So may,
  /// where direct reads are refused, what a recovery took for zeros behind the log's end.
  enum class Names : uint8_t { are_certain, may_return };

  explicit Oracle(const Workload& workload, Names names = Names::are_certain)
      : workload_(workload), names_(names) {}

  /// Nothing if the disk holds what `model` allows and goes on as a log should.
  [[nodiscard]] Complaint judge(const SimDisk& disk, const LogModel& model) const;

 private:
  struct Observed {
    bool is_there = false;
    bool has_torn_tail = false;
    Records records;
  };

  [[nodiscard]] Options options(SimEnv& env) const;
  [[nodiscard]] SimEnvOptions quiet() const;
  [[nodiscard]] Complaint observe(const SimDisk& disk, const LogModel& model, Observed& out) const;
  [[nodiscard]] Complaint recover(const SimDisk& disk, LogModel& model, const Observed& observed,
                                  Records& kept, SimDisk& left) const;
  [[nodiscard]] Complaint recover_again(const SimDisk& disk, LogModel& model, const Records& kept,
                                        size_t next_size, SimDisk& left) const;
  [[nodiscard]] Complaint read_back(const SimDisk& disk, LogModel& model) const;

  const Workload& workload_;
  const Names names_;
};

}  // namespace writeahead::testing
