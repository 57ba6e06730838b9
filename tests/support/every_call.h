// use_every_call, use_salvage: one process that calls everything which the library offers on files,
// and says where the library is at work and where the caller.
#pragma once

#include <functional>
#include <string>

namespace writeahead::test {

/// Makes logs below the directory `base` and takes most of them away again. `mark` is called before
/// and after each stretch in which only the library, and its threads, make system calls. 0 if all
/// calls answered what they should; else what did not is printed.
[[nodiscard]] int use_every_call(const std::string& base, const std::function<void()>& mark);

/// The same for salvage(), with a damaged log.
[[nodiscard]] int use_salvage(const std::string& base, const std::function<void()>& mark);

}  // namespace writeahead::test
