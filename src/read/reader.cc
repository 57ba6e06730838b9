// Reader: the public face of Cursor.
// It owns nothing but the cursor, which keeps alive what it reads.
#include "writeahead/reader.h"

#include <utility>

#include "read/cursor.h"

namespace writeahead {

Reader::Reader(std::unique_ptr<internal::Cursor> cursor) : cursor_(std::move(cursor)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

std::optional<Result<RecordView>> Reader::next() { return cursor_->next(); }
void Reader::advance(std::optional<Result<RecordView>>& record) { cursor_->advance(record); }
std::optional<Result<RecordView>> Reader::wait_next(
    const std::stop_token& stop, std::optional<std::chrono::nanoseconds> timeout) {
  return cursor_->wait_next(stop, internal::deadline_in(timeout));
}
Lsn Reader::position() const { return cursor_->position(); }
Reader::Iterator Reader::begin() { return Iterator(*this); }

}  // namespace writeahead
