// TagLog: one log that many consumers share, each of which reads its own part of it.
//
// A record is appended with one or more tags, small integers. peek() reads the records of one tag,
// in the order of the log, without looking at others; pop() says that a consumer is done with them;
// and what no tag needs any more is trimmed. All tags share frames and barriers, so that a thousand
// tags cost what one does.
//
//     auto log = TagLog::open("/var/lib/store/tags");
//     (*log)->append("for two shards", {3, 7});                      // durable
//     auto records = (*log)->peek(7, Lsn(), 1 << 20);                // of tag 7, up to 1 MiB
//     (*log)->pop(7, records->back().lsn + 1);                       // which nobody needs now
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "writeahead/export.h"
#include "writeahead/index/index_options.h"
#include "writeahead/index/version_link.h"
#include "writeahead/log.h"
#include "writeahead/lsn.h"
#include "writeahead/payload.h"
#include "writeahead/result.h"

namespace writeahead::index {

namespace internal {
class TagLogState;
}

/// Whose a record is.
using Tag = uint32_t;

struct TagLogOptions {
  /// Of the log below. Its records hold the tags, too: Options::max_record_bytes counts them, and
  /// 16 bytes for a move. Options::retain_* have to be 0: pops say what may go.
  Options log;
  /// Calls take tags below it; records of others that are there stay, and keep the log. At most
  /// 2^20; default 100,000.
  Tag tags = 100'000;
  /// Memory for the places of records that were not popped, of all tags together. What is above
  /// goes to a file, in turns; the records are where they were anyway. The last 512 places of a tag
  /// stay in memory, about 1 KiB, and of each other 512 some 70 bytes. Default 64 MiB.
  uint64_t index_bytes = 64ULL << 20;
  /// As IndexOptions.
  uint64_t snapshot_bytes = 64ULL << 20;
  /// As IndexOptions; the file of `index_bytes` lies there, too. Where a log at an address has no
  /// such place, that file has no name, and lies in $TMPDIR, or else in /tmp.
  std::string cache_directory = {};
  /// A tag that keeps more bytes of the log than that has its records moved forward, in the
  /// background, as move_forward() does it: up to as many bytes as are appended meanwhile. So a
  /// slow consumer keeps about twice that at most, and one whose own records are more keeps
  /// these, and has them moved again and again. Default 0, no limit.
  uint64_t slow_tag_bytes = 0;
  /// How long append_version() waits for the version that it follows. Default 5 s.
  uint32_t version_wait_ms = 5000;
};

/// A record of one tag.
struct TaggedRecord {
  Lsn lsn;  ///< Its address, and its place in the order of its tags.
  Lsn at;   ///< Where it lies: at `lsn`, or where it was moved to for this tag.
  uint16_t type = 0;
  uint64_t version = 0;  ///< Of a record that was appended with one.
  std::span<const std::byte> payload;
  std::shared_ptr<const void> pin;  ///< Keeps `payload` in place.
};

/// A record that move_forward() moved.
struct MovedRecord {
  Lsn lsn;  ///< Its address, which stays.
  Lsn at;   ///< Where it lies now.
};

/// What is known of one tag.
struct TagInfo {
  uint64_t records = 0;  ///< Not popped yet.
  Lsn popped;            ///< All below was popped.
  Lsn first;             ///< The first that was not; Lsn() if there is none.
  /// Bytes of the log from the first of its records on, wherever that lies: what cannot be trimmed.
  uint64_t kept_bytes = 0;
};

/// Any number of threads may call it at once, but for destroying.
class WRITEAHEAD_EXPORT TagLog {
 public:
  /// Opens or makes the log in directory `path`, or at that address. A log whose records are not
  /// tagged is refused: `unsupported_format`. Else as Log::open and IdIndex::open. Once another
  /// writer took over a log at an address, each call that appends or trims answers `fenced`, and so
  /// do waits, those in progress, too.
  [[nodiscard]] static Result<std::unique_ptr<TagLog>> open(const std::string& path,
                                                            const TagLogOptions& options = {});
  ~TagLog();

  /// As Log::append. `invalid_argument` without a tag, or if one is not below TagLogOptions::tags.
  [[nodiscard]] Result<Lsn> append(Payload payload, std::span<const Tag> tags,
                                   AppendOptions options = {});
  [[nodiscard]] Result<Lsn> append(Payload payload, std::initializer_list<Tag> tags,
                                   AppendOptions options = {});

  /// The durable records of `tag` from `from` on that were not popped: at least one if there is
  /// one, and as many as have `max_bytes` of payloads together. None if there is none. Each costs a
  /// read of its own, of a page or two. Codes: `invalid_argument` (no such tag), and of reading.
  [[nodiscard]] Result<std::vector<TaggedRecord>> peek(Tag tag, Lsn from, uint64_t max_bytes);
  /// The same, but waits until there is one, for `timeout` or until `stop` is asked for; then none,
  /// as where somebody popped it meanwhile. `closed`, `failed` and `fenced` once the log is that.
  [[nodiscard]] Result<std::vector<TaggedRecord>> wait_peek(
      Tag tag, Lsn from, uint64_t max_bytes, const std::stop_token& stop = {},
      std::optional<std::chrono::nanoseconds> timeout = std::nullopt);

  /// The consumer of `tag` needs nothing below `up_to` any more. Durable on return; on a crash
  /// before that it gets some of them again. Trims what no tag needs. Popping what was popped does
  /// nothing. The space is given up first, so that on a full disk there is room for the pop. Codes:
  /// `invalid_argument` (no such tag, or beyond the end), and of appending: then it holds until
  /// the log is opened again.
  [[nodiscard]] Result<void> pop(Tag tag, Lsn up_to);

  /// Appends the records of `tag` that lie below `below` once more, at the end, and trims what no
  /// tag needs then: so that a consumer that does not come does not keep the log of all others.
  /// Its records keep their addresses, for peek() and pop(); the result says where they lie.
  /// Some that were moved before may be moved once more with them. Of versions only those are moved
  /// that are known to be committed. Durable on return; on a crash or an error before that some are
  /// moved. Cost: a read and an append of each, and two barriers for 256 of them or a MiB. Codes:
  /// `invalid_argument` (no such tag), and of reading and appending.
  [[nodiscard]] Result<std::vector<MovedRecord>> move_forward(Tag tag, Lsn below);

  /// As far as records were taken in: by other calls of this object, and by the background some
  /// milliseconds after they are durable. Codes: `invalid_argument` (no such tag).
  [[nodiscard]] Result<TagInfo> info(Tag tag);

  // Versions, as FoundationDB's log servers have them. The records of a log have versions, all of
  // them, or none: as long as one of the other kind is there, or was tried since the log was
  // opened, an append is `invalid_argument`.

  /// Appends a record in its turn: behind the one that has `link.previous_version`. One that comes
  /// early waits for that, and goes into the same frame. `tags` may be empty: then it only carries
  /// the chain on. Durable on return. A version that was appended before, with the same bytes and
  /// tags, is answered again once it is durable, and not appended again; one whose record was
  /// trimmed is taken for the same. Codes: `fenced` (a greater generation has locked the log, or
  /// another writer has taken it over), `would_block` (what it follows did not come within
  /// TagLogOptions::version_wait_ms), `invalid_argument` (the chain leads past it, or the version
  /// is there with other bytes; nothing was written), and of appending.
  [[nodiscard]] Result<VersionAppended> append_version(const VersionLink& link, Payload payload,
                                                       std::span<const Tag> tags);
  [[nodiscard]] Result<VersionAppended> append_version(const VersionLink& link, Payload payload,
                                                       std::initializer_list<Tag> tags);
  /// The last version of all that are durable; 0 without one.
  [[nodiscard]] Result<uint64_t> durable_version();
  /// The greatest VersionLink::known_committed_version that a durable record carried.
  [[nodiscard]] Result<uint64_t> known_committed_version();

  /// From now on appends of lesser generations are `fenced`, over all reopenings. Waits for what
  /// was admitted before, and says up to where the chain goes: all of that is durable. The same
  /// generation may lock again. Codes: `fenced` (a greater one has), `invalid_argument` (the
  /// records of the log have no versions), and of appending; on a crash or an error the log may be
  /// locked or not.
  [[nodiscard]] Result<LockedLog> lock(uint64_t generation);
  /// Makes the versions from `version` on void: nobody is shown them any more, and the chain goes
  /// on behind the last one before. For a recovery, which knows that they were not committed.
  /// Their space goes with trims. Does nothing if there are none. Durable on return; on a crash
  /// before that the chain ends where it did, or below `version`. Codes: `invalid_argument` (it is
  /// known to be committed), `trimmed` (the record of the first one is), and of appending.
  [[nodiscard]] Result<void> truncate_from_version(uint64_t version);

  /// The log below: its positions, stats and holds. Not to be appended to, trimmed or truncated.
  [[nodiscard]] Log& log();
  [[nodiscard]] IndexStats stats() const;
  /// How the tags came to be known.
  [[nodiscard]] const IndexOpening& opening() const;
  /// Writes a snapshot of the tags and closes the log. Nobody waits in wait_peek() any more.
  [[nodiscard]] Result<void> close();
  /// One step of what the background does, of the log's, too, for BackgroundWork::stepped.
  bool step_background();

 private:
  explicit TagLog(std::unique_ptr<internal::TagLogState> state);
  std::unique_ptr<internal::TagLogState> state_;
};

}  // namespace writeahead::index
