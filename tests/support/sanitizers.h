// Whether this is a build with a sanitizer, in which everything takes several times as long.
#pragma once

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

}  // namespace writeahead::test
