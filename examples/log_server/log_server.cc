// From requests to calls, and from answers to responses.
#include "log_server.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

namespace log_server {

namespace {

using httplib::Request;
using httplib::Response;
using writeahead::Error;
using writeahead::ErrorCode;
using writeahead::Lsn;
using writeahead::index::Tag;
using writeahead::index::TagLog;
using writeahead::index::VersionLink;

constexpr const char* kText = "text/plain";
constexpr const char* kBytes = "application/octet-stream";

uint64_t number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}
/// 0 if it is not there.
uint64_t number(const Request& request, const char* name) {
  return number(request.get_param_value(name));
}
std::vector<Tag> tags_of(const Request& request) {
  std::vector<Tag> tags;
  std::string_view text;
  const std::string value = request.get_param_value("tags");
  for (text = value; !text.empty();) {
    const std::string_view tag = text.substr(0, text.find(','));
    tags.push_back(static_cast<Tag>(number(tag)));
    text.remove_prefix(std::min(text.size(), tag.size() + 1));
  }
  return tags;
}

void refuse(const Error& error, Response& response) {
  switch (error.code()) {
    case ErrorCode::fenced:
      response.status = 409;
      break;
    case ErrorCode::would_block:
      response.status = 408;
      break;
    case ErrorCode::invalid_argument:
      response.status = 400;
      break;
    default:
      response.status = 500;
      break;
  }
  response.set_content(std::string(error.message()), kText);
}

void push(TagLog& log, const Request& request, Response& response) {
  const VersionLink link{.version = number(request, "version"),
                         .previous_version = number(request, "previous"),
                         .known_committed_version = number(request, "committed"),
                         .generation = number(request, "generation")};
  const auto done = log.append_version(link, request.body, tags_of(request));
  if (!done) return refuse(done.error(), response);
  response.set_content(std::to_string(done->lsn.value()), kText);
}

void peek(TagLog& log, const Request& request, Response& response) {
  const auto records = log.peek(static_cast<Tag>(number(request, "tag")),
                                Lsn(number(request, "from")), number(request, "bytes"));
  if (!records) return refuse(records.error(), response);
  std::string text;
  for (const auto& record : *records) {
    text += std::to_string(record.lsn.value()) + " " + std::to_string(record.version) + " " +
            std::to_string(record.payload.size()) + "\n";
    text.append(reinterpret_cast<const char*>(record.payload.data()), record.payload.size());
  }
  response.set_content(text, kBytes);
}

void pop(TagLog& log, const Request& request, Response& response) {
  const auto done =
      log.pop(static_cast<Tag>(number(request, "tag")), Lsn(number(request, "up_to")));
  if (!done) return refuse(done.error(), response);
  response.set_content("popped", kText);
}

void lock(TagLog& log, const Request& request, Response& response) {
  const auto locked = log.lock(number(request, "generation"));
  if (!locked) return refuse(locked.error(), response);
  response.set_content(
      std::to_string(locked->end_version) + " " + std::to_string(locked->known_committed_version),
      kText);
}

void truncate(TagLog& log, const Request& request, Response& response) {
  const auto done = log.truncate_from_version(number(request, "version"));
  if (!done) return refuse(done.error(), response);
  response.set_content("truncated", kText);
}

}  // namespace

writeahead::Result<std::unique_ptr<LogServer>> LogServer::open(const std::string& directory) {
  auto log = TagLog::open(directory);
  if (!log) return std::unexpected(log.error());
  return std::unique_ptr<LogServer>(new LogServer(std::move(*log)));
}

LogServer::LogServer(std::unique_ptr<TagLog> log) : log_(std::move(log)) {
  // One thread answers a request, and may wait for a predecessor that another one brings.
  http_.new_task_queue = [] { return new httplib::ThreadPool(16); };
  const auto with_log = [this](auto handle) {
    return [this, handle](const Request& request, Response& response) {
      handle(*log_, request, response);
    };
  };
  http_.Post("/push", with_log(push));
  http_.Get("/peek", with_log(peek));
  http_.Post("/pop", with_log(pop));
  http_.Post("/lock", with_log(lock));
  http_.Post("/truncate", with_log(truncate));
}

}  // namespace log_server
