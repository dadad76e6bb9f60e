# Installs the build BUILD below WORK, builds the project SOURCE against it, and classifies one picture.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  set(output "${output}" PARENT_SCOPE)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${status}:\n${output}")
  endif()
endfunction()

set(flags "")
if(SANITIZE STREQUAL "address-undefined")
  set(flags -fsanitize=address,undefined)
elseif(SANITIZE STREQUAL "thread")
  set(flags -fsanitize=thread)
endif()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -G Ninja -D CMAKE_BUILD_TYPE=Release -D CMAKE_CXX_COMPILER=${COMPILER}
    -D CMAKE_PREFIX_PATH=${WORK}/prefix -D CMAKE_CXX_FLAGS=${flags})
run(${CMAKE_COMMAND} --build ${WORK}/build)

set(vit ${WORK}/prefix/bin/vit)
run(${vit} data draw ${WORK}/digits --train 1 --test 0 --size 20)
run(${vit} model init --model vit_micro_patch4_20 --classes 10 ${WORK}/model.h5 --seed 1)
run(${WORK}/build/consumer ${WORK}/model.h5 ${WORK}/digits/train/7/0000.png)

# Five lines of label and probability, best first.
string(REGEX MATCHALL "[0-9]+ [01](\\.[0-9]+)?(e-[0-9]+)?\n" lines "${output}")
list(LENGTH lines count)
if(NOT count EQUAL 5)
  message(FATAL_ERROR "five predictions were wanted, the program printed:\n${output}")
endif()
