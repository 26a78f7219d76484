# Toolchain for a Debian that has the cross compiler and the libraries (multiarch) of another architecture:
# cmake -DCMAKE_TOOLCHAIN_FILE=cmake/cross.cmake -DPICAM_TRIPLET=aarch64-linux-gnu
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES PICAM_TRIPLET)
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "${PICAM_TRIPLET}")
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_CXX_COMPILER ${PICAM_TRIPLET}-g++)
set(CMAKE_LIBRARY_ARCHITECTURE ${PICAM_TRIPLET})
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/${PICAM_TRIPLET}/pkgconfig:/usr/share/pkgconfig)
# Its tests run here in qemu's user mode.
find_program(PICAM_EMULATOR qemu-${CMAKE_SYSTEM_PROCESSOR}-static)
if(PICAM_EMULATOR)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${PICAM_EMULATOR})
endif()
