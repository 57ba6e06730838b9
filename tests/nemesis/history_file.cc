// The mapping, and the order in which an entry is stored.
#include "nemesis/history_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>

namespace writeahead::nemesis {

HistoryFile::HistoryFile(const std::filesystem::path& path, size_t capacity) {
  const size_t bytes = capacity * sizeof(Operation);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) throw std::system_error(errno, std::generic_category(), path.string());
  void* const memory = ::ftruncate(file, static_cast<off_t>(bytes)) == 0
                           ? ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                           : MAP_FAILED;
  const int error = errno;
  ::close(file);
  if (memory == MAP_FAILED) throw std::system_error(error, std::generic_category(), path.string());
  entries_ = {static_cast<Operation*>(memory), capacity};
}

HistoryFile::~HistoryFile() { ::munmap(entries_.data(), entries_.size_bytes()); }

std::span<Operation> HistoryFile::reserve(size_t count) {
  const size_t first = used_.fetch_add(count);
  if (first + count > entries_.size()) return {};
  return entries_.subspan(first, count);
}

void HistoryFile::begin(Operation& entry, const Operation& operation) {
  Operation empty = operation;
  empty.kind = Operation::Kind::nothing;
  entry = empty;
  std::atomic_ref(entry.kind).store(operation.kind, std::memory_order_release);
}

void HistoryFile::end(Operation& entry, Operation::Outcome outcome) {
  entry.answered_ns = now_ns();
  std::atomic_ref(entry.outcome).store(outcome, std::memory_order_release);
}

/// Whoever was killed had places for more than it had written: there are holes in between, too.
std::vector<Operation> HistoryFile::read(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw std::system_error(errno, std::generic_category(), path.string());
  constexpr off_t kBytes = sizeof(Operation);
  std::vector<Operation> operations;
  std::vector<Operation> some(1);
  for (off_t end = 0; true;) {
    const off_t data = ::lseek(file, end, SEEK_DATA);
    const off_t hole = data < 0 ? data : ::lseek(file, data, SEEK_HOLE);
    if (hole < 0) break;
    // An entry may lie across the edge of a hole.
    const off_t begin = std::max(data / kBytes * kBytes, end);
    end = (hole + kBytes - 1) / kBytes * kBytes;
    some.resize(static_cast<size_t>((end - begin) / kBytes));
    const ssize_t got = ::pread(file, some.data(), some.size() * sizeof(Operation), begin);
    if (got <= 0) break;
    some.resize(static_cast<size_t>(got) / sizeof(Operation));
    std::ranges::copy_if(some, std::back_inserter(operations), [](const Operation& operation) {
      return operation.kind != Operation::Kind::nothing;
    });
  }
  ::close(file);
  return operations;
}

}  // namespace writeahead::nemesis
