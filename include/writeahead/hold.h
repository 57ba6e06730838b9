// Hold: a named consumer's promise from the log that nothing from a position on is trimmed.
//
// A hold belongs to the log and not to the process: it is found again by its name after a
// reopening, and stays until it is released.
#pragma once

#include <memory>
#include <string>

#include "writeahead/export.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead {

namespace internal {
class HoldBook;
}

/// A hold as Log::holds lists it.
struct HoldInfo {
  std::string name;
  Lsn lsn;  ///< What the consumer still needs, from here on.
};

/// A handle of a hold, from Log::hold. Destroying it leaves the hold in place. May outlive the Log:
/// calls answer `closed` then. Thread-safe but for moving; handles of one name lead to one hold.
class WRITEAHEAD_EXPORT Hold {
 public:
  Hold(std::string name, std::shared_ptr<internal::HoldBook> book);
  Hold(Hold&&) noexcept;
  Hold& operator=(Hold&&) noexcept;
  ~Hold();

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Where it stands. `not_found` if it was released.
  [[nodiscard]] Result<Lsn> lsn() const;
  /// Moves it forward: what lies below `lsn` is not needed any more. Takes effect at once for trims
  /// by this process; durable with the next write of the root, at the latest when the log was idle
  /// for a second or is closed. After a crash before that it stands where it stood, so that at
  /// worst more is kept. Codes: `invalid_argument` if it stands behind `lsn` already (Log::hold
  /// moves it back), `not_found`, `closed`.
  [[nodiscard]] Result<void> advance(Lsn lsn);
  /// Gives it up, with the same durability. Codes: `not_found`, `closed`.
  [[nodiscard]] Result<void> release();

 private:
  std::string name_;
  std::shared_ptr<internal::HoldBook> book_;
};

}  // namespace writeahead
