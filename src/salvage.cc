// Salvage: the damaged log on the one side, the new one on the other.
// Everything that the report says is known before the first byte is written.
#include "writeahead/salvage.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "format/segment_name.h"
#include "recovery/producers.h"
#include "recovery/salvage_plan.h"
#include "recovery/salvage_survey.h"
#include "recovery/salvaged_log.h"
#include "segment/open_store.h"

namespace writeahead {

using namespace internal;

namespace {

/// Where the new log can not be. A directory in the damaged log's would change it.
Result<void> refuse_place(Env& env, const std::string& path, const std::string& new_path) {
  if (traits_of(new_path).passes_on_ownership) {
    return std::unexpected(make_error(ErrorCode::invalid_argument, "salvage log",
                                      "the new log goes into a directory", {.path = new_path}));
  }
  if (traits_of(path).passes_on_ownership) return {};
  const auto outer = env.resolve(path);
  if (!outer) return std::unexpected(io_error("salvage log", outer.error(), {.path = path}));
  const auto inner = env.resolve(new_path);
  if (!inner) return std::unexpected(io_error("salvage log", inner.error(), {.path = new_path}));
  const bool is_inside = (*inner + "/").starts_with(*outer == "/" ? *outer : *outer + "/");
  if (!is_inside) return {};
  return std::unexpected(make_error(ErrorCode::invalid_argument, "salvage log",
                                    "the new directory lies in the damaged one",
                                    {.path = new_path}));
}

Result<void> refuse_writer(SegmentStore& store) {
  if (store.traits().passes_on_ownership) return {};
  const auto control = store.read_control();
  if (!control || !store.is_writing(*control)) return {};
  return std::unexpected(
      make_error(ErrorCode::locked, "salvage log",
                 fmt::format("process {} has it open for writing", control->writer.id),
                 {.path = store.path()}));
}

/// Where the log ends, if no owner shows but by that, and if it is known.
std::optional<Lsn> end_of(SegmentStore& store) {
  if (!store.traits().passes_on_ownership) return std::nullopt;
  const auto control = store.read_control();
  return control ? std::optional(control->durable_lsn) : std::nullopt;
}

/// Whoever opened the log meanwhile may have changed anything.
Result<void> refuse_change(SegmentStore& store, const SalvageSurvey& survey,
                           std::optional<Lsn> end) {
  if (auto refused = refuse_writer(store); !refused) return refused;
  const auto refuse = [&] {
    return std::unexpected(make_error(ErrorCode::io, "salvage log",
                                      "somebody wrote to it meanwhile", {.path = store.path()}));
  };
  if (end_of(store) != end) return refuse();
  if (!survey.root) return {};
  auto slots = store.load_root();
  if (!slots) return std::unexpected(slots.error());
  const bool is_same = std::ranges::any_of(slots->slot, [&](const DecodedRootSlot& slot) {
    return slot.state == HeaderState::valid && slot.sequence == survey.root_sequence;
  });
  const bool is_newer = std::ranges::any_of(slots->slot, [&](const DecodedRootSlot& slot) {
    return slot.state == HeaderState::valid && slot.root.log_id == survey.log_id &&
           slot.sequence > survey.root_sequence;
  });
  if (is_same && !is_newer) return {};
  return refuse();
}

/// A log that could not be opened for writing would be no good.
Result<void> refuse_exhausted(const SalvagePlan& plan, const std::string& path) {
  const uint64_t highest = std::max({plan.highest_epoch, plan.end_lsn.value(), plan.end_ordinal});
  if (highest <= kMaxCounterAtOpening - 2) return {};
  return std::unexpected(make_error(ErrorCode::corruption, "salvage log",
                                    "a counter is beyond what openings can reach", {.path = path}));
}

/// What the segments of the new log do not say.
RootState root_of(const SalvageSurvey& survey, const SalvagePlan& plan) {
  RootState root;
  // A bad slot may have held the epoch behind the highest one that is known.
  root.epoch = plan.highest_epoch + 2;
  root.first = {.number = 1, .lsn = plan.first_lsn, .ordinal = plan.first_ordinal};
  if (survey.root) root.holds = survey.root->holds;
  for (RootHold& hold : root.holds) {
    hold.lsn = std::clamp(hold.lsn, plan.first_lsn, plan.end_lsn);
  }
  return root;
}

Result<void> write(SegmentStore& store, const SalvageSurvey& survey, const SalvagePlan& plan,
                   std::optional<Lsn> end, SalvagedLog& log) {
  const RootState root = root_of(survey, plan);
  // What is lost at the beginning shows as lost, too, and not as trimmed.
  const SalvageRun behind{.begin = plan.end_lsn,
                          .end = plan.end_lsn,
                          .first_ordinal = plan.end_ordinal,
                          .end_ordinal = plan.end_ordinal,
                          .epoch = root.epoch,
                          .time_ns = plan.last_time_ns};
  const SalvageRun& first = plan.runs.empty() ? behind : plan.runs.front();
  if (first.begin != plan.first_lsn || first.first_ordinal != plan.first_ordinal) {
    auto added = log.add_empty({plan.first_lsn, plan.first_ordinal, first.epoch, first.time_ns});
    if (!added) return added;
  }
  for (const SalvageRun& run : plan.runs) {
    const SalvageSource& source = survey.sources[run.source];
    auto segment = open_damaged(store, source.file);
    if (!segment) return std::unexpected(segment.error());
    if (*segment == nullptr) {
      return std::unexpected(make_error(ErrorCode::io, "salvage log", "a segment went away",
                                        {.path = store.path(), .lsn = run.begin}));
    }
    FrameSource frames(std::move(*segment), SegmentBinding::of(survey.log_id, source.number),
                       source.base_lsn, ReadSource::device);
    auto is_numbered = source.header ? Result<bool>(source.header->is_numbered())
                                     : has_numbers(frames, run.begin, run.end);
    if (!is_numbered) return std::unexpected(is_numbered.error());
    auto added = log.add(run, frames, *is_numbered, &run != &plan.runs.back());
    if (!added) return added;
  }
  const bool goes_on_behind = !plan.lost.empty() && plan.lost.back().range.end == plan.end_lsn;
  if (goes_on_behind) {
    auto added = log.add_empty({behind.begin, behind.first_ordinal, behind.epoch, behind.time_ns});
    if (!added) return added;
  }
  if (auto same = refuse_change(store, survey, end); !same) return same;
  return log.finish(root);
}

/// Where the oldest run of a numbered segment stands, if no such segment was kept from its
/// beginning on: there the table was of what producers had appended before.
const SalvageRun* first_without_producers(const SalvageSurvey& survey, const SalvagePlan& plan) {
  const SalvageRun* oldest = nullptr;
  for (const SalvageRun& run : plan.runs) {
    const SalvageSource& source = survey.sources[run.source];
    if (!source.header || !source.header->is_numbered()) continue;
    if (run.begin == source.base_lsn) return nullptr;
    if (oldest == nullptr) oldest = &run;
  }
  return oldest;
}

SalvageReport report_of(const SegmentStore& store, const SalvageSurvey& survey,
                        const SalvagePlan& plan) {
  SalvageReport report;
  report.findings = survey.findings;
  if (!survey.root) {
    report.findings.push_back({.file = std::string(kRootName),
                               .offset = 0,
                               .lsn = {},
                               .what = "without a root it is not known where the log began, what "
                                       "a truncation may have taken, and what was held"});
  }
  if (const SalvageRun* const run = first_without_producers(survey, plan)) {
    const SalvageSource& source = survey.sources[run->source];
    report.findings.push_back({.file = store.segment_label(source.file),
                               .offset = segment_offset(source.base_lsn, run->begin),
                               .lsn = run->begin,
                               .what = "what producers had appended before is not known any more: "
                                       "what they repeat of it would be appended again"});
  }
  report.lost = plan.lost;
  for (const SalvageRun& run : plan.runs) {
    const SalvageSource& source = survey.sources[run.source];
    report.kept.push_back({.begin = run.begin,
                           .end = run.end,
                           .records = run.end_ordinal - run.first_ordinal,
                           .file = store.segment_label(source.file),
                           .offset = segment_offset(source.base_lsn, run.begin)});
    report.records += run.end_ordinal - run.first_ordinal;
  }
  report.first_lsn = plan.first_lsn;
  report.end_lsn = plan.end_lsn;
  return report;
}

}  // namespace

Result<SalvageReport> salvage(const std::string& path, const std::string& new_path,
                              const SalvageOptions& options) {
  if ((options.file_mode & kWritableByAll) != 0) {
    return std::unexpected(make_error(ErrorCode::invalid_argument, "salvage log",
                                      "file_mode must not let every user write",
                                      {.path = new_path}));
  }
  Env& env = options.env != nullptr ? *options.env : Env::posix();
  if (auto refused = refuse_place(env, path, new_path); !refused) {
    return std::unexpected(refused.error());
  }
  // The options are those of the new log; an address has a system of its own.
  auto store = open_store_read_only(traits_of(path).passes_on_ownership ? Env::posix() : env, path);
  if (!store) return std::unexpected(store.error());
  if (auto refused = refuse_writer(**store); !refused) return std::unexpected(refused.error());
  const auto end = end_of(**store);
  auto surveyed = survey(**store);
  if (!surveyed) return std::unexpected(surveyed.error());
  auto plan = plan_salvage(**store, *surveyed);
  if (!plan) return std::unexpected(plan.error());
  if (auto refused = refuse_exhausted(*plan, path); !refused) {
    return std::unexpected(refused.error());
  }
  SalvageReport report = report_of(**store, *surveyed, *plan);
  auto log = SalvagedLog::begin(env, new_path, options.file_mode);
  if (!log) return std::unexpected(log.error());
  if (auto written = write(**store, *surveyed, *plan, end, *log); !written) {
    return std::unexpected(written.error());
  }
  report.segments = log->segments();
  return report;
}

}  // namespace writeahead
