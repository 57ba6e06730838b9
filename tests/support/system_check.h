// require_call: a system call of a test's own preparations that has to succeed.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace writeahead::test {

/// Throws a std::system_error with the errno of the call before, unless it is done.
inline void require_call(bool is_done, const std::string& what) {
  if (!is_done) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace writeahead::test
