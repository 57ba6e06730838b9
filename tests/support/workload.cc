// Sizes are chosen around the places where something happens: blocks, sectors, ends of segments.
#include "support/workload.h"

#include <algorithm>
#include <cstdlib>
#include <deque>

#include "format/frame.h"
#include "format/record.h"
#include "format/segment_header.h"
#include "support/random_course.h"
#include "support/small_scope.h"

namespace writeahead::testing {
namespace {

using Kept = Script::Keep;

const Kept kNone = [](size_t, const Undecided&) { return false; };
const Kept kAll = [](size_t, const Undecided&) { return true; };
const Kept kEveryOther = [](size_t index, const Undecided&) { return index % 2 == 0; };

const Kept kFirstBlock = [](size_t, const Undecided& item) { return item.offset < kBlockBytes; };
const Kept kAllButFirstBlock = [](size_t, const Undecided& item) {
  return item.offset >= kBlockBytes;
};

/// Payload of a record that is alone in its frame, when the frame takes so many bytes.
constexpr size_t payload_of_frame(uint64_t frame_bytes) {
  return frame_bytes - writeahead::internal::kFrameHeaderBytes -
         writeahead::internal::kRecordHeaderBytes;
}

/// What the first segment of the log holds now, from `offset` on.
Bytes copy_of_log(Script& script, size_t offset, size_t count) {
  const auto bytes = script.machine().disk().contents("/log/00000000000000000001.wal");
  if (!bytes || bytes->size() < offset + count) return Bytes(count);
  return {bytes->begin() + static_cast<std::ptrdiff_t>(offset),
          bytes->begin() + static_cast<std::ptrdiff_t>(offset + count)};
}

void creation_only(Script& s) {
  s.open();
  s.close();
}

void empty_log_opened_again(Script& s) {
  s.open();
  s.step_background();
  s.close();
  s.open();
  s.cut_power(kNone);
  s.open();
  s.close();
}

void small_records(Script& s) {
  s.open();
  for (const size_t size : {0, 1, 7, 8, 64, 500}) s.append({size});
  s.close();
}

void large_records(Script& s) {
  s.open();
  for (const size_t size : {4000, 1, 4096, 10000, 0, 4096}) s.append({size});
  s.close();
}

void batches(Script& s) {
  s.open();
  s.append({1, 2, 3});
  s.append({0, 0, 0, 0});
  s.append({700, 0, 700});
  s.append({2000, 5, 1000, 9});
  s.append({100});
  s.append({1500, 1500});
  s.close();
}

void many_records_in_a_batch(Script& s) {
  s.open();
  s.append(std::vector<size_t>(100, 10));
  s.append({3});
  s.append(std::vector<size_t>(60, 30));
}

void rotation_at_every_record(Script& s) {
  s.open();
  for (int i = 0; i < 5; ++i) s.append({3000});
}

void rotation_with_seals(Script& s) {
  s.open();
  for (int i = 0; i < 4; ++i) {
    s.append({2100});
    s.append({600});
    s.step_background();
  }
  s.close();
}

void segment_filled_exactly(Script& s) {
  s.open();
  s.append({payload_of_frame(1024)});
  s.append({payload_of_frame(kBlockBytes - 1024)});
  s.step_background();
  s.append({payload_of_frame(kBlockBytes)});
  s.append({payload_of_frame(kBlockBytes - 8)});
  s.append({0});
  s.close();
}

void frames_that_end_at_sectors(Script& s) {
  s.open();
  for (const uint64_t bytes : {512, 1024, 512, 2048, 4096, 512}) {
    s.append({payload_of_frame(bytes)});
  }
  s.append({1});
}

void batch_larger_than_a_segment(Script& s) {
  s.open();
  s.append({10});
  s.append({3000, 3000, 3000});
  s.append({10});
  s.step_background();
  s.append({5000, 1});
  s.close();
}

void idle_log(Script& s) {
  s.open();
  s.append({30});
  s.advance_seconds(2);
  s.step_background();
  s.append({40});
  s.step_background();
  s.append({1000});
  s.advance_seconds(2);
  s.step_background();
  s.append({5});
}

void closed_and_opened_again(Script& s) {
  for (const size_t size : {20, 3000, 300}) {
    s.open();
    s.append({size});
    s.append({size, 1});
    s.close();
  }
}

void cut_off_and_opened_again(Script& s) {
  for (const size_t size : {20, 3000, 300}) {
    s.open();
    s.append({size});
    s.append({size, 1});
    s.cut_power(kNone);
  }
  s.open();
  s.append({1});
}

void many_epochs_without_appends(Script& s) {
  s.open();
  s.append({100});
  for (int i = 0; i < 3; ++i) {
    s.cut_power(i % 2 == 0 ? kNone : kAll);
    s.open();
  }
  s.close();
  s.open();
  s.append({100});
}

void payloads_of_zeros(Script& s) {
  s.open();
  for (const size_t size : {1, 600, 4096, 200}) s.append_payloads({Bytes(size)});
  s.append_payloads({Bytes(900), Bytes(0), Bytes(900)});
}

void payloads_of_ones(Script& s) {
  s.open();
  for (const size_t size : {1, 600, 4096, 200}) {
    s.append_payloads({Bytes(size, std::byte{0xff})});
  }
  s.append_payloads({Bytes(900, std::byte{0xff}), Bytes(500)});
}

void payloads_that_copy_frames(Script& s) {
  s.open();
  s.append({300});
  s.append_payloads({copy_of_log(s, writeahead::internal::kSegmentHeaderBytes, 416)});
  s.append_payloads({copy_of_log(s, writeahead::internal::kSegmentHeaderBytes, 1200)});
  s.cut_power_in_append({700}, kEveryOther);
  s.open();
  s.append_payloads({copy_of_log(s, writeahead::internal::kSegmentHeaderBytes, 2000)});
}

void payloads_that_copy_segments(Script& s) {
  s.open();
  s.append({300});
  s.append_payloads({copy_of_log(s, 0, 8192)});
  s.append({10});
  s.append_payloads({copy_of_log(s, 0, 8192), Bytes(3)});
}

void append_behind_a_torn_tail(Script& s) {
  s.open();
  s.append({100});
  s.cut_power_in_append({2500}, kEveryOther);
  s.open();
  s.append({50});
  s.cut_power_in_append({2500}, kAll, LostBytes::garbage);
  s.open();
  s.append({2500});
  s.close();
}

void same_length_behind_a_torn_tail(Script& s) {
  s.open();
  s.append({1000});
  for (const LostBytes lost : {LostBytes::old, LostBytes::garbage, LostBytes::zero}) {
    s.cut_power_in_append({1000, 1000}, kEveryOther, lost);
    s.open();
  }
  s.append({1000});
  s.append({1000});
}

void torn_first_write_of_a_segment(Script& s) {
  s.open();
  s.append({3900});
  // Create, open, fill, sync and directory sync come before it.
  for (const Kept& kept : {kEveryOther, kFirstBlock, kAllButFirstBlock}) {
    s.cut_power_in_append({3900}, kept, LostBytes::old, 5);
    s.open();
  }
  s.append({10});
}

void crash_between_rotation_and_seal(Script& s) {
  s.open();
  for (int i = 0; i < 3; ++i) s.append({3000});
  s.cut_power(kNone);
  s.open();
  s.append({100});
  s.step_background();
  s.append({3000});
  s.close();
  s.open();
}

void killed_and_opened_again(Script& s) {
  s.open();
  s.append({100});
  s.kill_in_append({3000}, 512);
  s.open();
  s.append({200});
  s.kill_in_append({900}, SIZE_MAX);
  s.open();
  s.append({10, 10});
}

void refused_appends(Script& s) {
  s.open();
  s.append({10});
  s.append_refused({Bytes((1ULL << 20) + 1)}, ErrorCode::too_large);
  s.append_refused({}, ErrorCode::invalid_argument);
  s.append({20});
  s.append_refused({Bytes(5), Bytes((1ULL << 20) + 1)}, ErrorCode::too_large);
  s.append({30});
}

void space_runs_out_and_comes_back(Script& s) {
  s.open();
  s.append({3000});
  s.set_free_bytes(0);
  s.append_refused({Bytes(3000)}, ErrorCode::no_space);
  s.append({500});
  s.set_free_bytes(4096);
  s.append_refused({Bytes(3000)}, ErrorCode::no_space);
  s.set_free_bytes(1 << 20);
  s.append({3000});
  s.step_background();
  s.close();
}

void trimmed_while_it_grows(Script& s) {
  s.open();
  for (size_t i = 0; i < 6; ++i) {
    s.append({2100, 10});
    s.append({600});
    if (i % 2 == 1) s.trim(3 * i - 2);
    if (i == 3) s.step_background();
  }
  s.close();
}

void trimmed_to_empty(Script& s) {
  s.open();
  s.trim(0);
  s.append({3000});
  s.append({100});
  s.trim(SIZE_MAX);
  s.append({3000});
  s.append({3000});
  s.trim(SIZE_MAX);
  s.close();
  s.open();
  s.append({10});
}

void trimmed_up_to_a_hold(Script& s) {
  s.open();
  for (int i = 0; i < 3; ++i) s.append({3000});
  s.hold("slow", 1);
  s.trim(SIZE_MAX);
  s.hold("slow", 2);
  s.hold("other", 1);
  s.trim(SIZE_MAX);
  s.append({3000});
  s.cut_power(kNone);
  s.open();
  s.trim(SIZE_MAX);
}

/// Each round's segment goes into the file of the one before the last, over what that one held.
void recycled_round_after_round(Script& s) {
  s.open();
  for (int i = 0; i < 5; ++i) {
    s.append({1500});
    s.append({700, 10});
    s.append({1800});
    s.trim(SIZE_MAX);
    s.step_background();
  }
  s.close();
  s.open();
  s.append({10});
}

/// Torn frames and clean ends in front of bytes of an earlier use.
void recycled_and_cut_off(Script& s) {
  s.open();
  for (int i = 0; i < 3; ++i) {
    s.append({3000});
    s.append({3000});
    s.trim(SIZE_MAX);
    s.step_background();
  }
  s.append({100});
  s.cut_power(kNone);
  s.open();
  s.append({200});
  s.cut_power_in_append({2000}, kEveryOther);
  s.open();
  s.append({payload_of_frame(kBlockBytes)});
  s.trim(2);
  s.append({30});
  s.cut_power_in_append({1000, 1000}, kFirstBlock);
  s.open();
  s.append({7});
}

/// Frames that end at blocks, where nothing of the last one stands before the earlier bytes.
void recycled_behind_whole_blocks(Script& s) {
  s.open();
  for (int i = 0; i < 3; ++i) {
    s.append({payload_of_frame(kBlockBytes)});
    s.append({payload_of_frame(2 * kBlockBytes)});
    s.trim(SIZE_MAX);
    s.step_background();
  }
  s.append({payload_of_frame(kBlockBytes)});
  s.cut_power(kAll);
  s.open();
  s.append({payload_of_frame(kBlockBytes)});
  s.cut_power_in_append({payload_of_frame(kBlockBytes)}, kEveryOther, LostBytes::garbage);
  s.open();
  s.append({1});
}

void recycled_with_levels_and_truncations(Script& s) {
  s.open();
  for (int i = 0; i < 3; ++i) {
    const size_t before = 4 * static_cast<size_t>(i);
    s.append_at(Durability::written, 2500);
    s.append({2500});
    s.sync();  // Also where that was refused: what is not certain cannot be told from what was
               // trimmed.
    s.trim(before + 1);
    s.step_background();
    s.append_at(Durability::buffered, 100);
    s.append({50});
    s.append({60});
    s.truncate(before + 4);
    s.append_at(Durability::written, 2000);
    s.sync();
    s.truncate(before + 4);
    s.step_background();
  }
}

/// The file that is kept to be recycled is what an oversized batch needs the space of.
void recycled_or_given_up_for_space(Script& s) {
  s.open();
  for (int i = 0; i < 4; ++i) s.append({3000});
  s.trim(SIZE_MAX);
  s.set_free_bytes(4096);
  s.append_refused({Bytes(60000)}, ErrorCode::no_space);
  s.set_free_bytes(65536);
  s.append({20000});
  s.append({3000});
}

void truncated_in_the_last_segment(Script& s) {
  s.open();
  s.append({100});
  s.append({200, 300, 20});
  s.append({50});
  s.truncate(3);
  s.append({60});
  s.truncate(1);
  s.append({70, 80});
  s.close();
}

void truncated_across_segments(Script& s) {
  s.open();
  for (int i = 0; i < 4; ++i) s.append({1000, 1000, 10});
  s.step_background();
  s.truncate(10);
  s.truncate(4);
  s.append({3000});
  s.append({3000});
  s.step_background();
  s.truncate(5);
  s.close();
  s.open();
  s.append({20});
}

void truncated_to_empty(Script& s) {
  s.open();
  s.append({3000});
  s.append({3000});
  s.truncate(0);
  s.append({3000});
  s.append({3000});
  s.trim(3);
  s.truncate(2);
  s.append({10});
  s.truncate(2);
  s.trim(SIZE_MAX);
  s.append({10});
}

void truncated_and_cut_off(Script& s) {
  s.open();
  s.append({100, 100});
  s.append({3000});
  s.truncate(1);
  s.cut_power(kNone);
  s.open();
  s.append({200});
  s.cut_power_in_append({900}, kEveryOther);
  s.open();
  s.truncate(1);
  s.append({200});
}

void mixed_sizes(Script& s) {
  s.open();
  uint64_t state = 12345;
  for (int i = 0; i < 12; ++i) {
    state = state * 6364136223846793005 + 1442695040888963407;
    const size_t size = (state >> 33) % 3000;
    i % 3 == 2 ? s.append({size / 4, size / 8, 1}) : s.append({size});
    if (i % 5 == 4) s.step_background();
  }
}

}  // namespace

void levels_mixed(Script& s) {
  s.open();
  s.append({100});
  s.append_at(Durability::written, 200);
  s.append_at(Durability::buffered, 50);
  // Its barrier has to cover the ones before it.
  s.append({300});
  s.append_at(Durability::buffered, 20);
  s.append_at(Durability::written, 5000);
  s.sync();
  s.append_at(Durability::written, 10);
  s.append({1});
  s.append_at(Durability::buffered, 2000);
  s.close();
  s.open();
  s.append({7});
}

void written_across_rotations(Script& s) {
  s.open();
  for (int i = 0; i < 5; ++i) s.append_at(Durability::written, 2500);
  s.step_background();
  s.append({1});
  for (int i = 0; i < 3; ++i) s.append_at(Durability::buffered, 3000);
  s.sync();
}

void written_and_made_durable_by_time(Script& s) {
  s.open();
  s.append_at(Durability::buffered, 700);
  s.advance_seconds(1);
  s.step_background();
  s.append_at(Durability::written, 700);
  s.advance_seconds(2);
  s.step_background();
  s.append_at(Durability::written, 60);
}

void written_and_killed(Script& s) {
  s.open();
  s.append({100});
  s.append_at(Durability::written, 1000);
  s.append_at(Durability::written, 1000);
  s.kill_in_append({500}, 0);
  s.open();
  s.append({100});
}

void async_appends(Script& s) {
  s.open();
  for (const size_t size : {10, 4000, 0, 9000, 100}) s.append_async(size);
  s.append({5});
  s.append_async(70);
  s.close();
}

void standbys_used(Script& s) {
  s.open();
  s.append({10});
  s.step_background();
  for (int i = 0; i < 4; ++i) s.append({3000});
  s.step_background();
  s.append({20000});
  s.append({3000});
}

void limited_by_count(Script& s) {
  s.open();
  for (int i = 0; i < 4; ++i) s.append({3000});
  s.obey_limits(2);
  s.append({3000, 10});
  s.append({3000});
  s.obey_limits(4);
  s.close();
  s.open();
  s.append({3000});
  s.obey_limits(6);
  s.cut_power(kNone);
  s.open();
}

void limited_by_bytes_and_a_hold(Script& s) {
  s.open();
  s.append({3000});
  s.hold("slow", 1);
  for (int i = 0; i < 3; ++i) s.append({3000});
  s.obey_limits(1);
  s.hold("slow", 3);
  s.obey_limits(2);
  s.append({3000});
  s.append({3000});
  s.obey_limits(3);
  s.cut_power(kNone);
  s.open();
  s.append({3000});
  s.obey_limits(3);
}

void limited_by_age(Script& s) {
  s.open();
  s.append({3000});
  s.append({3000});
  s.obey_limits(0);
  s.advance_seconds(6);
  s.append({3000});
  s.obey_limits(0);
  s.advance_seconds(5);
  s.obey_limits(1);
  s.advance_seconds(20);
  s.obey_limits(SIZE_MAX);
  s.append({3000});
  s.advance_seconds(30);
  s.obey_limits(SIZE_MAX);
  s.close();
  s.open();
  s.append({10});
}

void quota_that_refuses(Script& s) {
  s.open();
  for (int i = 0; i < 3; ++i) {
    s.append({3000});
    s.step_background();
  }
  s.append_over_quota(3000);
  s.append({500});
  s.append_over_quota(20000);
  s.trim(1);
  s.append({3000});
  s.append_over_quota(3000);
  s.close();
  s.open();
  s.trim(3);
  s.append({3000});
}

void quota_that_waits(Script& s) {
  s.open();
  for (int i = 0; i < 3; ++i) s.append({3000});
  s.append_when_trimmed(3000, 1);
  s.append_when_trimmed(10000, 3);
  s.cut_power(kNone);
  s.open();
  s.append_when_trimmed(3000, 4);
  s.close();
}

const std::vector<Workload>& workloads() {
  // A segment of one block of frames takes three blocks, with header and seal.
  constexpr uint64_t kThreeSegments = 3ULL * 3 * kBlockBytes;
  const auto by_count = [](Options& options) { options.retain_segments = 2; };
  const auto by_bytes = [](Options& options) { options.retain_bytes = kThreeSegments - 1; };
  const auto by_age = [](Options& options) { options.retain_seconds = 10; };
  const auto quota = [](Options& options) { options.quota_bytes = kThreeSegments; };
  const auto quota_waits = [](Options& options) {
    options.quota_bytes = kThreeSegments;
    options.quota_policy = QuotaPolicy::wait;
  };
  static const std::vector<Workload> all = {
      {"creation_only", 8192, creation_only},
      {"empty_log_opened_again", 8192, empty_log_opened_again},
      {"small_records", 8192, small_records},
      {"large_records", 8192, large_records},
      {"batches", 8192, batches},
      {"many_records_in_a_batch", 12288, many_records_in_a_batch},
      {"rotation_at_every_record", 4608, rotation_at_every_record},
      {"rotation_with_seals", 8192, rotation_with_seals},
      {"segment_filled_exactly", 8192, segment_filled_exactly},
      {"frames_that_end_at_sectors", 12288, frames_that_end_at_sectors},
      {"batch_larger_than_a_segment", 4608, batch_larger_than_a_segment},
      {"idle_log", 8192, idle_log},
      {"closed_and_opened_again", 8192, closed_and_opened_again},
      {"cut_off_and_opened_again", 8192, cut_off_and_opened_again},
      {"many_epochs_without_appends", 8192, many_epochs_without_appends},
      {"payloads_of_zeros", 12288, payloads_of_zeros},
      {"payloads_of_ones", 12288, payloads_of_ones},
      {"payloads_that_copy_frames", 12288, payloads_that_copy_frames},
      {"payloads_that_copy_segments", 12288, payloads_that_copy_segments},
      {"append_behind_a_torn_tail", 12288, append_behind_a_torn_tail},
      {"same_length_behind_a_torn_tail", 12288, same_length_behind_a_torn_tail},
      {"torn_first_write_of_a_segment", 8192, torn_first_write_of_a_segment},
      {"crash_between_rotation_and_seal", 8192, crash_between_rotation_and_seal},
      {"killed_and_opened_again", 12288, killed_and_opened_again},
      {"refused_appends", 8192, refused_appends},
      {"space_runs_out_and_comes_back", 8192, space_runs_out_and_comes_back},
      {"mixed_sizes", 8192, mixed_sizes},
      {"trimmed_while_it_grows", 8192, trimmed_while_it_grows},
      {"trimmed_to_empty", 8192, trimmed_to_empty},
      {"trimmed_up_to_a_hold", 8192, trimmed_up_to_a_hold},
      {"recycled_round_after_round", 8192, recycled_round_after_round},
      {"recycled_by_fdatasync", 8192, recycled_round_after_round, SyncMethod::fdatasync},
      {"recycled_without_direct_access", 8192, recycled_and_cut_off, SyncMethod::automatic, true},
      {"recycled_and_cut_off", 8192, recycled_and_cut_off},
      {"recycled_and_cut_off_by_buffered_dsync", 8192, recycled_and_cut_off, SyncMethod::dsync},
      {"recycled_behind_whole_blocks", 20480, recycled_behind_whole_blocks},
      {"recycled_aligned", 20480, recycled_behind_whole_blocks, SyncMethod::automatic, false, 512,
       kBlockBytes},
      {"recycled_on_sectors_of_4_kib", 12288, recycled_and_cut_off, SyncMethod::automatic, false,
       kBlockBytes},
      {"recycled_with_levels_and_truncations", 8192, recycled_with_levels_and_truncations},
      {"recycled_or_given_up_for_space", 8192, recycled_or_given_up_for_space},
      {.name = "limited_by_count", .steps = limited_by_count, .adjust = by_count},
      {.name = "limited_by_bytes", .steps = limited_by_bytes_and_a_hold, .adjust = by_bytes},
      {.name = "limited_by_age", .steps = limited_by_age, .adjust = by_age},
      {.name = "quota_that_refuses", .steps = quota_that_refuses, .adjust = quota},
      {.name = "quota_that_waits", .steps = quota_that_waits, .adjust = quota_waits},
      {"truncated_in_the_last_segment", 8192, truncated_in_the_last_segment},
      {"truncated_across_segments", 8192, truncated_across_segments},
      {"truncated_to_empty", 8192, truncated_to_empty},
      {"truncated_and_cut_off", 8192, truncated_and_cut_off},
      {"levels_mixed", 12288, levels_mixed},
      {"levels_mixed_by_fdatasync", 12288, levels_mixed, SyncMethod::fdatasync},
      {"levels_mixed_by_buffered_dsync", 12288, levels_mixed, SyncMethod::dsync},
      {"written_across_rotations", 8192, written_across_rotations},
      {"written_and_made_durable_by_time", 8192, written_and_made_durable_by_time},
      {"written_and_killed", 8192, written_and_killed},
      {"async_appends", 8192, async_appends},
      {"standbys_used", 4608, standbys_used},
      {"aligned_frames", 16384, mixed_sizes, SyncMethod::automatic, false, 512, kBlockBytes},
      {"aligned_levels", 32768, levels_mixed, SyncMethod::automatic, false, 512, kBlockBytes},
      {"frames_in_sectors", 16384, mixed_sizes, SyncMethod::automatic, false, 512, 512},
      {"levels_in_sectors", 16384, levels_mixed, SyncMethod::automatic, false, 512, 512},
      {"torn_tails_in_sectors", 12288, same_length_behind_a_torn_tail, SyncMethod::automatic, false,
       512, 512},
      {"seals_in_sectors", 8192, rotation_with_seals, SyncMethod::automatic, false, 512, 512},
      {"truncated_in_sectors", 8192, truncated_and_cut_off, SyncMethod::automatic, false, 512, 512},
      {"synced_by_fdatasync", 8192, rotation_with_seals, SyncMethod::fdatasync},
      {"synced_by_buffered_dsync", 8192, same_length_behind_a_torn_tail, SyncMethod::dsync},
      {"truncated_without_direct_access", 8192, truncated_and_cut_off, SyncMethod::automatic, true},
      {"without_direct_access", 12288, killed_and_opened_again, SyncMethod::automatic, true},
      {"fdatasync_without_direct_access", 8192, append_behind_a_torn_tail, SyncMethod::fdatasync,
       true},
      {"on_sectors_of_4_kib", 8192, mixed_sizes, SyncMethod::automatic, false, kBlockBytes},
      {"torn_tails_on_sectors_of_4_kib", 12288, same_length_behind_a_torn_tail,
       SyncMethod::automatic, false, kBlockBytes},
  };
  return all;
}

const Workload* find_workload(std::string_view name) {
  const auto found = std::ranges::find(workloads(), name, &Workload::name);
  if (found != workloads().end()) return &*found;
  static std::deque<Workload> courses;
  if (auto course = small_course(name)) return &courses.emplace_back(std::move(*course));
  constexpr std::string_view kRandom = "random_";
  if (!name.starts_with(kRandom)) return nullptr;
  const std::string seed(name.substr(kRandom.size()));
  return &courses.emplace_back(random_course(std::strtoull(seed.c_str(), nullptr, 10)));
}

}  // namespace writeahead::testing
