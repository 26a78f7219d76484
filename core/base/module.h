// A module is a part of picam that a program loads when it first needs it, because of what the libraries behind it
// would cost an idle program. Program and module are built together; the module says of which version it is, since an
// upgrade under a running program leaves another.
#pragma once

#include "core/base/error.h"

#include <string>

namespace picam {

class Module {
public:
    // Loads `file` (a name without a folder) from beside the program or from where it is built, for good: libraries
    // leave threads and handlers behind. `version` is the module's function that returns PICAM_VERSION. Errors:
    // kUnsupported. Any thread.
    [[nodiscard]] static Expected<Module> load(const std::string &file, const char *version);

    // A function of the module (extern "C"), as it was compiled. Errors: kUnsupported.
    template <class Function>
    [[nodiscard]] Expected<Function *> function(const char *name) const
    {
        auto found = symbol(name);
        if (!found)
            return tl::unexpected<Error>(std::move(found.error()));
        return reinterpret_cast<Function *>(*found);
    }

private:
    Module(void *handle, std::string file) : handle_(handle), file_(std::move(file)) {}
    [[nodiscard]] Expected<void *> symbol(const char *name) const;

    void *handle_;
    std::string file_;
};

} // namespace picam
