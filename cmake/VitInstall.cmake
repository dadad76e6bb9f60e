# Two components: `program`, the command with its manual pages and completion, and `development`, what a program of a
# user's own is built from: the libraries, the public headers and the package that find_package(vit) reads.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vit)
set(header_dir ${CMAKE_INSTALL_INCLUDEDIR}/vit-toolkit)
set(doc_dir ${CMAKE_INSTALL_DATADIR}/doc)

install(TARGETS vit_program_vit COMPONENT program)
install(FILES cmake/copyright ${PROJECT_BINARY_DIR}/changelog.gz README.md
        DESTINATION ${doc_dir}/vit-toolkit COMPONENT program)
install(FILES cmake/copyright ${PROJECT_BINARY_DIR}/changelog.gz
        DESTINATION ${doc_dir}/libvit-dev COMPONENT development)

# A manual page a command, written by the program itself; both they and the list of changes are stored as Debian does.
set(man_dir ${PROJECT_BINARY_DIR}/man)
add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/changelog.gz
                   COMMAND sh -c "gzip -9nc <CHANGELOG.md >${PROJECT_BINARY_DIR}/changelog.gz"
                   WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                   DEPENDS CHANGELOG.md VERBATIM)
add_custom_command(OUTPUT ${man_dir}/vit.1.gz
                   COMMAND ${CMAKE_COMMAND} -E rm -rf ${man_dir}
                   COMMAND vit_program_vit man ${man_dir}
                   COMMAND sh -c "gzip -9n man/*.1"
                   WORKING_DIRECTORY ${PROJECT_BINARY_DIR}
                   DEPENDS vit_program_vit VERBATIM)
add_custom_target(vit_manual ALL DEPENDS ${man_dir}/vit.1.gz ${PROJECT_BINARY_DIR}/changelog.gz)
install(DIRECTORY ${man_dir}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)

# Completion, each where its shell looks: zsh in one place below /usr and in another one below all else.
install(FILES tools/completion/vit.bash RENAME vit
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
install(FILES tools/completion/vit.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT program)
install(CODE "
  set(folder site-functions)
  if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
    set(folder vendor-completions)
  endif()
  file(INSTALL \"${PROJECT_SOURCE_DIR}/tools/completion/_vit\"
       DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/zsh/\${folder}\")
" COMPONENT program)

install(TARGETS ${VIT_MODULES} EXPORT vitTargets COMPONENT development)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS cmake/public-headers)
file(STRINGS cmake/public-headers public_headers REGEX "^[a-z]")
foreach(header ${public_headers})
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${header_dir}/${folder} COMPONENT development)
endforeach()
install(EXPORT vitTargets NAMESPACE vit:: DESTINATION ${package_dir} COMPONENT development)
configure_package_config_file(cmake/vitConfig.cmake.in ${PROJECT_BINARY_DIR}/vitConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vitConfig.cmake ${PROJECT_BINARY_DIR}/vitConfigVersion.cmake
              cmake/VitLibraries.cmake cmake/VitNeeds.cmake
        DESTINATION ${package_dir} COMPONENT development)
