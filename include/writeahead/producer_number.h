// ProducerNumber: what makes an append one that can be repeated.
//
// A producer that does not know what became of an append, because the answer was lost, the process
// died, or another owner took the log over, makes it again under the same number: the log holds it
// once.
#pragma once

#include <cstdint>

namespace writeahead {

/// The producer of an append, and its own number for it. Both are the caller's; they are stored
/// with the records and returned by reads.
///
/// The numbers of one producer grow, gaps are allowed. Of each producer the log knows its last
/// append: a higher number is appended; the same one again writes nothing, and answers what the
/// first one did, once that has the level asked for; a lower one is refused with `repeated`. Two
/// threads that make the same append at once are told the same.
///
/// A producer is remembered over openings, takeovers and rotations, as long as its last append is
/// among the newest ones of 10,000 producers (of fewer in small segments: 40 bytes of each have to
/// fit into a quarter of Options::segment_bytes less 4096), and was not trimmed. Behind that it is
/// as if it had never appended. A truncation takes it back to what it had appended below. An append
/// that was refused does not count.
///
/// There is nothing to turn on: the first numbered append begins a segment that older versions of
/// this library do not read. Logs without numbers are as before, and pay nothing.
struct ProducerNumber {
  uint64_t producer = 0;
  uint64_t number = 0;
  friend bool operator==(const ProducerNumber&, const ProducerNumber&) = default;
};

}  // namespace writeahead
