# The command, the libraries with their headers, and the package that find_package(vit) reads.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vit)

install(TARGETS vit_program_vit)
install(TARGETS ${VIT_MODULES} EXPORT vitTargets)
list(TRANSFORM VIT_MODULES REPLACE "^vit_" "" OUTPUT_VARIABLE header_folders)
install(DIRECTORY ${header_folders} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vit-toolkit
        FILES_MATCHING PATTERN "*.h" PATTERN "*_inl.h" EXCLUDE)
install(EXPORT vitTargets NAMESPACE vit:: DESTINATION ${package_dir})

configure_package_config_file(cmake/vitConfig.cmake.in ${PROJECT_BINARY_DIR}/vitConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vitConfig.cmake ${PROJECT_BINARY_DIR}/vitConfigVersion.cmake
              cmake/VitLibraries.cmake cmake/VitNeeds.cmake
        DESTINATION ${package_dir})
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
