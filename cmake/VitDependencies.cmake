# Every library of another project. scripts/install-deps installs them on Debian and Ubuntu.
include(VitLibraries)           # of the libraries
find_package(CLI11 QUIET)      # of the command
find_package(spdlog QUIET)
vit_needs("CLI11"  FOUND CLI11_FOUND VERSION CLI11_VERSION FROM 2.1 BELOW 3 PACKAGE libcli11-dev)
vit_needs("spdlog" FOUND spdlog_FOUND VERSION spdlog_VERSION FROM 1.5 BELOW 2 PACKAGE libspdlog-dev)
if(VIT_BUILD_TESTS)
  find_package(GTest QUIET)
  vit_needs("GoogleTest" FOUND GTest_FOUND VERSION GTest_VERSION FROM 1.11 PACKAGE libgtest-dev)
  find_library(VIT_OPENCV_IMGCODECS opencv_imgcodecs)  # another reader and writer of picture files
  vit_needs("OpenCV's imgcodecs" FOUND VIT_OPENCV_IMGCODECS PACKAGE libopencv-imgcodecs-dev)
  vit_library(opencv_codecs INCLUDES ${VIT_OPENCV_INCLUDE} LINKS ${VIT_OPENCV_IMGCODECS})
  mark_as_advanced(VIT_OPENCV_IMGCODECS)
endif()
if(VIT_BUILD_BENCH)
  find_package(benchmark QUIET)
  vit_needs("Google Benchmark" FOUND benchmark_FOUND VERSION benchmark_VERSION FROM 1.6 PACKAGE libbenchmark-dev)
endif()
vit_check_needs()

# Highway's targets end at AVX3 (AVX-512 F, BW, CD, DQ, VL): what is beyond differs between its versions, so would bits,
# and bf16 instructions have sources of their own. Processors with SSSE3 but no SSE4 are older than all others here: they
# run the scalar code, and everybody's program is a fifth smaller in its kernels.
set_property(TARGET hwy::hwy APPEND PROPERTY INTERFACE_COMPILE_DEFINITIONS "HWY_DISABLED_TARGETS=((HWY_AVX3-1)|HWY_SSSE3)")

# What `vit --version` says.
string(CONCAT VIT_LIBRARIES "oneDNN ${VIT_DNNL_VERSION}, Highway ${hwy_VERSION}, oneTBB ${TBB_VERSION}, "
       "OpenCV ${VIT_OPENCV_VERSION}, HDF5 ${HDF5_VERSION}, libarchive ${LibArchive_VERSION}")
