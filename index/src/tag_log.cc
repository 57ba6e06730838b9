// TagLog: the public face of TagLogState.
#include "writeahead/index/tag_log.h"

#include <string>
#include <utility>

#include "index_error.h"
#include "tag_log_state.h"

namespace writeahead::index {

TagLog::TagLog(std::unique_ptr<internal::TagLogState> state) : state_(std::move(state)) {}
TagLog::~TagLog() = default;

Result<std::unique_ptr<TagLog>> TagLog::open(const std::string& path,
                                             const TagLogOptions& options) {
  if (options.tags == 0 || options.tags > internal::kMostTags) {
    return std::unexpected(internal::make_error(
        ErrorCode::invalid_argument, "open tag log",
        "TagLogOptions::tags is " + std::to_string(options.tags) + ", and not 1 to 2^20", path));
  }
  const Options& of_log = options.log;
  if (of_log.retain_bytes != 0 || of_log.retain_segments != 0 || of_log.retain_seconds != 0) {
    return std::unexpected(internal::make_error(
        ErrorCode::invalid_argument, "open tag log",
        "Options::retain_* would trim what was not popped: pops say what may go", path));
  }
  auto log = Log::open(path, options.log);
  if (!log) return std::unexpected(log.error());
  auto state = std::make_unique<internal::TagLogState>(std::move(*log), options);
  if (auto begun = state->begin(); !begun) return std::unexpected(begun.error());
  return std::unique_ptr<TagLog>(new TagLog(std::move(state)));
}

Result<Lsn> TagLog::append(Payload payload, std::span<const Tag> tags, AppendOptions options) {
  return state_->append(payload.bytes(), tags, options);
}

Result<Lsn> TagLog::append(Payload payload, std::initializer_list<Tag> tags,
                           AppendOptions options) {
  return append(payload, std::span(tags), options);
}

Result<std::vector<TaggedRecord>> TagLog::peek(Tag tag, Lsn from, uint64_t max_bytes) {
  if (auto checked = state_->check(tag); !checked) return std::unexpected(checked.error());
  return state_->peek(tag, from, max_bytes);
}

Result<std::vector<TaggedRecord>> TagLog::wait_peek(
    Tag tag, Lsn from, uint64_t max_bytes, const std::stop_token& stop,
    std::optional<std::chrono::nanoseconds> timeout) {
  if (auto checked = state_->check(tag); !checked) return std::unexpected(checked.error());
  internal::Deadline deadline;
  if (timeout) deadline = internal::Clock::now() + *timeout;
  auto found = state_->wait(tag, from, stop, deadline);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::vector<TaggedRecord>();
  return state_->peek(tag, from, max_bytes);
}

Result<void> TagLog::pop(Tag tag, Lsn up_to) {
  if (auto checked = state_->check(tag); !checked) return checked;
  return state_->pop(tag, up_to);
}

Result<std::vector<MovedRecord>> TagLog::move_forward(Tag tag, Lsn below) {
  if (auto checked = state_->check(tag); !checked) return std::unexpected(checked.error());
  return state_->move_forward(tag, below);
}

Result<TagInfo> TagLog::info(Tag tag) {
  if (auto checked = state_->check(tag); !checked) return std::unexpected(checked.error());
  return state_->info(tag);
}

Result<VersionAppended> TagLog::append_version(const VersionLink& link, Payload payload,
                                               std::span<const Tag> tags) {
  return state_->append(link, payload.bytes(), tags);
}

Result<VersionAppended> TagLog::append_version(const VersionLink& link, Payload payload,
                                               std::initializer_list<Tag> tags) {
  return append_version(link, payload, std::span(tags));
}

Result<uint64_t> TagLog::durable_version() {
  auto chain = state_->durable_chain();
  if (!chain) return std::unexpected(chain.error());
  return chain->version;
}

Result<uint64_t> TagLog::known_committed_version() {
  auto chain = state_->durable_chain();
  if (!chain) return std::unexpected(chain.error());
  return chain->known_committed_version;
}

Result<LockedLog> TagLog::lock(uint64_t generation) { return state_->lock(generation); }

Result<void> TagLog::truncate_from_version(uint64_t version) {
  return state_->truncate_from_version(version);
}

Log& TagLog::log() { return state_->log(); }
IndexStats TagLog::stats() const { return state_->stats(); }
const IndexOpening& TagLog::opening() const { return state_->core().opening(); }
Result<void> TagLog::close() { return state_->close(); }
bool TagLog::step_background() { return state_->step_background(); }

}  // namespace writeahead::index
