// Making such payloads, and knowing them again.
#include "support/marked_payload.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace writeahead::test {

std::string payload_of(const Mark& mark) {
  std::string payload(mark.bytes, '\0');
  std::memcpy(payload.data(), &mark, sizeof mark);
  std::minstd_rand bytes(static_cast<uint32_t>(mark.writer * 1'000'003 + mark.number + 1));
  std::generate(payload.begin() + sizeof mark, payload.end(),
                [&] { return static_cast<char>(bytes()); });
  return payload;
}

std::optional<Mark> mark_of(std::span<const std::byte> payload) {
  Mark mark{};
  if (payload.size() < sizeof mark) return std::nullopt;
  std::memcpy(&mark, payload.data(), sizeof mark);
  if (mark.bytes != payload.size()) return std::nullopt;
  const std::string expected = payload_of(mark);
  if (std::memcmp(expected.data(), payload.data(), payload.size()) != 0) return std::nullopt;
  return mark;
}

}  // namespace writeahead::test
