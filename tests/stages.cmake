# The stages of tests/run beside the unit tests: name, label, budget in seconds, cores, command. A stage exits with 77 when
# this machine cannot do it, and says why. Labels: quick, part of tests/run quick too; full, of tests/run; long, what
# tests/run long does. The budget is what a stage takes where nothing is there yet (no root, no compiler cache) on two
# cores; budgets.cmake holds the sum of quick and full at 70 minutes. Three times as long, or five minutes, ends a stage.
# Cores: `both`, for what builds; `one`, for what mostly waits and shares the machine with another such, and whose budget is
# what it takes then.
picam_budget(prepare quick 480 both) # tests/run itself: packages, clients, the release build
picam_budget(unit_tests quick 130 one)
picam_stage(budgets quick 5 one ${CMAKE_COMMAND} -P tests/budgets.cmake)
picam_stage(format quick 10 one tests/stage format)
picam_stage(pages quick 10 one tests/stage node html)
picam_stage(roots quick 15 one tests/roots.sh)
picam_stage(module-symbols quick 2 one tests/module-symbols.sh)
picam_stage(install-packages quick 5 one tests/install-packages.sh)
picam_stage(integration quick 320 one tests/stage node integration)
picam_stage(browser full 1380 one tests/stage node browser)
picam_stage(faults full 650 one tests/stage node faults)
picam_stage(store-race full 70 one tests/stage store-race release)
picam_stage(model full 160 one tests/stage model)
picam_stage(deploy-run full 60 both tests/stage deploy-run)
# By clang, all of it: its warnings, the fuzz targets and what clang-tidy reads come of the same build.
picam_stage(asan-ubsan full 580 both tests/stage preset asan all)
picam_stage(tsan full 600 both tests/stage preset tsan unit_tests picam-relay)
picam_stage(fuzz-corpora full 30 both tests/fuzz/run)
picam_stage(libcamera-0.0.3-compiles full 5 both tests/stage libcamera-compiles bookworm)
picam_stage(libcamera-0.7.1 full 100 both tests/stage libcamera trixie-backports)
picam_stage(package full 180 both tests/stage package)
picam_stage(package-armhf full 130 both tests/stage package-for armhf)
picam_stage(virtual-machine full 1300 one tests/vm/run trixie)
picam_stage(tidy long 460 both tests/stage tidy asan -clang-analyzer-*)
picam_stage(package-arm64 long 250 both tests/stage package-for arm64)
picam_stage(virtual-machine-debian-12 long 440 one tests/vm/run bookworm)
picam_stage(virtual-machine-relay long 700 one env VM_RELAY=1 tests/vm/run trixie "--test-name-pattern=upgraded from|picam-relay")
# The packages that virtual-machine installs are built with this one, and run on it.
picam_stage(libcamera-0.4.0 long 200 both tests/stage libcamera trixie)
picam_stage(libcamera-0.3.2-compiles long 220 both tests/stage libcamera-compiles bookworm-backports)
picam_stage(testssl long 400 both tests/stage testssl)
picam_stage(store-race-tsan long 70 both tests/stage store-race tsan)
picam_stage(tidy-analyzer long 400 both tests/stage tidy asan -*,clang-analyzer-*)
picam_stage(unit-tests-arm64 long 400 both tests/stage emulated arm64)
picam_stage(unit-tests-armhf long 400 both tests/stage emulated armhf)
