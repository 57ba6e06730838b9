// ScratchAddress: a log that a verb makes for itself, beside the one whose address it was given.
#pragma once

#include <string>
#include <string_view>

namespace wal {

/// A name that nobody else uses. What is made there is gone with this object; a process that is
/// killed leaves it behind, as NAME.PURPOSE-...
class ScratchAddress {
 public:
  ScratchAddress(const std::string& address, std::string_view purpose);
  ScratchAddress(const ScratchAddress&) = delete;
  ScratchAddress& operator=(const ScratchAddress&) = delete;
  ~ScratchAddress();

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace wal
