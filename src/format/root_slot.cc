// Writing and reading a slot of the root.
// A slot verifies whole, its unused bytes included, or counts as bad.
#include "format/root_slot.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "format/bytes.h"
#include "format/checksum.h"

namespace writeahead::internal {
namespace {

void encode_holds(const std::vector<RootHold>& holds, std::span<std::byte> out) {
  WRITEAHEAD_CHECK(holds.size() <= kMaxHolds);
  root_field::hold_count.store(out, static_cast<uint32_t>(holds.size()));
  auto bytes = out.subspan(root_field::holds.offset);
  for (const RootHold& hold : holds) {
    WRITEAHEAD_CHECK(hold.name.size() <= kMaxHoldNameBytes);
    hold_field::lsn.store(bytes, hold.lsn.value());
    hold_field::name_bytes.store(bytes, static_cast<uint8_t>(hold.name.size()));
    std::memcpy(bytes.data() + hold_field::name.offset, hold.name.data(), hold.name.size());
    bytes = bytes.subspan(kHoldBytes);
  }
}

bool decode_holds(std::span<const std::byte> slot, std::vector<RootHold>& holds) {
  const uint32_t count = root_field::hold_count.load(slot);
  if (count > kMaxHolds) return false;
  for (uint32_t i = 0; i < count; ++i) {
    const auto bytes = slot.subspan(root_field::holds.offset + i * kHoldBytes, kHoldBytes);
    const size_t name_bytes = hold_field::name_bytes.load(bytes);
    if (name_bytes > kMaxHoldNameBytes) return false;
    RootHold hold{.name = std::string(name_bytes, '\0'), .lsn = Lsn(hold_field::lsn.load(bytes))};
    std::memcpy(hold.name.data(), bytes.data() + hold_field::name.offset, name_bytes);
    holds.push_back(std::move(hold));
  }
  return true;
}

}  // namespace

void encode_root_slot(const RootState& root, uint64_t sequence, std::span<std::byte> out) {
  out = out.first(kRootSlotBytes);
  std::ranges::fill(out, std::byte{0});
  root_field::magic.store(out, kRootMagic);
  root_field::version.store(out, kFormatVersion);
  root_field::flags.store(out, root.is_clean ? kRootFlagClean : 0);
  root_field::sequence.store(out, sequence);
  copy_bytes(root.log_id, out.subspan(root_field::log_id.offset));
  root_field::epoch.store(out, root.epoch);
  root_field::first_number.store(out, root.first.number);
  root_field::first_lsn.store(out, root.first.lsn.value());
  root_field::first_ordinal.store(out, root.first.ordinal);
  root_field::proven_number.store(out, root.proven.number);
  root_field::proven_lsn.store(out, root.proven.lsn.value());
  root_field::truncation_count.store(out, root.truncation_count);
  root_field::truncation_number.store(out, root.truncation.number);
  root_field::truncation_base_lsn.store(out, root.truncation.base_lsn.value());
  root_field::truncation_ordinal.store(out, root.truncation.ordinal);
  root_field::truncation_link_number.store(out, root.truncation.link.number);
  root_field::truncation_link_end_lsn.store(out, root.truncation.link.end_lsn.value());
  root_field::truncation_link_digest.store(out, root.truncation.link.digest);
  root_field::required_features.store(out, root.is_copying ? kCopyingFeature : 0);
  root_field::ignorable_features.store(out, root.ignorable_features);
  encode_holds(root.holds, out);
  root_field::checksum.store(out, checksum(out.first(root_field::checksum.offset), 0));
}

DecodedRootSlot decode_root_slot(std::span<const std::byte> slot) {
  if (slot.size() < kRootSlotBytes) return {};
  slot = slot.first(kRootSlotBytes);
  if (is_zero(slot)) return {.state = HeaderState::zero, .sequence = 0, .root = {}};
  if (root_field::magic.load(slot) != kRootMagic ||
      !is_right_checksum(root_field::checksum.load(slot),
                         checksum(slot.first(root_field::checksum.offset), 0))) {
    return {};
  }
  if (root_field::version.load(slot) != kFormatVersion ||
      (root_field::required_features.load(slot) & ~kKnownRootFeatures) != 0) {
    return {.state = HeaderState::unsupported, .sequence = 0, .root = {}};
  }
  DecodedRootSlot decoded{
      .state = HeaderState::valid, .sequence = root_field::sequence.load(slot), .root = {}};
  RootState& root = decoded.root;
  const auto id = slot.subspan(root_field::log_id.offset, root.log_id.size());
  copy_bytes(id, root.log_id);
  root.epoch = root_field::epoch.load(slot);
  root.is_clean = (root_field::flags.load(slot) & kRootFlagClean) != 0;
  root.is_copying = (root_field::required_features.load(slot) & kCopyingFeature) != 0;
  root.first = {.number = root_field::first_number.load(slot),
                .lsn = Lsn(root_field::first_lsn.load(slot)),
                .ordinal = root_field::first_ordinal.load(slot)};
  root.proven = {.number = root_field::proven_number.load(slot),
                 .lsn = Lsn(root_field::proven_lsn.load(slot))};
  root.truncation_count = root_field::truncation_count.load(slot);
  root.truncation = {.number = root_field::truncation_number.load(slot),
                     .base_lsn = Lsn(root_field::truncation_base_lsn.load(slot)),
                     .ordinal = root_field::truncation_ordinal.load(slot),
                     .link = {.number = root_field::truncation_link_number.load(slot),
                              .end_lsn = Lsn(root_field::truncation_link_end_lsn.load(slot)),
                              .digest = root_field::truncation_link_digest.load(slot)}};
  root.ignorable_features = root_field::ignorable_features.load(slot);
  const auto is_possible = [](uint64_t counter) { return counter <= kMaxCounter; };
  if (root.first.number == 0 || !is_possible(root.first.number) || !is_possible(root.epoch) ||
      !is_possible(root.first.lsn.value()) || !is_possible(root.first.ordinal) ||
      !is_possible(root.proven.lsn.value()) || !decode_holds(slot, root.holds)) {
    return {};
  }
  return decoded;
}

}  // namespace writeahead::internal
