// Keys of stores that are sorted by bytes: they sort as their numbers do.
#pragma once

#include <array>
#include <cstdint>

namespace peers {

inline std::array<char, 8> big_endian(uint64_t number) {
  std::array<char, 8> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(static_cast<unsigned char>(number >> (56 - 8 * i)));
  }
  return bytes;
}

}  // namespace peers
