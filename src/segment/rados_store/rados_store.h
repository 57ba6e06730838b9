// RadosStore: segments and root as objects of a replicated store.
//
// The head object is the root, and whoever changes its epoch owns the log: an older owner's changes
// are refused from then on, by the store. All that is there was acknowledged or could have been, so
// nothing is torn, cut, recycled or prepared. Ownership is taken before anything is looked at.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "segment/rados_store/object_log.h"
#include "segment/segment_store.h"
#include "writeahead/env.h"

namespace writeahead::internal {

class RadosStore final : public SegmentStore {
 public:
  /// Takes the log over, under `least_epoch` or a higher one. Codes as ObjectLog::take_over().
  [[nodiscard]] static Result<std::unique_ptr<RadosStore>> open(Env& env, ObjectAddress address,
                                                                const std::string& path,
                                                                const Options& options,
                                                                uint64_t least_epoch = 0);
  /// Changes nothing.
  [[nodiscard]] static Result<std::unique_ptr<RadosStore>> open_read_only(ObjectAddress address,
                                                                          const std::string& path);
  /// Takes the log over and removes it. Readers are told `not_found` from its first change on.
  [[nodiscard]] static Result<void> destroy(Env& env, ObjectAddress address,
                                            const std::string& path);
  ~RadosStore() override { RadosStore::release(); }

  /// An object is made by its first append. A request of more than 90 MB is refused by the cluster,
  /// with everything that is in it, and an object may have 128 MiB (osd_max_object_size).
  static constexpr StoreTraits kTraits = {.passes_on_ownership = true,
                                          .can_truncate = false,
                                          .prepares_segments = false,
                                          .writes_whole = true,
                                          .may_be_full = true,
                                          .most_batch_bytes = 80ULL << 20,
                                          .most_segment_bytes = 128ULL << 20};
  [[nodiscard]] StoreTraits traits() const override { return kTraits; }
  [[nodiscard]] const std::string& path() const override { return log_->path(); }
  [[nodiscard]] std::string segment_path(uint64_t number) const override {
    return log_->segment_path(number);
  }
  [[nodiscard]] std::string segment_label(uint64_t number) const override {
    return log_->segment_name(number);
  }
  [[nodiscard]] Result<RootSlots> load_root() override;
  [[nodiscard]] Result<void> claim(const RootState& root) override;
  [[nodiscard]] Result<void> write_root(const RootState& root) override;
  [[nodiscard]] Result<std::vector<uint64_t>> list() override;
  [[nodiscard]] Result<std::shared_ptr<SegmentReader>> open(uint64_t number) override;
  [[nodiscard]] Result<std::shared_ptr<SegmentReader>> open_shown(uint64_t number) override {
    return open(number);
  }
  [[nodiscard]] std::shared_ptr<MappedSegment> map(const MappedRange&) override { return nullptr; }
  [[nodiscard]] Result<uint64_t> read_head(uint64_t number, std::span<std::byte> block) override;
  [[nodiscard]] Result<std::shared_ptr<SegmentWriter>> open_for_append(uint64_t number,
                                                                       uint64_t end) override;
  [[nodiscard]] Result<std::shared_ptr<SegmentWriter>> create(uint64_t number) override;
  [[nodiscard]] std::shared_ptr<SegmentWriter> recycle(uint64_t, uint64_t, uint64_t) override {
    return nullptr;
  }
  [[nodiscard]] Result<void> sync_names() override { return {}; }
  void discard(uint64_t) override {}
  [[nodiscard]] Result<void> remove(std::span<const uint64_t> numbers) override;
  [[nodiscard]] Result<std::vector<uint64_t>> drop(std::span<const uint64_t> numbers) override;
  [[nodiscard]] Result<std::string> save_torn(uint64_t number, Lsn lsn, SegmentReader& segment,
                                              uint64_t begin, uint64_t end) override;
  void publish_durable(Lsn) override {}
  void show_newest(uint64_t, uint64_t, std::span<const std::byte>) override {}
  uint64_t wake_followers() override;
  void announce_truncation(uint64_t) override {}
  void announce(const RootState&) override {}
  [[nodiscard]] std::optional<ControlSigns> control_signs() override;
  [[nodiscard]] bool wait_for_change(uint64_t seen, std::chrono::nanoseconds timeout) override;
  void interrupt_waits() override { note_change(); }
  [[nodiscard]] std::optional<ControlState> read_control() override;
  [[nodiscard]] bool is_writing(const ControlState&) override { return true; }
  [[nodiscard]] bool is_full() const override { return log_->is_full(); }
  void stop_waiting_for_space() override { log_->stop_waiting_for_space(); }
  [[nodiscard]] Result<bool> is_destroyed() override;
  void release() override;
  [[nodiscard]] SyncMethod sync_method() const override { return SyncMethod::automatic; }
  [[nodiscard]] uint64_t write_unit() const override { return 1; }
  [[nodiscard]] uint64_t safe_alignment() const override { return 0; }
  [[nodiscard]] bool allows_threads() const override { return allows_threads_; }
  [[nodiscard]] bool reads_device() const override { return true; }

 private:
  explicit RadosStore(std::shared_ptr<ObjectLog> log) : log_(std::move(log)) {}
  [[nodiscard]] bool is_owner() const { return log_->epoch() != 0; }
  [[nodiscard]] Result<LogHead> current_head();
  [[nodiscard]] Result<std::pair<uint64_t, uint64_t>> segments_there();
  [[nodiscard]] Result<SegmentObject> find_segment(uint64_t number);
  [[nodiscard]] Error missing_segment(uint64_t number);
  [[nodiscard]] Result<ProvenPosition> end_of(const LogHead& head);
  [[nodiscard]] Result<void> put_root(RootState root);
  void note_change();

  const std::shared_ptr<ObjectLog> log_;
  // Of the owner, one call at a time.
  std::optional<LogHead> taken_;  // as it was taken over
  std::vector<std::byte> written_root_;
  uint64_t sequence_ = 0;
  bool allows_threads_ = true;
  std::atomic<uint64_t> removed_ = 1;
  std::atomic<uint64_t> first_ = 1;  // of the owner's root
  std::atomic<uint64_t> changes_ = 0;
  std::mutex change_mutex_;
  std::condition_variable changed_;
  std::unique_ptr<ObjectWatch> watch_;
};

}  // namespace writeahead::internal
