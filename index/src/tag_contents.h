// TagContents: where the records of each tag are, up to which it was popped, and who waits for it.
#pragma once

#include <absl/container/btree_set.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "spill_file.h"
#include "tag_record.h"
#include "tag_state.h"
#include "version_book.h"
#include "writeahead/index/detail/index_contents.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

/// Where the log has to be kept from, and for whom.
struct TagPosition {
  Lsn lsn;
  Tag tag = 0;
};

/// Readers may call what is below "For consumers" beside the one thread that takes records in.
class TagContents final : public IndexContents {
 public:
  using MakeSpill = std::function<Result<std::unique_ptr<SpillFile>>()>;

  /// Records are kept in memory up to `most_bytes`, the others in what `make_spill` makes.
  TagContents(uint64_t most_bytes, MakeSpill make_spill)
      : most_bytes_(most_bytes), make_spill_(std::move(make_spill)) {}

  [[nodiscard]] ContentsFormat format() const override;
  [[nodiscard]] uint64_t entries() const override;
  [[nodiscard]] uint64_t hash_seed() const override { return 0; }
  void apply(std::span<const RecordView> records) override;
  void clear(uint64_t hash_seed) override;
  void sweep_some(Lsn first) override;
  void begin_dump() override;
  [[nodiscard]] Result<bool> dump_next(Lsn first, ContentsPart& part) override;
  [[nodiscard]] bool load_next(std::span<const std::byte> bytes, uint64_t entries,
                               Lsn position) override;

  // For consumers.

  /// As a record of it does.
  void pop(Tag tag, Lsn up_to);
  /// Up to where records say that it was popped. Of what a snapshot said none is known.
  [[nodiscard]] Lsn recorded_pop(Tag tag) const;
  /// Adds up to `most` of the tag's records from `from` on to `out`.
  [[nodiscard]] Result<void> copy_from(Tag tag, Lsn from, size_t most,
                                       std::vector<TagPlace>& out) const;
  /// As TagState::copy_due.
  [[nodiscard]] Result<void> copy_due(Tag tag, Lsn limit, size_t most,
                                      std::vector<TagPlace>& out) const;
  /// Whether there is a record from `from` on.
  [[nodiscard]] bool has_from(Tag tag, Lsn from) const;
  [[nodiscard]] Lsn popped(Tag tag) const;
  [[nodiscard]] uint64_t records(Tag tag) const;
  /// What one tag needs, or the first that any does; nothing if none does.
  [[nodiscard]] std::optional<Lsn> first_needed(Tag tag) const;
  [[nodiscard]] std::optional<TagPosition> first_needed() const;
  [[nodiscard]] ChainState chain() const;
  /// As the functions of VersionBook.
  [[nodiscard]] std::optional<Lsn> chain_said_from() const;
  [[nodiscard]] std::optional<Lsn> find_version(uint64_t version) const;
  [[nodiscard]] std::optional<Lsn> first_version_from(uint64_t version) const;
  /// What went wrong while records were taken in, since calls that do that cannot say so. From
  /// then on these contents are not right, and no snapshot is made of them.
  [[nodiscard]] std::optional<Error> failure() const;
  /// Why more is in memory than there should be; nothing if it is not.
  [[nodiscard]] std::optional<Error> spill_failure() const;

 private:
  struct LoadedPart {
    Tag end;  // of its tags
    Lsn position;
  };

  struct ListedTag {
    TagState state;
    std::optional<Lsn> front;  // its entry of the fronts
    Lsn recorded_pop;          // by records that were taken in
  };

  [[nodiscard]] ListedTag& state_of(Tag tag);
  [[nodiscard]] bool has_taken_in(Tag tag, Lsn lsn) const;
  void take_in(const RecordView& record);
  void cut(Lsn from, Lsn lsn);
  [[nodiscard]] bool load_tags(std::span<const std::byte> bytes, Tag end);
  template <class Change>
  bool change(Tag tag, const Change& change);
  void list_front(Tag tag);
  void spill_some();
  [[nodiscard]] Result<void> spill_down();
  void note(const Error& error);

  const uint64_t most_bytes_;
  const MakeSpill make_spill_;
  mutable std::mutex mutex_;
  std::vector<ListedTag> states_;  // by tag, up to the greatest one that was seen
  absl::btree_set<std::pair<Lsn, Tag>> fronts_;
  uint64_t entries_ = 0;
  uint64_t heap_bytes_ = 0;
  std::unique_ptr<SpillFile> spill_;
  Tag next_to_spill_ = 0;
  uint64_t spill_above_ = 0;
  std::optional<Error> spill_failure_;  // of the last try
  std::optional<Error> failure_;
  VersionBook versions_;
  Lsn versions_loaded_;  // what they had taken in when they were dumped
  TagRecord record_;     // the one at hand; kept for its memory
  std::vector<LoadedPart> loaded_;
  Lsn loaded_end_;
  Tag dumped_ = 0;
  bool are_versions_dumped_ = false;
  bool is_dumped_ = false;
};

}  // namespace writeahead::index::internal
