// RadosAddress: the parts of rados://[user@]pool/name[?conf=path&timeout=seconds].
//
// Pure: nothing is asked whether there is such a pool, or such a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "writeahead/result.h"

namespace writeahead::rados {

struct RadosAddress {
  std::string user = "admin";  ///< Without "client." in front.
  std::string pool;
  std::string name;           ///< Of the log; may have slashes in it.
  std::string configuration;  ///< Path of a ceph.conf; empty for where Ceph looks for one.
  uint64_t timeout_s = 60;    ///< After which a request without an answer is given up.
};

/// `invalid_argument`, with what is wrong.
[[nodiscard]] Result<RadosAddress> parse_address(std::string_view address);

}  // namespace writeahead::rados
