// rados_nemesis: the processes of the nemesis, which nemesis.py starts, stops and kills.
//
//   rados_nemesis write ADDRESS NUMBER.history   appends, until it is taken over or told to stop
//   rados_nemesis read ADDRESS NUMBER.history    reads beside the writers
//   rados_nemesis check ADDRESS DIRECTORY        the final log against all histories
//   rados_nemesis destroy ADDRESS                removes the log
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>

#include "nemesis/defective_objects.h"
#include "nemesis/final_check.h"
#include "nemesis/life.h"
#include "nemesis/observer.h"
#include "nemesis/writer.h"
#include "rados_address.h"
#include "rados_objects.h"
#include "writeahead/log.h"

namespace writeahead::nemesis {
namespace {

/// A minute of 60,000 entries a second; space is taken as they are used.
constexpr size_t kEntries = 4'000'000;

uint64_t number_of_process(const std::filesystem::path& history) {
  const std::string stem = history.stem().string();
  uint64_t number = 0;
  std::from_chars(stem.data(), stem.data() + stem.size(), number);
  return number;
}

/// From now on every rados:// address of this process leads there by way of what is planted, of
/// which `last` is the newest.
void plant(const DefectiveObjects::Wish& wish, std::shared_ptr<DefectiveObjects>& last) {
  register_object_store("rados", [wish, &last](const std::string& text) -> Result<ObjectAddress> {
    auto address = rados::parse_address(text);
    if (!address) return std::unexpected(address.error());
    auto objects = rados::RadosObjects::open(*address);
    if (!objects) return std::unexpected(objects.error());
    last = std::make_shared<DefectiveObjects>(std::move(*objects), wish);
    constexpr uint64_t kMsPerSecond = 1000;
    return ObjectAddress{.store = last,
                         .name = std::move(address->name),
                         .patience_ms = address->timeout_s * kMsPerSecond};
  });
}

struct Arguments {
  std::string address;
  std::string path;
  std::string defect = "none";
  uint64_t least_acknowledged = 1;
  uint64_t delay_ms = 0;
  uint64_t pause_us = 2000;
  DefectiveObjects::Wish wish;
  WriterWish writer;
};

int write(Arguments& arguments) {
  const auto defect = defect_of(arguments.defect);
  if (!defect) throw CLI::ValidationError("--defect", "there is no defect " + arguments.defect);
  arguments.wish.defect = *defect;
  arguments.wish.seed = arguments.writer.seed;
  std::shared_ptr<DefectiveObjects> objects;
  plant(arguments.wish, objects);
  HistoryFile history(arguments.path, kEntries);
  WriterWish& wish = arguments.writer;
  wish.address = arguments.address;
  wish.process = number_of_process(arguments.path);
  wish.pause = std::chrono::microseconds(arguments.pause_us);
  wish.append_as_a_zombie = [&objects] { return objects->append_as_a_zombie(); };
  wish.delay = std::chrono::milliseconds(arguments.delay_ms);
  return static_cast<int>(run_writer(wish, history));
}

int read(const Arguments& arguments) {
  HistoryFile history(arguments.path, kEntries);
  run_observer(arguments.address, number_of_process(arguments.path), history);
  return 0;
}

int destroy(const Arguments& arguments) {
  const auto destroyed = Log::destroy(arguments.address);
  if (destroyed) return 0;
  (void)std::fprintf(stderr, "%s\n", std::string(destroyed.error().message()).c_str());
  return 1;
}

int run(int argc, char** argv) {
  CLI::App app("The processes of the nemesis: see scripts/rados-nemesis.");
  app.require_subcommand(1);
  Arguments arguments;
  const auto add = [&](const char* name, const char* what) {
    CLI::App* const verb = app.add_subcommand(name, what);
    verb->add_option("address", arguments.address)->required();
    return verb;
  };
  CLI::App* const writes = add("write", "appends until it is taken over or told to stop");
  writes->add_option("history", arguments.path)->required();
  writes->add_option("--seed", arguments.writer.seed);
  writes->add_option("--singles", arguments.writer.singles);
  writes->add_option("--batches", arguments.writer.batches);
  writes->add_option("--asyncs", arguments.writer.asyncs);
  writes->add_option("--pause-us", arguments.pause_us);
  writes->add_option("--delay-ms", arguments.delay_ms);
  writes->add_option("--segment-bytes", arguments.writer.segment_bytes);
  writes->add_option("--zombie-tries", arguments.writer.zombie_tries);
  writes->add_option("--defect", arguments.defect);
  writes->add_option("--lost-answers", arguments.wish.lost_answers);
  CLI::App* const reads = add("read", "reads beside the writers until it is told to stop");
  reads->add_option("history", arguments.path)->required();
  CLI::App* const checks = add("check", "the final log against all histories");
  checks->add_option("directory", arguments.path)->required();
  checks->add_option("--least-acknowledged", arguments.least_acknowledged);
  CLI::App* const destroys = add("destroy", "removes the log");
  try {
    app.parse(argc, argv);
    await_sigterm();
    if (writes->parsed()) return write(arguments);
    if (reads->parsed()) return read(arguments);
    if (destroys->parsed()) return destroy(arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return check_run(arguments.path, arguments.address, arguments.least_acknowledged) ? 0 : 1;
}

}  // namespace
}  // namespace writeahead::nemesis

int main(int argc, char** argv) {
  try {
    return writeahead::nemesis::run(argc, argv);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "rados_nemesis: %s\n", error.what());
    return 2;
  }
}
