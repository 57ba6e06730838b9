// CLI11's own conversion to numbers takes signs and wraps; these options parse for themselves.
#include "option.h"

#include <fmt/format.h>

#include "size.h"

namespace wal {

CLI::Option* add_directory(CLI::App& verb, std::string& path, const std::string& description) {
  return verb.add_option("DIR", path, description)->required()->type_name("");
}

CLI::Option* add_json(CLI::App& verb, bool& is_json) {
  return verb.add_flag("--json", is_json, "Report as JSON");
}

CLI::Option* add_number(CLI::App& verb, const std::string& name, std::optional<uint64_t>& value,
                        uint64_t smallest, const std::string& description) {
  const auto take = [name, &value, smallest](const std::string& text) {
    value = parse_number(text);
    if (!value || *value < smallest) {
      throw CLI::ValidationError(
          name, fmt::format("'{}' is not a whole number of at least {}", text, smallest));
    }
  };
  return verb.add_option_function<std::string>(name, take, description)->type_name("N");
}

CLI::Option* add_size(CLI::App& verb, const std::string& name, std::optional<uint64_t>& value,
                      const std::string& description) {
  const auto take = [name, &value](const std::string& text) {
    value = parse_size(text);
    if (!value) {
      throw CLI::ValidationError(
          name, fmt::format("'{}' is not a size such as 4608, 64K, 64M or 1G", text));
    }
  };
  return verb.add_option_function<std::string>(name, take, description)->type_name("SIZE");
}

}  // namespace wal
