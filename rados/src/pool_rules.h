// What a pool has to be for a log to be safe in it, by how the monitors describe it.
//
// Pure: whoever calls has asked them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "writeahead/result.h"

namespace writeahead::rados {

/// Replicated, three copies at least, written with two of them at least, and no cache tier, which
/// may lose what it was not yet asked to write through. `invalid_argument`, with what is wrong, or
/// `io` if the description does not say. `where` is for messages.
[[nodiscard]] Result<void> check_pool(const nlohmann::json& description, const std::string& where);

}  // namespace writeahead::rados
