# Every library of another project. scripts/install-deps installs them on Debian and Ubuntu.
include(VitLibraries)           # of the libraries
find_package(CLI11 REQUIRED)    # of the command
find_package(spdlog REQUIRED)
if(VIT_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(VIT_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
