// The runtime directory: made if its parent allows it, and checked, before anything is put there.
#pragma once

#include "core/base/error.h"

#include <string>

namespace picam {

// Mode 0750 when made here. Errors: kIo: what is wrong, and with which folder.
[[nodiscard]] Expected<void> prepareRuntimeDir(const std::string &path);

} // namespace picam
