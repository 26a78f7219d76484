# The stages of tests/run beside the unit tests: name, label, budget in minutes, command. A stage exits with 77 when this
# machine cannot do it, and says why. Labels: quick, part of tests/run quick too; full, of tests/run; long, what
# tests/run long does. The budget is what a stage may take where nothing is there yet (no root, no compiler cache) on two
# cores; budgets.cmake holds the sum of quick and full at 70 minutes, and three times as long ends a stage.
picam_budget(prepare quick 10) # tests/run itself: packages, clients, the release build
picam_budget(unit_tests quick 1)
picam_stage(budgets quick 1 ${CMAKE_COMMAND} -P tests/budgets.cmake)
picam_stage(format quick 1 tests/stage format)
picam_stage(pages quick 1 tests/stage node html)
picam_stage(integration quick 3 tests/stage node integration)
picam_stage(browser full 5 tests/stage node browser)
picam_stage(faults full 4 tests/stage node faults)
picam_stage(store-race full 2 tests/stage store-race release)
picam_stage(model full 2 tests/model/run)
picam_stage(deploy-run full 2 tests/stage deploy-run)
picam_stage(clang full 5 tests/stage preset clang all)
picam_stage(tidy full 4 tests/stage tidy clang)
picam_stage(asan-ubsan full 4 tests/stage preset asan unit_tests)
picam_stage(tsan full 4 tests/stage preset tsan unit_tests)
picam_stage(fuzz-corpora full 4 tests/fuzz/run)
picam_stage(store-race-tsan full 2 tests/stage store-race tsan)
picam_stage(libcamera-0.0.3-compiles full 1 tests/stage libcamera-compiles bookworm)
picam_stage(libcamera-0.3.2-compiles full 4 tests/stage libcamera-compiles bookworm-backports)
picam_stage(libcamera-0.4.0 full 4 tests/stage libcamera trixie)
picam_stage(libcamera-0.7.1 full 4 tests/stage libcamera trixie-backports)
picam_stage(package full 2 tests/stage package)
picam_stage(package-arm full 8 tests/stage package-arm)
picam_stage(virtual-machine full 8 tests/vm/run)
picam_stage(unit-tests-armhf long 10 tests/stage emulated armhf)
