# The programs of examples/, built as a user would and run with pictures and models made here.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
build_project(${SOURCE}/examples)

run(${vit} data draw ${WORK}/digits --train 1 --test 0 --size 20)
run(${vit} model init --model vit_micro_patch4_20 --classes 10 ${WORK}/model.h5 --seed 1)
run(${WORK}/build/classify_folder ${WORK}/model.h5 ${WORK}/digits)
string(REGEX MATCHALL "[0-9]+/0000[.]png: [0-9] 0?[.]?[0-9]+" lines "${output}")
list(LENGTH lines count)
if(NOT count EQUAL 10)
  message(FATAL_ERROR "classify_folder: ten pictures were wanted, it printed:\n${output}")
endif()

run(${WORK}/build/train_own_dataset ${WORK}/run)
if(NOT output MATCHES "epoch 5: (9[0-9]|100)")
  message(FATAL_ERROR "train_own_dataset did not learn:\n${output}")
endif()
run(${vit} model info ${WORK}/run/best.h5)
if(NOT output MATCHES "standing")
  message(FATAL_ERROR "no class names in the model:\n${output}")
endif()

run(${vit} data draw ${WORK}/more --train 30 --test 0 --size 20)
run(${WORK}/build/own_part ${WORK}/more ${WORK}/pooled)
if(NOT output MATCHES "epoch 1: loss ([0-9.]+).*epoch 3: loss ([0-9.]+).*mixer is pool" OR
   NOT CMAKE_MATCH_2 LESS CMAKE_MATCH_1)
  message(FATAL_ERROR "own_part did not learn, or its model could not be read back:\n${output}")
endif()
execute_process(COMMAND ${vit} model info ${WORK}/pooled/best.h5 RESULT_VARIABLE status ERROR_VARIABLE output)
if(status EQUAL 0 OR NOT output MATCHES "mixer.*has 'pool'")  # which nobody but own_part knows
  message(FATAL_ERROR "a model of an unknown part was taken:\n${output}")
endif()
