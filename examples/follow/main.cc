// Follow: one process appends, another one gets each record as soon as it is durable.
//
//   example_follow create DIR    makes an empty log
//   example_follow write DIR     appends "order 1" to "order 5", and "end"
//   example_follow follow DIR    shows what is appended, up to "end"
//
// Writer and follower may start in either order, and a follower goes on over any number of writers
// that come, die and go. It takes no lock and writes nothing to the log, so there may be many.
// Exits with 1 on any error, which goes to standard error in one line. Run by run.cmake.
#include <chrono>
#include <expected>
#include <iostream>
#include <stop_token>
#include <string>
#include <string_view>

#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace {

using namespace std::chrono_literals;

writeahead::Result<void> create(const std::string& directory) {
  auto log = writeahead::Log::open(directory, {.error_if_exists = true});
  if (!log) return std::unexpected(log.error());
  return log->close();
}

writeahead::Result<void> write(const std::string& directory) {
  auto log = writeahead::Log::open(directory);
  if (!log) return std::unexpected(log.error());
  for (int i = 1; i <= 5; ++i) {
    auto lsn = log->append("order " + std::to_string(i));  // durable, and on its way to followers
    if (!lsn) return std::unexpected(lsn.error());
  }
  if (auto end = log->append("end"); !end) return std::unexpected(end.error());
  return log->close();
}

writeahead::Result<void> follow(const std::string& directory, const std::stop_token& stop) {
  auto log = writeahead::ReadOnlyLog::open(directory);
  if (!log) return std::unexpected(log.error());
  // A follower that keeps reader.position() with what it made of the records begins there again.
  auto reader = log->reader(log->first_lsn());
  // Ends when another thread asks for a stop; without a time-out it would wait for ever.
  while (auto record = reader.wait_next(stop, 10s)) {
    if (!*record) return std::unexpected(record->error());  // trimmed, truncated, corruption, io
    const std::string_view text(reinterpret_cast<const char*>((*record)->payload.data()),
                                (*record)->payload.size());
    if (text == "end") return {};
    std::cout << (*record)->lsn.value() << " " << text << std::endl;
  }
  return std::unexpected(writeahead::Error(writeahead::ErrorCode::would_block,
                                           "follow: nothing was appended for ten seconds"));
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view task = count == 3 ? arguments[1] : "";
  writeahead::Result<void> done;
  if (task == "create") {
    done = create(arguments[2]);
  } else if (task == "write") {
    done = write(arguments[2]);
  } else if (task == "follow") {
    done = follow(arguments[2], {});  // a service would pass the token of its std::jthread
  } else {
    std::cerr << "usage: example_follow create|write|follow DIR\n";
    return 1;
  }
  if (done) return 0;
  std::cerr << done.error().message() << "\n";
  return 1;
}
