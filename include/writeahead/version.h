// The library's version. CMake reads it from here; it stands nowhere else.
// The on-disk format has a number of its own, in docs/format.md.
#pragma once

#define WRITEAHEAD_VERSION_MAJOR 0
#define WRITEAHEAD_VERSION_MINOR 1
#define WRITEAHEAD_VERSION_PATCH 0
#define WRITEAHEAD_VERSION "0.1.0"
