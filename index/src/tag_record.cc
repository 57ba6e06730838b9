// Encoding and decoding.
#include "tag_record.h"

#include "writeahead/index/id_codec.h"

namespace writeahead::index::internal {
namespace {

void put_head(TagRecordKind kind, size_t count, std::vector<std::byte>& out) {
  IdCodec<uint32_t>::append(static_cast<uint32_t>(kind) | static_cast<uint32_t>(count) << 8, out);
}
void put_link(const VersionLink& link, std::vector<std::byte>& out) {
  for (const uint64_t word :
       {link.version, link.previous_version, link.known_committed_version, link.generation}) {
    IdCodec<uint64_t>::append(word, out);
  }
}
void put_tagged(std::span<const Tag> tags, std::span<const std::byte> payload,
                std::vector<std::byte>& out) {
  for (const Tag tag : tags) IdCodec<uint32_t>::append(tag, out);
  out.insert(out.end(), payload.begin(), payload.end());
}

bool take_link(std::span<const std::byte>& bytes, VersionLink& link) {
  for (uint64_t* const word :
       {&link.version, &link.previous_version, &link.known_committed_version, &link.generation}) {
    const auto taken = IdCodec<uint64_t>::take(bytes);
    if (!taken) return false;
    *word = *taken;
  }
  return true;
}
bool take_tags(std::span<const std::byte>& bytes, uint32_t count, std::vector<Tag>& tags) {
  for (uint32_t i = 0; i < count; ++i) {
    const auto tag = IdCodec<uint32_t>::take(bytes);
    if (!tag) return false;
    tags.push_back(*tag);
  }
  return true;
}
bool take_move(std::span<const std::byte>& bytes, Move& move, uint64_t& version) {
  const auto tag = IdCodec<uint32_t>::take(bytes);
  const auto lsn = IdCodec<uint64_t>::take(bytes);
  const auto taken = IdCodec<uint64_t>::take(bytes);
  if (!tag || !lsn || !taken) return false;
  move = {.tag = *tag, .lsn = Lsn(*lsn)};
  version = *taken;
  return true;
}
bool take_pops(std::span<const std::byte>& bytes, uint32_t count, std::vector<Pop>& pops) {
  for (uint32_t i = 0; i < count; ++i) {
    const auto tag = IdCodec<uint32_t>::take(bytes);
    const auto up_to = IdCodec<uint64_t>::take(bytes);
    if (!tag || !up_to) return false;
    pops.push_back({.tag = *tag, .up_to = Lsn(*up_to)});
  }
  return true;
}

}  // namespace

std::vector<std::byte> encode_tagged(std::span<const Tag> tags,
                                     std::span<const std::byte> payload) {
  std::vector<std::byte> bytes;
  bytes.reserve((tags.size() + 1) * sizeof(Tag) + payload.size());
  put_head(TagRecordKind::tagged, tags.size(), bytes);
  put_tagged(tags, payload, bytes);
  return bytes;
}

std::vector<std::byte> encode_versioned(const VersionLink& link, std::span<const Tag> tags,
                                        std::span<const std::byte> payload) {
  std::vector<std::byte> bytes;
  bytes.reserve(sizeof(link) + (tags.size() + 1) * sizeof(Tag) + payload.size());
  put_head(TagRecordKind::versioned, tags.size(), bytes);
  put_link(link, bytes);
  put_tagged(tags, payload, bytes);
  return bytes;
}

std::vector<std::byte> encode_pops(std::span<const Pop> pops) {
  std::vector<std::byte> bytes;
  put_head(TagRecordKind::popped, pops.size(), bytes);
  for (const Pop& pop : pops) {
    IdCodec<uint32_t>::append(pop.tag, bytes);
    IdCodec<uint64_t>::append(pop.up_to.value(), bytes);
  }
  return bytes;
}

std::vector<std::byte> encode_stated(const VersionLink& link) {
  std::vector<std::byte> bytes;
  put_head(TagRecordKind::stated, 0, bytes);
  put_link(link, bytes);
  return bytes;
}

std::vector<std::byte> encode_cut(const VersionLink& link, Lsn void_from) {
  std::vector<std::byte> bytes;
  put_head(TagRecordKind::cut, 0, bytes);
  put_link(link, bytes);
  IdCodec<uint64_t>::append(void_from.value(), bytes);
  return bytes;
}

std::vector<std::byte> encode_moved(const Move& move, uint64_t version,
                                    std::span<const std::byte> payload) {
  std::vector<std::byte> bytes;
  put_head(TagRecordKind::moved, 1, bytes);
  IdCodec<uint32_t>::append(move.tag, bytes);
  IdCodec<uint64_t>::append(move.lsn.value(), bytes);
  IdCodec<uint64_t>::append(version, bytes);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

bool decode_tag_record(std::span<const std::byte> bytes, TagRecord& out) {
  out.tags.clear();
  out.pops.clear();
  out.link = {};
  out.payload = {};
  const auto head = IdCodec<uint32_t>::take(bytes);
  if (!head) return false;
  out.kind = static_cast<TagRecordKind>(*head & 0xFF);
  const uint32_t count = *head >> 8;
  switch (out.kind) {
    case TagRecordKind::tagged:
      if (count == 0 || !take_tags(bytes, count, out.tags)) return false;
      out.payload = bytes;
      return true;
    case TagRecordKind::versioned:
      if (!take_link(bytes, out.link) || !take_tags(bytes, count, out.tags)) return false;
      out.payload = bytes;
      return true;
    case TagRecordKind::popped:
      return take_pops(bytes, count, out.pops) && bytes.empty();
    case TagRecordKind::stated:
      return take_link(bytes, out.link) && bytes.empty();
    case TagRecordKind::cut: {
      const bool has_link = take_link(bytes, out.link);
      const auto void_from = IdCodec<uint64_t>::take(bytes);
      out.void_from = Lsn(void_from.value_or(0));
      return has_link && void_from && bytes.empty();
    }
    case TagRecordKind::moved:
      if (count != 1 || !take_move(bytes, out.move, out.link.version)) return false;
      out.payload = bytes;
      return true;
  }
  return false;
}

}  // namespace writeahead::index::internal
