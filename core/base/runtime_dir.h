// Prepares the runtime directory: creates it where its parent allows that, and checks it before it is used.
#pragma once

#include "core/base/error.h"

#include <string>

namespace picam {

// Mode 0750 when made here. Errors: kIo: what is wrong, and with which folder.
[[nodiscard]] Expected<void> prepareRuntimeDir(const std::string &path);

} // namespace picam
