# The stages of tests/run beside the unit tests. A stage exits with 77 when this machine cannot do it, and says why.
# Label quick: part of tests/run quick. One after the other: they use the whole machine.
function(picam_stage name label seconds)
    add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES
        LABELS ${label} TIMEOUT ${seconds} SKIP_RETURN_CODE 77 RUN_SERIAL ON
        ENVIRONMENT "BUILD_DIR=${PROJECT_BINARY_DIR}")
endfunction()

picam_stage(integration quick 240 tests/stage node integration)
picam_stage(browser full 600 tests/stage node browser)
picam_stage(faults full 900 tests/stage node faults)
picam_stage(store-race full 300 tests/stage store-race release)
picam_stage(model full 400 tests/model/run)
picam_stage(deploy-run full 300 tests/stage deploy-run)
picam_stage(clang full 900 tests/stage preset clang)
picam_stage(asan-ubsan full 900 tests/stage preset asan)
picam_stage(tsan full 900 tests/stage preset tsan)
picam_stage(fuzz-corpora full 900 tests/fuzz/run)
picam_stage(store-race-tsan full 600 tests/stage store-race tsan)
picam_stage(libcamera-0.0.3-compiles full 900 tests/stage libcamera-compiles bookworm)
picam_stage(libcamera-0.3.2-compiles full 900 tests/stage libcamera-compiles bookworm-backports)
picam_stage(libcamera-0.4.0 full 900 tests/stage libcamera trixie)
picam_stage(libcamera-0.7.1 full 900 tests/stage libcamera trixie-backports)
picam_stage(package full 900 tests/stage package)
picam_stage(package-arm full 2400 tests/stage package-arm)
picam_stage(virtual-machine full 1800 tests/vm/run)
