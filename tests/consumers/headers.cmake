# Compiles each header below INCLUDE with COMPILER, alone and with that include directory only: it
# includes what it uses, and nothing that is not installed.
file(GLOB_RECURSE headers ${INCLUDE}/writeahead/*.h)
if(NOT headers)
  message(FATAL_ERROR "no headers below ${INCLUDE}")
endif()
foreach(header IN LISTS headers)
  execute_process(
    COMMAND ${COMPILER} -std=c++23 -Wall -Wextra -Wpedantic -Werror -fvisibility=hidden
            -fsyntax-only -I ${INCLUDE} -include ${header} -x c++ /dev/null
    RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(SEND_ERROR "${header} does not compile alone")
  endif()
endforeach()
