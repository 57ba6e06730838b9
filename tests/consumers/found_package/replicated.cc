// Whoever links WriteAhead::rados can open its addresses: one that is wrong is refused by what
// knows them, without a cluster.
#include <string_view>

#include "writeahead/log.h"

int main() {
  const auto log = writeahead::Log::open("rados://pool");
  if (log || log.error().code() != writeahead::ErrorCode::invalid_argument) return 1;
  return log.error().message().find("pool/name") != std::string_view::npos ? 0 : 2;
}
