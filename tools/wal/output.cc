// Buffering and the write loop. SIGPIPE is ignored by main, so that a closed pipe shows as EPIPE.
#include "output.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace wal {

namespace {

constexpr size_t kBufferBytes = size_t{1} << 16;

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (code < 0x20 || code == 0x7f) {
      shown += fmt::format("\\x{:02x}", code);
    } else {
      shown += byte;
    }
  }
  return shown;
}

Output::Output(int descriptor) : descriptor_(descriptor) { buffer_.reserve(kBufferBytes); }

void Output::write(std::string_view text) {
  if (buffer_.size() + text.size() > kBufferBytes) {
    write_out(buffer_);
    buffer_.clear();
    if (text.size() >= kBufferBytes) {
      write_out(text);
      return;
    }
  }
  buffer_ += text;
}

void Output::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

Outcome<void> Output::flush() {
  write_out(buffer_);
  buffer_.clear();
  if (state_ == State::failed) {
    return system_failure("write standard output", error_number_);
  }
  return {};
}

void Output::write_out(std::string_view text) {
  while (state_ == State::open && !text.empty()) {
    const ssize_t written = ::write(descriptor_, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
      continue;
    }
    if (errno == EINTR) {
      continue;
    }
    if (errno == EAGAIN) {
      // Somebody who shares the terminal or pipe has made it non-blocking.
      pollfd waiting{.fd = descriptor_, .events = POLLOUT, .revents = 0};
      (void)::poll(&waiting, 1, -1);
      continue;
    }
    error_number_ = errno;
    state_ = errno == EPIPE ? State::closed_by_reader : State::failed;
  }
}

}  // namespace wal
