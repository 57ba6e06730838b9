// Whoever links this library can open rados:// addresses, with no other change of the code.
#include "rados_address.h"
#include "rados_objects.h"
#include "writeahead/object_store.h"

namespace writeahead::rados {
namespace {

Result<ObjectAddress> open_address(const std::string& text) {
  auto address = parse_address(text);
  if (!address) return std::unexpected(address.error());
  auto objects = RadosObjects::open(*address);
  if (!objects) return std::unexpected(objects.error());
  constexpr uint64_t kMsPerSecond = 1000;
  return ObjectAddress{.store = std::move(*objects),
                       .name = std::move(address->name),
                       .patience_ms = address->timeout_s * kMsPerSecond};
}

}  // namespace
}  // namespace writeahead::rados

/// The linker is told to look for this name, and so takes this file out of the archive.
// NOLINTNEXTLINE(readability-identifier-naming): a name for linkers.
extern "C" __attribute__((visibility("default"))) const bool writeahead_opens_rados = [] {
  writeahead::register_object_store("rados", writeahead::rados::open_address);
  return true;
}();
