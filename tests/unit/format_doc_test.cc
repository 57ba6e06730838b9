// docs/format.md says what the code does: its byte tables are the code's fields, and its hex dumps
// are the bytes that a log with a fixed id and a fixed clock consists of today.
//
// On a difference the test prints what should stand in the document.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "format/control_page.h"
#include "format/frame.h"
#include "format/record.h"
#include "format/root_slot.h"
#include "format/seal.h"
#include "format/segment_header.h"
#include "support/damaged_log.h"
#include "support/paths.h"

namespace writeahead::testing {
namespace {

using format::FieldDescription;
using ByteView = std::span<const std::byte>;

/// A structure of the format, under the heading that its table stands below.
struct Structure {
  std::string heading;
  std::span<const FieldDescription> fields;
  uint64_t bytes = 0;
};

const Structure kRoot{"Root slot", format::kRootFields, format::kRootSlotBytes};
const Structure kHold{"Hold", format::kHoldFields, format::kHoldBytes};
const Structure kSegment{"Segment header", format::kSegmentFields, format::kSegmentHeaderBytes};
const Structure kFrameTable{"Frame header", format::kFrameFields, format::kFrameHeaderBytes};
const Structure kRecord{"Record header", format::kRecordFields, format::kRecordHeaderBytes};
const Structure kSeal{"Seal body", format::kSealFields, format::kSealBodyBytes};
const Structure kIndex{"Seal index entry", format::kSealIndexFields, format::kSealIndexEntryBytes};
const Structure kMark{"Producer and number", format::kMarkFields, format::kMarkBytes};
const Structure kProducer{"Producer table entry", format::kProducerFields,
                          format::kProducerEntryBytes};
const Structure kControl{"Control page", format::kControlFields, format::kControlFileBytes};
const std::vector<Structure> kStructures = {kRoot,   kHold, kSegment, kFrameTable, kProducer,
                                            kRecord, kMark, kSeal,    kIndex,      kControl};

std::vector<std::string> lines_of_document() {
  std::ifstream file(test::source_directory() + "/docs/format.md");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  EXPECT_FALSE(lines.empty());
  return lines;
}

/// A row of a byte table; without a name it says that bytes are zero.
struct Row {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  std::string type;
  std::string field;
};

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line.substr(1));
  for (std::string cell; std::getline(stream, cell, '|');) {
    const size_t begin = cell.find_first_not_of(" `");
    const size_t end = cell.find_last_not_of(" `");
    cells.push_back(begin == std::string::npos ? "" : cell.substr(begin, end - begin + 1));
  }
  return cells;
}

/// The byte tables, by heading: those whose first column is called "offset".
std::map<std::string, std::vector<Row>> tables_of_document() {
  std::map<std::string, std::vector<Row>> tables;
  std::string heading;
  bool is_in_table = false;
  for (const std::string& line : lines_of_document()) {
    if (line.starts_with("#")) heading = line.substr(line.find_first_not_of("# "));
    const bool is_row = line.starts_with("|");
    const auto cells = is_row ? cells_of(line) : std::vector<std::string>();
    if (is_row && cells[0] == "offset") {
      EXPECT_EQ(cells, (std::vector<std::string>{"offset", "size", "type", "field", "meaning"}));
      EXPECT_FALSE(tables.contains(heading)) << "two tables below " << heading;
      is_in_table = true;
    } else if (is_in_table && is_row && !cells[0].starts_with("-")) {
      EXPECT_EQ(cells.size(), 5U) << line;
      if (cells.size() != 5) continue;
      EXPECT_FALSE(cells[4].empty()) << line;
      tables[heading].push_back({.offset = std::stoull(cells[0]),
                                 .bytes = std::stoull(cells[1]),
                                 .type = cells[2],
                                 .field = cells[3]});
    }
    is_in_table = is_in_table && is_row;
  }
  return tables;
}

TEST(FormatDocument, tables_are_the_fields_of_the_code_in_both_directions) {
  const auto tables = tables_of_document();
  EXPECT_EQ(tables.size(), kStructures.size());
  for (const Structure& structure : kStructures) {
    SCOPED_TRACE(structure.heading);
    ASSERT_TRUE(tables.contains(structure.heading));
    std::vector<std::string> documented;
    for (const Row& row : tables.at(structure.heading)) {
      if (row.field.empty()) continue;
      documented.push_back(fmt::format("{} {} {}", row.offset, row.bytes, row.field));
    }
    std::vector<std::string> coded;
    for (const FieldDescription& field : structure.fields) {
      coded.push_back(fmt::format("{} {} {}", field.offset, field.bytes, field.name));
    }
    EXPECT_EQ(documented, coded);
  }
}

TEST(FormatDocument, rows_follow_each_other_to_the_last_byte_and_have_the_size_of_their_type) {
  const std::map<std::string, uint64_t> sizes = {{"u8", 1}, {"u16", 2}, {"u32", 4}, {"u64", 8}};
  const auto tables = tables_of_document();
  for (const Structure& structure : kStructures) {
    SCOPED_TRACE(structure.heading);
    ASSERT_TRUE(tables.contains(structure.heading));
    uint64_t end = 0;
    for (const Row& row : tables.at(structure.heading)) {
      EXPECT_EQ(row.offset, end) << "a hole or an overlap before " << row.field;
      end = row.offset + row.bytes;
      const bool is_bytes = row.type == "bytes" || (row.type == "zero" && row.field.empty());
      EXPECT_TRUE(is_bytes || (sizes.contains(row.type) && sizes.at(row.type) == row.bytes))
          << row.field;
    }
    EXPECT_EQ(end, structure.bytes);
  }
}

TEST(FormatDocument, fields_of_the_code_neither_overlap_nor_leave_their_structure) {
  for (const Structure& structure : kStructures) {
    uint64_t end = 0;
    for (const FieldDescription& field : structure.fields) {
      EXPECT_GE(field.offset, end) << structure.heading << ": " << field.name;
      end = field.offset + uint64_t{field.bytes};
      const bool is_word = field.bytes <= 8 && field.name != "name";
      if (is_word) {
        EXPECT_EQ(field.offset % field.bytes, 0U) << structure.heading << ": " << field.name;
      }
    }
    EXPECT_LE(end, structure.bytes) << structure.heading;
  }
}

// The dumps.

std::string hex_of(ByteView bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x} ", std::to_integer<int>(byte));
  text.pop_back();
  return text;
}

/// Lines of up to 16 bytes at `offset`; the note stands at the first.
void dump_bytes(std::string& out, ByteView bytes, uint64_t offset, const std::string& note) {
  if (bytes.size() > 16 && format::is_zero(bytes)) {
    const std::string zeros = fmt::format("({} zero bytes)", bytes.size());
    out += fmt::format("{:06x}  {:47}  {}", offset, zeros, note);
    out.resize(out.find_last_not_of(' ') + 1);
    out += '\n';
    return;
  }
  for (size_t at = 0; at < bytes.size(); at += 16) {
    const auto part = bytes.subspan(at, std::min<size_t>(16, bytes.size() - at));
    out += fmt::format("{:06x}  {:47}  {}", offset + at, hex_of(part), at == 0 ? note : "");
    out.resize(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
}

/// The field's name, with its value where that is a number that means something.
std::string note_of(const FieldDescription& field, ByteView bytes) {
  const bool is_number = field.bytes <= 8 && field.name != "magic" &&
                         !field.name.ends_with("checksum") && !field.name.ends_with("digest");
  if (!is_number) return std::string(field.name);
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) {
    value = value << 8 | std::to_integer<uint64_t>(bytes[i - 1]);
  }
  return fmt::format("{} = {}", field.name, value);
}

void dump_structure(std::string& out, const Structure& structure, ByteView file, uint64_t offset) {
  out += fmt::format("-- {}\n", structure.heading);
  uint64_t end = 0;
  const auto zeros_to = [&](uint64_t to) {
    if (to > end) dump_bytes(out, file.subspan(offset + end, to - end), offset + end, "");
  };
  for (const FieldDescription& field : structure.fields) {
    zeros_to(field.offset);
    const ByteView bytes = file.subspan(offset + field.offset, field.bytes);
    dump_bytes(out, bytes, offset + field.offset, note_of(field, bytes));
    end = field.offset + uint64_t{field.bytes};
  }
  zeros_to(structure.bytes);
}

/// Two segments: a batch of two records fills the first, with its seal; the log was closed.
SimDisk documented_log() {
  SimEnv env(SimDisk{}, {.seed = 1, .clock_step_ns = 0});
  auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  Batch batch;
  batch.add("hello", {.type = 1});
  batch.add("write-ahead logs", {.type = 2});
  EXPECT_TRUE(log.append(batch));
  EXPECT_TRUE(log.append(std::string(3900, 'x')));
  EXPECT_TRUE(log.close());
  return env.disk();
}

std::string dump_of_root() {
  const auto file = documented_log().contents(kRootPath).value();
  std::string out;
  // The slots differ in their sequence and so in their checksum; the second one is the newer.
  dump_structure(out, kRoot, file, format::kRootSlotBytes);
  return out;
}

std::string dump_of_segment() {
  const auto file = documented_log().contents("/log/00000000000000000001.wal").value();
  std::string out;
  dump_structure(out, kSegment, file, 0);
  uint64_t offset = format::kSegmentHeaderBytes;
  dump_structure(out, kFrameTable, file, offset);
  const uint64_t frame_end =
      offset + format::frame_field::length.load(std::span(file).subspan(offset));
  for (offset += format::kFrameHeaderBytes; offset < frame_end;) {
    dump_structure(out, kRecord, file, offset);
    const uint64_t length = format::record_field::length.load(std::span(file).subspan(offset));
    offset += format::kRecordHeaderBytes;
    dump_bytes(out, ByteView(file).subspan(offset, length), offset, "payload");
    offset += length;
    const uint64_t padding = format::round_up(length, format::kRecordAlignment) - length;
    if (padding != 0) dump_bytes(out, ByteView(file).subspan(offset, padding), offset, "padding");
    offset += padding;
  }
  dump_structure(out, kFrameTable, file, offset);
  offset += format::kFrameHeaderBytes;
  dump_structure(out, kSeal, file, offset);
  offset += format::kSealBodyBytes;
  dump_structure(out, kIndex, file, offset);
  offset += format::kSealIndexEntryBytes;
  dump_bytes(out, ByteView(file).subspan(offset), offset, "");
  return out;
}

/// The fenced block that begins with "```text" and the line "-- <first>", without the fences.
std::string block_of_document(const std::string& first) {
  std::string block;
  bool is_inside = false;
  const auto lines = lines_of_document();
  for (size_t i = 0; i < lines.size(); ++i) {
    if (is_inside && lines[i] == "```") return block;
    if (is_inside) block += lines[i] + "\n";
    if (lines[i] == "```text" && i + 1 < lines.size() && lines[i + 1] == "-- " + first) {
      is_inside = true;
    }
  }
  return block;
}

TEST(FormatDocument, dump_of_a_root_slot_is_what_the_code_writes) {
  const std::string written = dump_of_root();
  EXPECT_EQ(block_of_document("Root slot"), written) << "in docs/format.md should stand:\n"
                                                     << written;
}

TEST(FormatDocument, dump_of_a_segment_is_what_the_code_writes) {
  const std::string written = dump_of_segment();
  EXPECT_EQ(block_of_document("Segment header"), written) << "in docs/format.md should stand:\n"
                                                          << written;
}

/// The table "Checksums" of the document once more, by the hash function alone, on the bytes
/// dumped.
TEST(FormatDocument, checksums_are_computed_as_the_document_says) {
  const auto file = documented_log().contents("/log/00000000000000000001.wal").value();
  const auto h = [&](uint64_t begin, uint64_t bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(std::span(file).subspan(begin, bytes).data(), bytes, seed);
  };
  const auto word = [&](uint64_t at) {
    return format::Field<uint64_t>{0}.load(std::span(file).subspan(at));
  };
  const uint64_t log_seed = h(0x10, 16, 0);
  const uint64_t segment_seed = h(0x20, 8, log_seed);
  EXPECT_EQ(word(0xff8), h(0, 4088, 0)) << "segment header";
  EXPECT_EQ(word(0x1050), h(0x1000, 80, log_seed)) << "frame header";
  uint64_t body = 0;
  uint64_t digest = 0;
  struct Record {
    uint64_t at;
    uint64_t length;
  };
  for (const Record record : {Record{0x1058, 5}, Record{0x1070, 16}}) {
    const std::array<uint64_t, 3> mixed = {h(record.at + 16, record.length, 0),
                                           record.at - format::kSegmentHeaderBytes,
                                           word(record.at)};
    EXPECT_EQ(word(record.at + 8), XXH3_64bits_withSeed(mixed.data(), 24, segment_seed));
    body = h(record.at, 16, body);
    digest = h(record.at + 8, 8, digest);
  }
  EXPECT_EQ(word(0x1048), body) << "body of the frame";
  EXPECT_EQ(word(0x10d8), h(0x10e8, 48 + 24, 0)) << "body of the seal";
  EXPECT_EQ(word(0x1108), digest) << "digest in the seal";
  const auto next = documented_log().contents("/log/00000000000000000002.wal").value();
  const auto header = format::decode_segment_header(next).header;
  EXPECT_EQ(header.link.digest, digest) << "digest in the link";
}

TEST(FormatDocument, log_of_the_dumps_can_be_read) {
  const OpenResult opened = open_and_read(documented_log());
  EXPECT_EQ(opened.code, std::nullopt);
  EXPECT_EQ(opened.records.size(), 3U);
  EXPECT_EQ(verify(documented_log()).value().findings.size(), 0U);
}

}  // namespace
}  // namespace writeahead::testing
