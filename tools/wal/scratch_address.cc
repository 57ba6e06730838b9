// The name goes in front of what follows a question mark.
#include "scratch_address.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "writeahead/log.h"

namespace wal {

ScratchAddress::ScratchAddress(const std::string& address, std::string_view purpose)
    : text_(address) {
  // Another machine may have a process of the same number.
  const std::string suffix =
      fmt::format(".{}-{}-{:08x}", purpose, ::getpid(), std::random_device()());
  text_.insert(std::min(text_.find('?'), text_.size()), suffix);
}

ScratchAddress::~ScratchAddress() {
  // There may be none yet, and nobody is left to be told of anything else.
  [[maybe_unused]] const auto removed = writeahead::Log::destroy(text_);
}

}  // namespace wal
