// figures DIR [GROUP...]: measures in DIR, and prints each figure beside its floor and its target.
//
// A figure and its floor are measured in turns, in several rounds of one run, so that whatever
// disturbs the machine disturbs both; what is printed are medians over the rounds. The floor is
// what the device, or the memory, takes without a log. The exit status says only whether everything
// could be done.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "device_floor.h"
#include "figures.h"
#include "measuring.h"
#include "writeahead/env.h"

using namespace writeahead;

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (arguments.size() < 2) bench::give_up("usage: figures DIR [append|async|read|open]...");
  const std::string& path = arguments[1];
  const std::span wanted = std::span(arguments).subspan(2);
  auto directory = Env::posix().open_directory(path, true, 0700);
  if (!directory) bench::give_up("cannot open the directory");
  bench::DeviceFloor floor(**directory);
  const std::array<std::pair<std::string_view, std::function<void()>>, 4> groups{{
      {"append", [&] { bench::measure_appends(path, floor); }},
      {"async", [&] { bench::measure_async_appends(path, floor); }},
      {"read", [&] { bench::measure_reads(path); }},
      {"open", [&] { bench::measure_openings(path); }},
  }};
  for (const auto& [name, measure] : groups) {
    if (wanted.empty() || std::ranges::count(wanted, name) != 0) measure();
  }
  return 0;
}
