// LogServer: a TagLog behind HTTP, in the role that FoundationDB gives its log servers.
//
//   POST /push?version=V&previous=P&committed=C&generation=G&tags=1,2
//                                        the payload is the body
//   GET  /peek?tag=T&from=LSN&bytes=N    records: of each a line `LSN VERSION BYTES`, its payload
//   POST /pop?tag=T&up_to=LSN
//   POST /lock?generation=G              answers `END COMMITTED`
//   POST /truncate?version=V
//
// 200 is done; 409 is fenced, 408 that a predecessor did not come, 400 a call that makes no sense,
// 500 anything else; the body of these is one line.
#pragma once

#include <httplib.h>

#include <memory>
#include <string>

#include "writeahead/index/tag_log.h"

namespace log_server {

class LogServer {
 public:
  [[nodiscard]] static writeahead::Result<std::unique_ptr<LogServer>> open(
      const std::string& directory);

  /// Takes a port of 127.0.0.1 and returns it.
  int bind() { return http_.bind_to_any_port("127.0.0.1"); }
  /// Answers until the process ends.
  void run() { http_.listen_after_bind(); }

 private:
  explicit LogServer(std::unique_ptr<writeahead::index::TagLog> log);

  std::unique_ptr<writeahead::index::TagLog> log_;
  httplib::Server http_;
};

}  // namespace log_server
