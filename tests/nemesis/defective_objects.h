// DefectiveObjects: an object store behind which answers get lost, and in which rules of the log's
// changes can be left out, for the checker to find.
//
// It stands between the library and the real store. A lost answer is a fault that the library has
// to bear: the change was made, is made some changes later, or never.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "writeahead/object_store.h"

namespace writeahead::nemesis {

enum class Defect : uint8_t {
  none,
  no_epoch_guard,   ///< Appends do not name their owner.
  no_length_guard,  ///< ... nor the end that they go to.
  blind_retry,      ///< One without an answer is made again, at the end as it is then.
  early_ack,        ///< One is acknowledged before it is made, with the change behind it.
};
[[nodiscard]] std::optional<Defect> defect_of(std::string_view name);

class DefectiveObjects final : public ObjectStore {
 public:
  struct Wish {
    Defect defect = Defect::none;
    double lost_answers = 0;  ///< So many of all appends, from 0 to 1.
    uint64_t seed = 1;
  };
  DefectiveObjects(std::shared_ptr<ObjectStore> objects, const Wish& wish)
      : objects_(std::move(objects)), wish_(wish), random_(wish.seed) {}

  [[nodiscard]] SystemResult<ObjectAnswer> change(const std::string& object,
                                                  const ObjectChange& change) override;
  [[nodiscard]] SystemResult<ObjectView> read(const std::string& object, uint64_t offset,
                                              std::span<std::byte> out) override {
    return objects_->read(object, offset, out);
  }
  void notify(const std::string& object) override { objects_->notify(object); }
  [[nodiscard]] std::unique_ptr<ObjectWatch> watch(const std::string& object,
                                                   std::function<void()> on_change) override {
    return objects_->watch(object, std::move(on_change));
  }

  /// Makes the last append once more, at the end of its object as that is now, with the guard of
  /// its owner: what an owner may do who does not know that it is none any more. `unknown` if there
  /// was no append.
  [[nodiscard]] SystemResult<ObjectAnswer> append_as_a_zombie();
  /// How many answers were lost so far.
  [[nodiscard]] uint64_t lost() const;

 private:
  /// A change with what it only points to.
  struct Held {
    std::string object;
    ObjectChange change;
    std::vector<std::byte> bytes;
    uint64_t due;  // with that change
  };
  [[nodiscard]] ObjectChange without_guards(const ObjectChange& change) const;
  [[nodiscard]] SystemResult<ObjectAnswer> append(uint64_t call, const std::string& object,
                                                  const ObjectChange& change);
  [[nodiscard]] SystemResult<ObjectAnswer> make(uint64_t call, const std::string& object,
                                                const ObjectChange& change);
  [[nodiscard]] SystemResult<ObjectAnswer> append_at_the_end(const std::string& object,
                                                             const ObjectChange& change);
  [[nodiscard]] static Held copy_of(const std::string& object, const ObjectChange& change);
  void hold(const std::string& object, const ObjectChange& change, uint64_t due);
  void make_what_is_due(uint64_t call);

  const std::shared_ptr<ObjectStore> objects_;
  const Wish wish_;
  mutable std::mutex mutex_;  // Not held during a request: appends and changes of the head overlap.
  std::mt19937_64 random_;
  std::list<Held> held_;
  std::optional<Held> last_;  // append
  uint64_t changes_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace writeahead::nemesis
