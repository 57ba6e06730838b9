// Whether this is a build with a sanitizer, in which everything takes several times as long.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WRITEAHEAD_IS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WRITEAHEAD_IS_SANITIZED
#endif
#endif

namespace writeahead::test {

#ifdef WRITEAHEAD_IS_SANITIZED
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

/// 1, or more under sanitizers, where only every so many-th case is tried.
constexpr size_t case_step(size_t slow_step) { return kIsSanitized ? slow_step : 1; }

}  // namespace writeahead::test
