# Writes the version header. -D SOURCE= -D OUTPUT= -D PROJECT_VERSION= -D VIT_LIBRARIES=
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty
                OUTPUT_VARIABLE VIT_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT VIT_COMMIT)
  set(VIT_COMMIT unknown)
endif()
configure_file(${SOURCE}/cmake/version.h.in ${OUTPUT} @ONLY)
