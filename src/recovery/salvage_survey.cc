// Root, headers, and the limits that segments set to those before them.
// Nothing is written here.
#include "recovery/salvage_survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "format/segment_name.h"
#include "segment/segment_scan.h"

namespace writeahead::internal {
namespace {

/// The header block of a file, as far as it can be read.
struct Head {
  uint64_t file = 0;
  DecodedSegmentHeader decoded;

  [[nodiscard]] bool is_named_right() const {
    return decoded.state == HeaderState::valid && decoded.header.number == file;
  }
};

/// So many frames that agree are more than fit into a block: it takes more than one that was
/// misdirected to outvote the others.
constexpr size_t kEnoughVotes = 64;

/// Where a segment without a header begins.
struct Beginning {
  Lsn base_lsn;
  std::optional<uint64_t> base_ordinal;
  size_t votes = 0;
};

/// Frames carry their place. One that stands elsewhere says something else than the others, and
/// would draw the end of the segment before along.
Result<std::optional<Beginning>> find_beginning(SegmentReader& segment,
                                                const SegmentBinding& binding) {
  std::map<Lsn, Beginning> said;
  std::optional<Beginning> best;
  uint64_t offset = kSegmentHeaderBytes;
  while (!best || best->votes < kEnoughVotes) {
    auto frame = find_frame(segment, binding, std::nullopt, offset);
    if (!frame) return std::unexpected(frame.error());
    if (!*frame) break;
    const FrameHeader& header = (*frame)->header;
    const uint64_t behind_base = (*frame)->offset - kSegmentHeaderBytes;
    const Lsn base_lsn(header.lsn.value() - behind_base);
    Beginning& beginning = said[base_lsn];
    beginning.base_lsn = base_lsn;
    if (behind_base == 0) beginning.base_ordinal = header.first_ordinal;
    ++beginning.votes;
    if (!best || beginning.votes > best->votes || base_lsn == best->base_lsn) best = beginning;
    // Frames in its payload are none.
    offset = (*frame)->offset +
             std::clamp(header.length, kFrameAlignment, segment.bytes() - (*frame)->offset);
  }
  return best;
}

struct Surveyor {
  SegmentStore& store;
  SalvageSurvey found{};
  RootSlots slots{};
  std::vector<Head> heads{};

  [[nodiscard]] Result<void> run();

 private:
  void note(std::string file, uint64_t offset, std::string what) {
    found.findings.push_back(
        {.file = std::move(file), .offset = offset, .lsn = {}, .what = std::move(what)});
  }
  Error unsupported() const {
    return make_error(ErrorCode::unsupported_format, "salvage log",
                      "it needs a newer version of this library", {.path = store.path()});
  }
  Result<void> read_root();
  Result<void> read_heads();
  Result<void> choose_log();
  void take_root();
  Result<void> take_file(const Head& head);
  void take_renamed();
  void set_limits();
  [[nodiscard]] bool has_source(uint64_t number) const {
    return std::ranges::find(found.sources, number, &SalvageSource::number) != found.sources.end();
  }
};

Result<void> Surveyor::run() {
  auto done = read_root();
  if (done) done = read_heads();
  if (done) done = choose_log();
  if (!done) return done;
  take_root();
  for (const Head& head : heads) {
    if (found.root && head.file < found.root->first.number) continue;  // Left over from a trim.
    if (auto taken = take_file(head); !taken) return taken;
  }
  take_renamed();
  std::ranges::sort(found.sources, std::ranges::less{}, &SalvageSource::number);
  set_limits();
  return {};
}

Result<void> Surveyor::read_root() {
  auto loaded = store.load_root();
  if (loaded) {
    slots = std::move(*loaded);
  } else if (is_unreadable(loaded.error())) {
    note(std::string(kRootName), 0, "the root cannot be read");
  } else {
    return std::unexpected(loaded.error());
  }
  for (const DecodedRootSlot& slot : slots.slot) {
    if (slot.state == HeaderState::unsupported) return std::unexpected(unsupported());
  }
  return {};
}

Result<void> Surveyor::read_heads() {
  auto numbers = store.list();
  if (!numbers) return std::unexpected(numbers.error());
  for (const uint64_t number : *numbers) {
    auto segment = open_damaged(store, number);
    if (!segment) return std::unexpected(segment.error());
    if (*segment == nullptr) {
      note(store.segment_label(number), 0, "it cannot be opened");
      // A file may be a standby; an object is named once something is in it.
      if (!store.traits().prepares_segments) found.last_missing = number;
      continue;
    }
    AlignedBuffer block(kSegmentHeaderBytes);
    std::ranges::fill(block.span(), std::byte{0});
    const auto bytes =
        block.span().first(std::min<uint64_t>(kSegmentHeaderBytes, (*segment)->bytes()));
    if (auto read = (*segment)->read(0, bytes, ReadSource::device); !read) return read;
    heads.push_back({.file = number, .decoded = decode_segment_header(block.span())});
    if (heads.back().decoded.state == HeaderState::unsupported) {
      return std::unexpected(unsupported());
    }
  }
  return {};
}

/// The root says which log this is, unless all segments say something else: then it is the root
/// that does not belong here.
Result<void> Surveyor::choose_log() {
  std::map<Identifier, size_t> votes;
  for (const Head& head : heads) {
    if (head.is_named_right()) ++votes[head.decoded.header.log_id];
  }
  const bool has_root = slots.is_valid(0) || slots.is_valid(1);
  if (has_root) {
    found.log_id = slots.slot[slots.newest()].root.log_id;
    const Identifier& other = slots.slot[1 - slots.newest()].root.log_id;
    if (!votes.contains(found.log_id) && votes.contains(other)) found.log_id = other;
    if (votes.empty() || votes.contains(found.log_id)) return {};
  }
  if (votes.empty()) {
    return std::unexpected(make_error(ErrorCode::corruption, "salvage log",
                                      "neither the root nor a segment says which log it is",
                                      {.path = store.path()}));
  }
  const auto by_votes = [](const auto& a, const auto& b) { return a.second < b.second; };
  found.log_id = std::ranges::max_element(votes, by_votes)->first;
  return {};
}

void Surveyor::take_root() {
  for (size_t i = 0; i < slots.slot.size(); ++i) {
    const DecodedRootSlot& slot = slots.slot[i];
    if (slot.state != HeaderState::valid || slot.root.log_id != found.log_id) {
      note(std::string(kRootName), i * kRootSlotBytes,
           slot.state == HeaderState::valid ? "the slot belongs to another log"
                                            : "the slot is missing or does not verify");
    } else if (!found.root || slot.sequence > found.root_sequence) {
      found.root = slot.root;
      found.root_sequence = slot.sequence;
    }
  }
}

Result<void> Surveyor::take_file(const Head& head) {
  const uint64_t number = head.file;
  if (head.is_named_right() && head.decoded.header.log_id == found.log_id) {
    const SegmentHeader& header = head.decoded.header;
    found.sources.push_back({.number = number,
                             .file = number,
                             .header = header,
                             .base_lsn = header.base_lsn,
                             .base_ordinal = header.base_ordinal,
                             .limit = {}});
    return {};
  }
  auto segment = open_damaged(store, number);
  if (!segment) return std::unexpected(segment.error());
  if (*segment == nullptr) return {};
  auto beginning = find_beginning(**segment, SegmentBinding::of(found.log_id, number));
  if (!beginning) return std::unexpected(beginning.error());
  if (!*beginning) return {};
  note(store.segment_label(number), 0,
       "the header does not verify; its frames say where they belong");
  found.sources.push_back({.number = number,
                           .file = number,
                           .header = {},
                           .base_lsn = (*beginning)->base_lsn,
                           .base_ordinal = (*beginning)->base_ordinal,
                           .limit = {}});
  return {};
}

/// A file under a wrong name counts if the one that should have that name is not there. Without a
/// root it could be one that had been trimmed, and was on its way to another use.
void Surveyor::take_renamed() {
  for (const Head& head : heads) {
    if (head.decoded.state != HeaderState::valid || head.is_named_right()) continue;
    const SegmentHeader& header = head.decoded.header;
    if (header.log_id != found.log_id) {
      if (has_source(head.file)) continue;
      note(store.segment_label(head.file), 0, "it belongs to another log");
      continue;
    }
    const bool is_in_log = found.root && header.number >= found.root->first.number;
    if (has_source(head.file) || (found.root && !is_in_log)) continue;
    note(store.segment_label(head.file), 0, fmt::format("it holds segment {}", header.number));
    if (!is_in_log || has_source(header.number)) continue;
    found.sources.push_back({.number = header.number,
                             .file = head.file,
                             .header = header,
                             .base_lsn = header.base_lsn,
                             .base_ordinal = header.base_ordinal,
                             .limit = {}});
  }
}

/// What a later segment begins with ends all before it: after a rotation they end there, and after
/// a truncation, which is a rotation to a lower base, what they hold behind is void. The root knows
/// the last truncation even if its segment is lost.
void Surveyor::set_limits() {
  Lsn limit(kMaxCounter);
  uint64_t mark = 0;
  if (found.root && found.root->truncation.number >= found.root->first.number) {
    mark = found.root->truncation.number;
  }
  for (auto source = found.sources.rbegin(); source != found.sources.rend(); ++source) {
    if (mark > source->number) {
      limit = std::min(limit, found.root->truncation.base_lsn);
      mark = 0;
    }
    source->limit = limit;
    limit = std::min(limit, source->base_lsn);
    if (mark == source->number) mark = 0;
  }
}

}  // namespace

bool SalvageSurvey::is_behind_proven(uint64_t number, Lsn lsn) const {
  if (!root) return false;
  return number > root->proven.number || (number == root->proven.number && lsn >= root->proven.lsn);
}

Result<std::shared_ptr<DamagedSegment>> open_damaged(SegmentStore& store, uint64_t file) {
  auto opened = store.open(file);
  if (opened) return std::make_shared<DamagedSegment>(std::move(*opened));
  const bool is_lost = is_unreadable(opened.error()) || opened.error().system_error() == ENOENT ||
                       opened.error().system_error() == 0;  // Not a regular file.
  if (is_lost) return nullptr;
  return std::unexpected(opened.error());
}

Result<SalvageSurvey> survey(SegmentStore& store) {
  Surveyor surveyor{.store = store};
  if (auto done = surveyor.run(); !done) return std::unexpected(done.error());
  return std::move(surveyor.found);
}

}  // namespace writeahead::internal
