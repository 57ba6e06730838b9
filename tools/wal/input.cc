// Reading and cutting into records. The buffer grows only by what has really arrived: a length
// that promises a gigabyte costs no memory by itself.
#include "input.h"

#include <fcntl.h>  // style-ok(system): the input is the command's, not the log's
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace wal {

namespace {

constexpr size_t kReadBytes = size_t{1} << 18;
constexpr size_t kPrefixBytes = 4;

uint32_t length_at(const char* bytes) {
  uint32_t length = 0;
  for (size_t i = 0; i < kPrefixBytes; ++i) {
    length |= uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return length;
}

/// Whether `descriptor` has bytes, its end or an error to give now.
bool is_readable(int descriptor) {
  pollfd asked{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&asked, 1, 0) != 0;
}

}  // namespace

Outcome<RecordInput> RecordInput::open(const std::string& path, InputFormat format) {
  if (path.empty()) {
    return RecordInput(STDIN_FILENO, "standard input", format);
  }
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return system_failure("open " + path, errno);
  }
  return RecordInput(descriptor, path, format);
}

RecordInput::RecordInput(int descriptor, std::string name, InputFormat format)
    : descriptor_(descriptor), name_(std::move(name)), format_(format) {}

RecordInput::RecordInput(RecordInput&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, STDIN_FILENO)),
      name_(std::move(other.name_)),
      format_(other.format_),
      buffer_(std::move(other.buffer_)),
      begin_(other.begin_),
      end_(other.end_),
      searched_(other.searched_),
      records_(other.records_),
      found_(other.found_),
      is_at_end_(other.is_at_end_),
      failure_(std::move(other.failure_)) {}

RecordInput::~RecordInput() {
  if (descriptor_ != STDIN_FILENO) {
    ::close(descriptor_);
  }
}

Outcome<std::optional<std::span<const std::byte>>> RecordInput::next() {
  while (!find_record()) {
    if (failure_) {
      return std::unexpected(*failure_);
    }
    if (is_at_end_) {
      return std::nullopt;
    }
    fill();
  }
  const Extent record = *std::exchange(found_, std::nullopt);
  begin_ = record.next;
  searched_ = 0;
  ++records_;
  return std::as_bytes(std::span(buffer_).subspan(record.begin, record.end - record.begin));
}

bool RecordInput::would_wait() {
  while (!find_record() && !failure_ && !is_at_end_) {
    if (!is_readable(descriptor_)) {
      return true;
    }
    fill();
  }
  return false;
}

bool RecordInput::find_record() {
  if (found_) {
    return true;
  }
  if (failure_) {
    return false;
  }
  return format_ == InputFormat::lines ? find_line() : find_length_prefixed();
}

bool RecordInput::find_line() {
  if (unread() > searched_) {
    const char* const from = buffer_.data() + begin_ + searched_;
    const void* const newline = std::memchr(from, '\n', unread() - searched_);
    if (newline != nullptr) {
      const auto end = static_cast<size_t>(static_cast<const char*>(newline) - buffer_.data());
      found_ = Extent{.begin = begin_, .end = end, .next = end + 1};
    }
    searched_ = unread();
  }
  if (!found_ && is_at_end_ && unread() > 0) {
    found_ = Extent{.begin = begin_, .end = end_, .next = end_};
  }
  if ((found_ ? found_->end - found_->begin : unread()) > kLongestRecordBytes) {
    refuse_longer_than(kLongestRecordBytes);
  }
  return found_.has_value();
}

bool RecordInput::find_length_prefixed() {
  uint64_t wanted = kPrefixBytes;
  if (unread() >= kPrefixBytes) {
    const uint32_t length = length_at(buffer_.data() + begin_);
    if (length > kLongestRecordBytes) {
      refuse_longer_than(kLongestRecordBytes);
      return false;
    }
    wanted += length;
    if (unread() >= wanted) {
      const size_t begin = begin_ + kPrefixBytes;
      found_ = Extent{.begin = begin, .end = begin + length, .next = begin + length};
      return true;
    }
  }
  if (is_at_end_ && unread() > 0) {
    failure_ = usage_failure(fmt::format("read {}: the input ends inside record {} (after {} of {} "
                                         "bytes{})",
                                         name_, records_ + 1, unread(), wanted,
                                         wanted == kPrefixBytes ? " of its length" : ""))
                   .error();
  }
  return false;
}

void RecordInput::refuse_longer_than(uint64_t bytes) {
  found_.reset();
  failure_ = usage_failure(fmt::format("read {}: record {} is longer than {} bytes", name_,
                                       records_ + 1, bytes))
                 .error();
}

void RecordInput::make_room() {
  if (buffer_.size() - end_ >= kReadBytes) {
    return;
  }
  // The unread part is moved only when the buffer's end is reached, and the buffer doubles when
  // that part fills half of it: the cost of a byte is constant for records of any length.
  const size_t kept = unread();
  if (kept > 0) {
    std::copy(buffer_.data() + begin_, buffer_.data() + end_, buffer_.data());
  }
  end_ = kept;
  begin_ = 0;
  if (buffer_.size() < 2 * end_ + kReadBytes) {
    buffer_.resize(std::max(2 * buffer_.size(), 4 * kReadBytes));
  }
}

void RecordInput::fill() {
  make_room();
  while (true) {
    const ssize_t got = ::read(descriptor_, buffer_.data() + end_, buffer_.size() - end_);
    if (got >= 0) {
      end_ += static_cast<size_t>(got);
      is_at_end_ = got == 0;
      return;
    }
    if (errno == EAGAIN) {
      // Somebody who shares the terminal or pipe has made it non-blocking.
      pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
      (void)::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      failure_ = system_failure("read " + name_, errno).error();
      return;
    }
  }
}

}  // namespace wal
