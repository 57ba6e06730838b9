// Error's implementation, the names of codes, and the builders of messages.
// Nothing here throws: what happens without memory is a shorter message.
#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <iterator>
#include <system_error>
#include <utility>

#include "writeahead/durability.h"
#include "writeahead/options.h"

namespace writeahead {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::trimmed:
      return "trimmed";
    case ErrorCode::truncated:
      return "truncated";
    case ErrorCode::corruption:
      return "corruption";
    case ErrorCode::unsupported_format:
      return "unsupported_format";
    case ErrorCode::io:
      return "io";
    case ErrorCode::no_space:
      return "no_space";
    case ErrorCode::locked:
      return "locked";
    case ErrorCode::fenced:
      return "fenced";
    case ErrorCode::failed:
      return "failed";
    case ErrorCode::closed:
      return "closed";
    case ErrorCode::too_large:
      return "too_large";
    case ErrorCode::would_block:
      return "would_block";
    case ErrorCode::repeated:
      return "repeated";
  }
  return "unknown";
}

std::string_view to_string(Durability durability) {
  switch (durability) {
    case Durability::durable:
      return "durable";
    case Durability::written:
      return "written";
    case Durability::buffered:
      return "buffered";
  }
  return "unknown";
}

std::string_view to_string(SyncMethod method) {
  switch (method) {
    case SyncMethod::automatic:
      return "automatic";
    case SyncMethod::direct_dsync:
      return "direct_dsync";
    case SyncMethod::dsync:
      return "dsync";
    case SyncMethod::fdatasync:
      return "fdatasync";
  }
  return "unknown";
}

Error::Error(ErrorCode code, std::string message, int system_error) noexcept
    : code_(code), system_error_(system_error) {
  if (message.empty()) return;
  try {
    message_ = std::make_shared<const std::string>(std::move(message));
  } catch (const std::bad_alloc&) {
    message_ = nullptr;  // The code alone has to do.
  }
}

std::string_view Error::message() const noexcept {
  return message_ ? std::string_view(*message_) : to_string(code_);
}

namespace internal {

Error make_error(ErrorCode code, std::string_view action, std::string_view cause,
                 const Place& place, int system_error) noexcept {
  try {
    std::string text = fmt::format("{}: {}", action, cause);
    std::string_view separator = " (";
    auto add = [&](std::string_view part) {
      fmt::format_to(std::back_inserter(text), "{}{}", separator, part);
      separator = ", ";
    };
    if (!place.path.empty()) add(place.path);
    if (place.offset) add(fmt::format("offset {}", *place.offset));
    if (place.lsn) add(fmt::format("lsn {}", place.lsn->value()));
    if (separator == ", ") text += ')';
    return Error(code, std::move(text), system_error);
  } catch (const std::exception&) {
    return Error(code, {}, system_error);
  }
}

Error forked_error(std::string_view action, std::string_view path) noexcept {
  return make_error(ErrorCode::failed, action, "the log was opened before fork, by another process",
                    {.path = path});
}

Error io_error(std::string_view action, SystemError error, const Place& place) noexcept {
  try {
    return make_error(ErrorCode::io, action, std::generic_category().message(error.number), place,
                      error.number);
  } catch (const std::exception&) {
    return Error(ErrorCode::io, {}, error.number);
  }
}

Error with_code(const Error& error, ErrorCode code) noexcept {
  try {
    return Error(code, std::string(error.message()), error.system_error());
  } catch (const std::bad_alloc&) {
    return Error(code, {}, error.system_error());
  }
}

Error shortage_error(std::string_view action, SystemError error, const Place& place) noexcept {
  static constexpr std::array kShortages = {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM,
                                            EACCES, EPERM,  EROFS,  EFBIG};
  const Error failure = io_error(action, error, place);
  const bool is_shortage = std::ranges::find(kShortages, error.number) != kShortages.end();
  return is_shortage ? with_code(failure, ErrorCode::no_space) : failure;
}

bool is_out_of_space(SystemError error) noexcept {
  return error.number == ENOSPC || error.number == EDQUOT;
}

std::string join_path(std::string_view directory, std::string_view name) noexcept {
  try {
    return fmt::format("{}/{}", directory, name);
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace internal
}  // namespace writeahead
