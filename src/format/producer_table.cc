// Writing and reading the entries of a producer table.
// Its length was checked with the frame's header, and its bytes count in the frame's checksum.
#include "format/producer_table.h"

#include "format/segment_header.h"

namespace writeahead::internal {

void encode_producer_entry(const ProducerEntry& entry, std::span<std::byte> out) {
  producer_field::producer.store(out, entry.last.producer);
  producer_field::number.store(out, entry.last.number);
  producer_field::first_lsn.store(out, entry.range.first_lsn.value());
  producer_field::end_lsn.store(out, entry.range.end_lsn.value());
  producer_field::first_ordinal.store(out, entry.range.first_ordinal);
}

ProducerEntry decode_producer_entry(std::span<const std::byte> bytes) {
  return {.last = {.producer = producer_field::producer.load(bytes),
                   .number = producer_field::number.load(bytes)},
          .range = {.first_lsn = Lsn(producer_field::first_lsn.load(bytes)),
                    .end_lsn = Lsn(producer_field::end_lsn.load(bytes)),
                    .first_ordinal = producer_field::first_ordinal.load(bytes)}};
}

bool is_producer_table(std::span<const std::byte> table, Lsn lsn) {
  Lsn end;
  for (; !table.empty(); table = table.subspan(kProducerEntryBytes)) {
    const Appended range = decode_producer_entry(table).range;
    const bool is_sound = range.first_lsn >= end && range.end_lsn > range.first_lsn &&
                          range.end_lsn <= lsn && range.first_ordinal <= kMaxCounter;
    if (!is_sound) return false;
    end = range.end_lsn;
  }
  return true;
}

}  // namespace writeahead::internal
