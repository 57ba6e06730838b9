// Taking an address apart, from left to right.
#include "rados_address.h"

#include <fmt/format.h>

#include <charconv>

namespace writeahead::rados {
namespace {

constexpr std::string_view kScheme = "rados://";
constexpr uint64_t kMostSeconds = 3600;

/// What stands in front of `separator`, which is taken away with it; all of it if there is none.
std::string_view take(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return taken;
}

}  // namespace

Result<RadosAddress> parse_address(std::string_view address) {
  const auto refuse = [&](std::string_view cause) {
    return std::unexpected(
        Error(ErrorCode::invalid_argument, fmt::format("open log: {} ({})", cause, address)));
  };
  if (!address.starts_with(kScheme)) return refuse("it does not begin with rados://");
  std::string_view options = address.substr(kScheme.size());
  std::string_view place = take(options, '?');
  RadosAddress parts;
  if (const size_t at = place.find('@'); at < place.find('/')) parts.user = take(place, '@');
  parts.pool = take(place, '/');
  parts.name = place;
  if (parts.user.empty()) return refuse("there is no user in front of the @");
  if (parts.pool.empty() || parts.name.empty()) {
    return refuse("it has to be rados://[user@]pool/name[?conf=path&timeout=seconds]");
  }
  while (!options.empty()) {
    std::string_view option = take(options, '&');
    const std::string_view key = take(option, '=');
    if (key == "conf" && !option.empty()) {
      parts.configuration = option;
    } else if (key == "timeout") {
      const auto [end, error] =
          std::from_chars(option.data(), option.data() + option.size(), parts.timeout_s);
      const bool is_number = error == std::errc{} && end == option.data() + option.size();
      if (!is_number || parts.timeout_s == 0 || parts.timeout_s > kMostSeconds) {
        return refuse("timeout has to be from 1 to 3600 seconds");
      }
    } else {
      return refuse(fmt::format("there is no option {}", key));
    }
  }
  return parts;
}

}  // namespace writeahead::rados
