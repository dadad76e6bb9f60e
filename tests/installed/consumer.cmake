# Builds the project tests/consumer and classifies one picture with it.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
build_project(${SOURCE}/tests/consumer)
run(${vit} data draw ${WORK}/digits --train 1 --test 0 --size 20)
run(${vit} model init --model vit_micro_patch4_20 --classes 10 ${WORK}/model.h5 --seed 1)
run(${WORK}/build/consumer ${WORK}/model.h5 ${WORK}/digits/train/7/0000.png)

# Five lines of label and probability, best first.
string(REGEX MATCHALL "[0-9]+ [01](\\.[0-9]+)?(e-[0-9]+)?\n" lines "${output}")
list(LENGTH lines count)
if(NOT count EQUAL 5)
  message(FATAL_ERROR "five predictions were wanted, the program printed:\n${output}")
endif()
