# What all targets of the project share: the language, and in developer mode the warnings.

# writeahead_target(NAME): C++23 without extensions, and the strict warnings of developer mode.
function(writeahead_target name)
  target_compile_features(${name} PUBLIC cxx_std_23)
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
  if(NOT WRITEAHEAD_DEVELOPER)
    return()
  endif()
  # A unity build, which scripts/tidy reads too, includes what else nobody should.
  set_target_properties(${name} PROPERTIES
    UNITY_BUILD_CODE_BEFORE_INCLUDE "// NOLINTNEXTLINE(bugprone-suspicious-include)")
  # -Wsign-conversion (part of clang's -Wconversion) is off: sizes and file offsets meet everywhere.
  target_compile_options(${name} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(${name} PRIVATE -Wthread-safety)
  else()
    # GCC 12 reports the own code of std::string (gcc.gnu.org/PR105651, PR105329).
    target_compile_options(${name} PRIVATE -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow
                           -Wno-stringop-overread)
  endif()
endfunction()

# writeahead_quick_build(NAME): with WRITEAHEAD_QUICK_BUILD, a target whose own speed matters less than
# that of its build: instrumented, the optimisation of tests takes longer than they run.
function(writeahead_quick_build name)
  if(WRITEAHEAD_QUICK_BUILD)
    target_compile_options(${name} PRIVATE -O0)
  endif()
endfunction()

if(WRITEAHEAD_DEVELOPER)
  find_program(WRITEAHEAD_CCACHE ccache)
  mark_as_advanced(WRITEAHEAD_CCACHE)
  if(WRITEAHEAD_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # What ccache asks for before it caches what uses a precompiled header, and what makes a clean
    # clone in another place find the same objects.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
        CCACHE_NOHASHDIR=1 ${WRITEAHEAD_CCACHE})
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
                        "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")
  endif()
endif()
