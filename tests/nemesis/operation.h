// Operation: one thing that a process did with the log, as its history has it.
//
// A record that is appended, one that is read, an opening or a reading takes an entry each, of the
// same size, so that a history is an array in a file, and what kill -9 leaves of it can be read.
#pragma once

#include <chrono>
#include <cstdint>
#include <type_traits>

namespace writeahead::nemesis {

struct Operation {
  enum class Kind : uint8_t {
    nothing,  ///< Not begun: the place is reserved, or was never used.
    open,     ///< The log was opened for writing, with `epoch`.
    append,   ///< Record `id`; `lsn` is its address if it is done.
    read,     ///< From `lsn` on, up to `end`; the `count` entries behind it are what was seen.
    seen,     ///< Record `id` at `lsn`.
    point,    ///< Record `id` was read at `lsn`, alone.
    trim,     ///< What lies below `lsn` may go.
    zombie,  ///< An append that an owner of `epoch` made at the cluster itself, when it was fenced.
  };
  enum class Outcome : uint8_t {
    none,  ///< There is no answer: its process was killed, or the end of the run came.
    done,
    refused,  ///< It is said that nothing was changed.
    unknown,  ///< It may have been made, or may be made yet.
    failed,   ///< A read whose answer says nothing of the log: it was not reached.
    missing,  ///< A point read for which there is no record there.
    damaged,  ///< A read that found what no writer wrote.
  };
  /// Which records a read has to see at least: those that were acknowledged before it began ...
  enum class Scope : uint8_t {
    none,      ///< ... need not be there: it follows, or is of an owner that may be fenced.
    own,       ///< ... to the process that reads.
    everyone,  ///< ... to whomever.
  };

  uint64_t id = 0;
  uint64_t lsn = 0;
  uint64_t epoch = 0;        ///< The owner's, of an opening and an append.
  uint64_t end = 0;          ///< Of a read: the position behind what was seen.
  uint64_t invoked_ns = 0;   ///< One clock for all processes of the machine.
  uint64_t answered_ns = 0;  ///< 0 without an answer.
  uint32_t count = 0;        ///< Of an append: the records of its batch, 1 without one.
  uint8_t index = 0;         ///< ... and which of them it is.
  Scope scope = Scope::none;
  Kind kind = Kind::nothing;        ///< Written behind all of the above, before the call.
  Outcome outcome = Outcome::none;  ///< Written behind what the answer says.
};
static_assert(std::is_trivially_copyable_v<Operation> && sizeof(Operation) == 56);

/// Never that of a record.
inline constexpr uint64_t kDamagedId = UINT64_MAX;
constexpr int kNumberBits = 40;
/// Of a process's `number`th record.
constexpr uint64_t id_of(uint64_t process, uint64_t number) {
  return process << kNumberBits | number;
}
constexpr uint64_t process_of(uint64_t id) { return id >> kNumberBits; }
constexpr uint64_t number_of(uint64_t id) { return id & ((uint64_t{1} << kNumberBits) - 1); }

inline uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

}  // namespace writeahead::nemesis
