# Compiles each header below INCLUDE with COMPILER, alone and with that include directory only: it
# includes what it uses, and nothing that is not installed. With TOGETHER all of them at once: whether
# another compiler takes them, too.
file(GLOB_RECURSE headers ${INCLUDE}/writeahead/*.h)
if(NOT headers)
  message(FATAL_ERROR "no headers below ${INCLUDE}")
endif()
set(flags -std=c++23 -Wall -Wextra -Wpedantic -Werror -fvisibility=hidden -fsyntax-only -I ${INCLUDE})
if(TOGETHER)
  list(TRANSFORM headers PREPEND "-include;" OUTPUT_VARIABLE included)
  execute_process(COMMAND ${COMPILER} ${flags} ${included} -x c++ /dev/null RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "the headers do not compile")
  endif()
  return()
endif()
foreach(header IN LISTS headers)
  execute_process(
    COMMAND ${COMPILER} ${flags} -include ${header} -x c++ /dev/null RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(SEND_ERROR "${header} does not compile alone")
  endif()
endforeach()
