// The four formats. A payload is passed on in pieces, so that showing a large record needs no
// second copy of it.
#include "record_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>

namespace wal {

using writeahead::RecordView;

namespace {

constexpr size_t kRowBytes = 16;

void write_base64(Output& out, std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < count ? std::to_integer<uint32_t>(bytes[i + j]) : 0);
    }
    std::array<char, 4> digits{};
    for (size_t j = 0; j < digits.size(); ++j) {
      digits[j] = j <= count ? kDigits[group >> (18 - 6 * j) & 0x3f] : '=';
    }
    out.write(std::string_view(digits.data(), digits.size()));
  }
}

void write_json(Output& out, const RecordView& record) {
  out.write(fmt::format(R"({{"lsn":{},"ordinal":{},"time_ns":{},"type":{},)", record.lsn.value(),
                        record.ordinal, record.time_ns, record.type));
  if (const auto& mark = record.producer_number) {
    out.write(fmt::format(R"("producer":{},"number":{},)", mark->producer, mark->number));
  }
  out.write(R"("payload_base64":")");
  write_base64(out, record.payload);
  out.write("\"}\n");
}

void write_hex_row(Output& out, size_t offset, std::span<const std::byte> bytes) {
  std::string row = fmt::format("  {:08x} ", offset);
  std::string text;
  for (size_t i = 0; i < kRowBytes; ++i) {
    row += i % 8 == 0 ? "  " : " ";
    if (i >= bytes.size()) {
      row += "  ";
      continue;
    }
    const auto byte = std::to_integer<unsigned char>(bytes[i]);
    fmt::format_to(std::back_inserter(row), "{:02x}", byte);
    text += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
  }
  out.write(fmt::format("{}  |{}|\n", row, text));
}

void write_hex(Output& out, const RecordView& record) {
  out.write(fmt::format("{} {} {}\n", record.lsn.value(), record.ordinal, record.type));
  for (size_t offset = 0; offset < record.payload.size(); offset += kRowBytes) {
    const size_t count = std::min(kRowBytes, record.payload.size() - offset);
    write_hex_row(out, offset, record.payload.subspan(offset, count));
  }
}

void write_length_prefixed(Output& out, const RecordView& record) {
  const auto length = static_cast<uint32_t>(record.payload.size());
  std::array<std::byte, 4> prefix{};
  for (size_t i = 0; i < prefix.size(); ++i) {
    prefix[i] = static_cast<std::byte>(length >> (8 * i) & 0xff);
  }
  out.write(std::span<const std::byte>(prefix));
  out.write(record.payload);
}

}  // namespace

void write_record(Output& out, const RecordView& record, RecordFormat format) {
  switch (format) {
    case RecordFormat::text:
      out.write(record.payload);
      out.write("\n");
      return;
    case RecordFormat::json:
      write_json(out, record);
      return;
    case RecordFormat::hex:
      write_hex(out, record);
      return;
    case RecordFormat::length_prefixed:
      write_length_prefixed(out, record);
      return;
  }
}

}  // namespace wal
