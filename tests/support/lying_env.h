// LyingEnv: an Env that breaks one promise and keeps the others. What runs on it must be caught.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "writeahead/env.h"

namespace writeahead::testing {

enum class Lie : uint8_t {
  dsync_is_a_plain_write,    ///< WriteBarrier::dsync is ignored.
  file_sync_does_nothing,    ///< File::sync_data succeeds at once.
  names_sync_does_nothing,   ///< Directory::sync and sync_parent succeed at once.
  failed_write_succeeds,     ///< An error of a write is kept from the caller.
  failed_sync_succeeds,      ///< An error of sync_data is kept from the caller.
  read_error_is_the_end,     ///< A read that fails finds the end of the file.
  read_error_is_zeros,       ///< A read that fails finds zeros, as in a file's hole.
  short_write_was_complete,  ///< A write that fell short says that it did not.
  one_length_was_complete,   ///< The same, but only if it fell short at kOneLength bytes.
  second_slot_is_lost,       ///< After the opening one of the root's slots is not written.
};

inline constexpr size_t kOneLength = 769;

/// Talks to `env`, which outlives it.
[[nodiscard]] std::unique_ptr<Env> make_lying_env(Env& env, Lie lie);

}  // namespace writeahead::testing
