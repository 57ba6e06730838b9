// SimObjects: an object store in memory, whose answers can be lost.
//
// A change whose answer is lost was made, is made some calls later, or is never made; the caller is
// told that nobody knows. A store can be stopped for one client, whose calls change nothing from
// then on, as if its process had died. What holds of a replicated store holds here: changes of one
// object are whole, and have an order.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "writeahead/object_store.h"

namespace writeahead::test {

/// What becomes of a change whose answer is lost.
struct LostAnswer {
  uint64_t call = 0;  ///< Of all changes of the client, from 1.
  enum class Fate : uint8_t { made, never, later } fate = Fate::made;
  uint64_t calls_later = 1;  ///< Before the so manieth change that follows, by whomever.
};

/// The objects themselves, which outlive every client.
class SimObjects {
 public:
  [[nodiscard]] ObjectAnswer change(const std::string& object, const ObjectChange& change);
  /// Makes it before so many changes that follow, whether its client lives or not.
  void change_later(const std::string& object, const ObjectChange& change, uint64_t calls);
  [[nodiscard]] SystemResult<ObjectView> read(const std::string& object, uint64_t offset,
                                              std::span<std::byte> out);
  void remove(const std::string& object);
  [[nodiscard]] std::vector<std::string> names() const;
  /// Changes one bit of an object.
  void damage(const std::string& object, uint64_t offset);
  void cut(const std::string& object, uint64_t bytes);
  void set_attribute(const std::string& object, const std::string& name, const std::string& value);
  void fill_up(bool is_full) { is_full_ = is_full; }
  [[nodiscard]] bool is_full() const { return is_full_; }
  void count_refusal() { ++refusals_; }
  /// Changes that were refused since they are full.
  [[nodiscard]] uint64_t refusals() const { return refusals_; }

 private:
  struct Object {
    std::map<std::string, std::string, std::less<>> attributes;
    std::vector<std::byte> bytes;
  };
  /// With what the client's change only points to.
  struct Late {
    std::string object;
    ObjectChange change;
    std::vector<std::byte> bytes;
    std::vector<std::string> names;
    uint64_t due;
  };
  [[nodiscard]] ObjectAnswer make(const std::string& object, const ObjectChange& change);

  mutable std::mutex mutex_;
  std::map<std::string, Object> objects_;
  std::vector<std::unique_ptr<Late>> late_;
  uint64_t changes_ = 0;
  std::atomic<bool> is_full_ = false;
  std::atomic<uint64_t> refusals_ = 0;
};

/// One client's way to them. Thread-safe, but for what a test sets before.
class SimClient final : public ObjectStore {
 public:
  explicit SimClient(std::shared_ptr<SimObjects> objects) : objects_(std::move(objects)) {}

  [[nodiscard]] SystemResult<ObjectAnswer> change(const std::string& object,
                                                  const ObjectChange& change) override;
  [[nodiscard]] SystemResult<ObjectView> read(const std::string& object, uint64_t offset,
                                              std::span<std::byte> out) override;
  void notify(const std::string&) override {}
  [[nodiscard]] std::unique_ptr<ObjectWatch> watch(const std::string&,
                                                   std::function<void()>) override {
    return nullptr;
  }

  [[nodiscard]] uint64_t changes() const { return changes_; }
  [[nodiscard]] uint64_t reads() const { return reads_; }
  /// That read, and so many in all, are not answered in time.
  void lose_reads(uint64_t first, uint64_t count) {
    lost_read_ = first;
    lost_reads_ = count;
  }
  void lose(const LostAnswer& lost) { lost_ = lost; }
  /// They are full from that change on, for so many.
  void be_full(uint64_t first, uint64_t count) {
    full_ = first;
    full_count_ = count;
  }
  /// From that change on, which is not made.
  void stop_at(uint64_t call) { stop_ = call; }
  /// Called before that change.
  void before(uint64_t call, std::function<void()> hook) {
    hooked_ = call;
    hook_ = std::move(hook);
  }

 private:
  const std::shared_ptr<SimObjects> objects_;
  std::atomic<uint64_t> changes_ = 0;
  std::atomic<uint64_t> reads_ = 0;
  uint64_t lost_read_ = 0;
  uint64_t lost_reads_ = 0;
  std::optional<LostAnswer> lost_;
  uint64_t full_ = 0;
  uint64_t full_count_ = 0;
  uint64_t stop_ = UINT64_MAX;
  uint64_t hooked_ = 0;
  std::function<void()> hook_;
};

/// Makes "sim://NAME" the log `NAME` of this client.
void register_client(std::shared_ptr<SimClient> client, uint64_t patience_ms = 2000);

}  // namespace writeahead::test
