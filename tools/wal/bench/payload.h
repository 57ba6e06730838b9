// Payloads that no compression would make smaller.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace wal::bench {

inline std::string payload_of(uint64_t bytes) {
  std::mt19937_64 random(bytes);
  std::string payload(bytes, '\0');
  for (char& byte : payload) {
    byte = static_cast<char>(random());
  }
  return payload;
}

}  // namespace wal::bench
