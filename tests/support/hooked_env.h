// An Env that calls a hook before some calls: which may do something at just that moment, such as
// what another process does, or throw std::bad_alloc.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "writeahead/env.h"
#include "writeahead/testing/sim_call.h"

namespace writeahead::testing {

/// Told the call and the name of the file: before each read, write, sync and lock of a file, and
/// list.
using EnvHook = std::function<void(CallKind kind, std::string_view name)>;

/// Talks to `env`, which outlives it. It outlives its files and directories.
[[nodiscard]] std::unique_ptr<Env> make_hooked_env(Env& env, EnvHook hook);

}  // namespace writeahead::testing
