# Makes a log; then its writer and a follower run side by side, in no order.
execute_process(COMMAND ${PROGRAM} create follow.log WORKING_DIRECTORY ${DIRECTORY}
                COMMAND_ERROR_IS_FATAL ANY)
# Commands of one call run at the same time, as a pipeline, through which nothing goes here.
execute_process(COMMAND ${PROGRAM} write follow.log
                COMMAND ${PROGRAM} follow follow.log
                WORKING_DIRECTORY ${DIRECTORY} RESULTS_VARIABLE results OUTPUT_VARIABLE shown)
string(REGEX MATCHALL "order [0-9]" orders "${shown}")
if(NOT results STREQUAL "0;0" OR NOT orders STREQUAL "order 1;order 2;order 3;order 4;order 5")
  message(FATAL_ERROR "writer and follower ended with ${results}, and this was shown: ${shown}")
endif()
