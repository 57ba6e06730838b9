// Requests to librados, and what their answers mean.
#include "rados_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "pool_rules.h"

namespace writeahead::rados {
namespace {

using librados::bufferlist;
using Clock = std::chrono::steady_clock;

bufferlist to_buffer(std::string_view text) {
  bufferlist buffer;
  buffer.append(text.data(), static_cast<unsigned>(text.size()));
  return buffer;
}

Error error_of(ErrorCode code, std::string_view what, std::string_view where, int result) {
  return Error(
      code,
      fmt::format("open log: {}: {} ({})", what, std::generic_category().message(-result), where),
      -result);
}

/// What librados is told before it connects. Its own time-outs are for ever; and a client with a
/// stale map waits for one of its ticks, which come each 5 s, when an OSD returns.
struct Setting {
  const char* name;
  std::string value;
};
std::array<Setting, 6> settings_of(const RadosAddress& address) {
  // An answer that is late is asked for once within the patience of the log; Ceph itself sends a
  // request again whenever its OSD changes.
  const std::string request = std::to_string(std::max<uint64_t>(address.timeout_s / 2, 1));
  return {{{.name = "objecter_timeout", .value = "1"},
           {.name = "objecter_tick_interval", .value = "0.5"},
           {.name = "rados_osd_op_timeout", .value = request},
           {.name = "rados_mon_op_timeout", .value = std::to_string(address.timeout_s)},
           {.name = "client_mount_timeout", .value = std::to_string(address.timeout_s)},
           {.name = "log_to_stderr", .value = "false"}}};
}

Result<std::shared_ptr<librados::Rados>> connect(const RadosAddress& address,
                                                 const std::string& where) {
  auto cluster = std::make_shared<librados::Rados>();
  if (const int made = cluster->init(address.user.c_str()); made < 0) {
    return std::unexpected(error_of(ErrorCode::io, "no client of Ceph", where, made));
  }
  const char* const path = address.configuration.empty() ? nullptr : address.configuration.c_str();
  if (const int read = cluster->conf_read_file(path); read < 0) {
    return std::unexpected(error_of(
        ErrorCode::io, fmt::format("cannot read {}", path != nullptr ? path : "a ceph.conf"), where,
        read));
  }
  for (const Setting& setting : settings_of(address)) {
    if (const int set = cluster->conf_set(setting.name, setting.value.c_str()); set < 0) {
      return std::unexpected(
          error_of(ErrorCode::io, fmt::format("cannot set {}", setting.name), where, set));
    }
  }
  if (const int connected = cluster->connect(); connected < 0) {
    return std::unexpected(error_of(
        ErrorCode::io,
        fmt::format("no monitor let client.{} in within {} s", address.user, address.timeout_s),
        where, connected));
  }
  return cluster;
}

/// The connection of that cluster and user, as long as somebody uses it.
Result<std::shared_ptr<librados::Rados>> share_connection(const RadosAddress& address,
                                                          const std::string& where) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<librados::Rados>> connections;
  const std::string key = fmt::format("{}\n{}\n{}\n{}", Env::posix().process_id(),
                                      address.configuration, address.user, address.timeout_s);
  const std::lock_guard lock(mutex);
  if (auto shared = connections[key].lock()) return shared;
  auto made = connect(address, where);
  if (made) connections[key] = *made;
  return made;
}

/// What the monitors know of a pool.
Result<nlohmann::json> describe_pool(librados::Rados& cluster, const std::string& pool,
                                     const std::string& where) {
  const auto refuse = [&](int result) {
    return std::unexpected(
        error_of(ErrorCode::io, "the monitors do not describe the pool", where, result));
  };
  const nlohmann::json command = {
      {"prefix", "osd pool ls"}, {"detail", "detail"}, {"format", "json"}};
  bufferlist nothing;
  bufferlist answer;
  std::string status;
  const int asked = cluster.mon_command(command.dump(), nothing, &answer, &status);
  if (asked < 0) return refuse(asked);
  const auto pools = nlohmann::json::parse(answer.to_str(), nullptr, false);
  if (!pools.is_array()) return refuse(-EPROTO);
  for (const auto& described : pools) {
    if (described.is_object() && described.value("pool_name", "") == pool) return described;
  }
  return refuse(-ENOENT);
}

/// Whether it is sure that nothing was changed.
bool is_refusal(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
    case EINVAL:
    case EROFS:
    case E2BIG:
    case EFBIG:
    case EMSGSIZE:
    case ENAMETOOLONG:
    case EOPNOTSUPP:
    case ENOSPC:
    case EDQUOT:
    case ESHUTDOWN:
      return true;
    default:
      return false;
  }
}

class Watch final : public ObjectWatch, private librados::WatchCtx2 {
 public:
  Watch(librados::IoCtx pool, std::string object, std::function<void()> on_change)
      : pool_(std::move(pool)), object_(std::move(object)), on_change_(std::move(on_change)) {}
  [[nodiscard]] bool begin() { return pool_.watch2(object_, &cookie_, this) >= 0; }
  ~Watch() override {
    // In a forked child nobody answers; the parent watches on.
    if (!process_.is_this()) return;
    if (cookie_ != 0) (void)pool_.unwatch2(cookie_);
    // Whoever is told just now is told before this is gone.
    librados::Rados cluster(pool_);
    (void)cluster.watch_flush();
  }

 private:
  void handle_notify(uint64_t notify_id, uint64_t cookie, uint64_t, bufferlist&) override {
    on_change_();
    bufferlist nothing;
    pool_.notify_ack(object_, notify_id, cookie, nothing);
  }
  /// The connection was lost: whoever waits looks by itself, too.
  void handle_error(uint64_t, int) override { on_change_(); }

  librados::IoCtx pool_;
  const std::string object_;
  const std::function<void()> on_change_;
  const MakingProcess process_;
  uint64_t cookie_ = 0;
};

}  // namespace

/// Sends one notification after the other; those that are asked for meanwhile become one. While
/// nobody watches, it is tried once a second: each costs the OSDs a round.
class RadosObjects::Notifier : public std::enable_shared_from_this<Notifier> {
 public:
  void send(librados::IoCtx& pool, const std::string& object) {
    const std::lock_guard lock(mutex_);
    if (is_sending_ || (!has_watchers_ && Clock::now() < retry_)) {
      is_wanted_ = is_sending_;
      return;
    }
    is_sending_ = true;
    start(pool, object);
  }

  /// Returns when nothing is on its way: the connection may end then.
  void finish() {
    std::unique_lock lock(mutex_);
    is_wanted_ = false;
    sent_.wait(lock, [this] { return !is_sending_; });
  }

 private:
  struct Sent {
    std::shared_ptr<Notifier> notifier;
    librados::IoCtx pool;
    std::string object;
    bufferlist answers;
    librados::AioCompletion* completion = nullptr;
  };
  static constexpr uint64_t kAnswerMs = 1000;

  void start(librados::IoCtx& pool, const std::string& object) {
    auto owned = std::make_unique<Sent>(
        Sent{.notifier = shared_from_this(), .pool = pool, .object = object, .answers = {}});
    Sent* const sent = owned.get();
    sent->completion = librados::Rados::aio_create_completion(sent, &Notifier::on_done);
    bufferlist nothing;
    const int begun =
        sent->pool.aio_notify(object, sent->completion, nothing, kAnswerMs, &sent->answers);
    if (begun >= 0) {
      [[maybe_unused]] Sent* const given = owned.release();  // on_done() has it.
      return;
    }
    sent->completion->release();
    is_sending_ = false;
  }

  static void on_done(librados::completion_t, void* argument) {
    const std::unique_ptr<Sent> sent(static_cast<Sent*>(argument));
    std::vector<librados::notify_ack_t> answers;
    std::vector<librados::notify_timeout_t> silent;
    // An answer that cannot be read says that nobody is there.
    try {
      if (sent->answers.length() != 0) {
        sent->pool.decode_notify_response(sent->answers, &answers, &silent);
      }
    } catch (const std::exception&) {
      answers.clear();
    }
    Notifier& self = *sent->notifier;
    const std::lock_guard lock(self.mutex_);
    self.has_watchers_ = !answers.empty();
    self.retry_ = Clock::now() + std::chrono::milliseconds(kAnswerMs);
    self.is_sending_ = std::exchange(self.is_wanted_, false) && self.has_watchers_;
    if (self.is_sending_) self.start(sent->pool, sent->object);
    sent->completion->release();
    self.sent_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable sent_;
  bool is_sending_ = false;
  bool is_wanted_ = false;
  bool has_watchers_ = false;
  Clock::time_point retry_ = Clock::now();
};

RadosObjects::RadosObjects(std::shared_ptr<librados::Rados> cluster, librados::IoCtx pool)
    : cluster_(std::move(cluster)),
      pool_(std::move(pool)),
      notifier_(std::make_shared<Notifier>()) {}

RadosObjects::~RadosObjects() {
  if (process_.is_this()) {
    notifier_->finish();
    return;
  }
  // Its end would wait for the parent's threads.
  [[maybe_unused]] auto* const kept = new (std::nothrow) std::shared_ptr(cluster_);
}

Result<std::shared_ptr<RadosObjects>> RadosObjects::open(const RadosAddress& address) {
  const std::string where =
      fmt::format("rados://{}@{}/{}", address.user, address.pool, address.name);
  auto cluster = share_connection(address, where);
  if (!cluster) return std::unexpected(cluster.error());
  librados::IoCtx pool;
  if (const int opened = (*cluster)->ioctx_create(address.pool.c_str(), pool); opened < 0) {
    const ErrorCode code = opened == -ENOENT ? ErrorCode::not_found : ErrorCode::io;
    return std::unexpected(
        error_of(code, fmt::format("cannot open pool '{}'", address.pool), where, opened));
  }
  auto description = describe_pool(**cluster, address.pool, where);
  if (!description) return std::unexpected(description.error());
  if (auto checked = check_pool(*description, where); !checked) {
    return std::unexpected(checked.error());
  }
  return std::shared_ptr<RadosObjects>(new RadosObjects(std::move(*cluster), std::move(pool)));
}

SystemResult<ObjectAnswer> RadosObjects::change(const std::string& object,
                                                const ObjectChange& change) {
  librados::ObjectWriteOperation request;
  if (change.creates) {
    request.create(true);
  } else {
    request.assert_exists();
  }
  for (const ObjectGuard& guard : change.guards) {
    // The operand stands on the left: it has to be so, compared with what is stored.
    uint8_t comparison = LIBRADOS_CMPXATTR_OP_EQ;
    if (guard.stored == ObjectGuard::Stored::at_most) comparison = LIBRADOS_CMPXATTR_OP_GTE;
    if (guard.stored == ObjectGuard::Stored::below) comparison = LIBRADOS_CMPXATTR_OP_GT;
    request.cmpxattr(std::string(guard.attribute).c_str(), comparison, guard.value);
  }
  if (!change.bytes.empty()) {
    bufferlist bytes;
    // A copy: a request that was given up may still be on its way.
    bytes.append(reinterpret_cast<const char*>(change.bytes.data()),
                 static_cast<unsigned>(change.bytes.size()));
    request.write(change.offset, bytes);
  }
  if (change.removes) request.remove();
  for (const auto& [name, value] : change.attributes) {
    request.setxattr(std::string(name).c_str(), to_buffer(value));
  }
  const auto when_full = change.removes || change.ignores_full ? librados::OPERATION_FULL_FORCE
                                                               : librados::OPERATION_FULL_TRY;
  const int answer = pool_.operate(object, &request, when_full);
  if (answer >= 0) return ObjectAnswer::done;
  switch (-answer) {
    case ECANCELED:
      return ObjectAnswer::refused;
    case ENOENT:
      return ObjectAnswer::missing;
    case EEXIST:
      return ObjectAnswer::exists;
    default:
      break;
  }
  if (is_refusal(-answer)) return std::unexpected(SystemError{-answer});
  return ObjectAnswer::unknown;
}

SystemResult<ObjectView> RadosObjects::read(const std::string& object, uint64_t offset,
                                            std::span<std::byte> out) {
  librados::ObjectReadOperation request;
  std::map<std::string, bufferlist> attributes;
  bufferlist bytes;
  int attributes_answer = 0;
  int bytes_answer = 0;
  request.getxattrs(&attributes, &attributes_answer);
  if (!out.empty()) request.read(offset, out.size(), &bytes, &bytes_answer);
  const int answer = pool_.operate(object, &request, nullptr);
  if (answer < 0) return std::unexpected(SystemError{-answer});
  ObjectView view;
  for (auto& [name, value] : attributes) view.attributes.emplace(name, value.to_str());
  view.bytes = std::min<size_t>(bytes.length(), out.size());
  if (view.bytes != 0) {
    bytes.begin().copy(static_cast<unsigned>(view.bytes), reinterpret_cast<char*>(out.data()));
  }
  return view;
}

void RadosObjects::notify(const std::string& object) { notifier_->send(pool_, object); }

std::unique_ptr<ObjectWatch> RadosObjects::watch(const std::string& object,
                                                 std::function<void()> on_change) {
  auto watch = std::make_unique<Watch>(pool_, object, std::move(on_change));
  if (!watch->begin()) return nullptr;
  return watch;
}

}  // namespace writeahead::rados
