// The table of settings: for each key its help, its allowed values, and the conversion from text and back. Everything
// that reads, prints or documents settings walks this table. Constant; any thread.
#pragma once

#include "core/base/settings.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace picam {

struct SettingEntry {
    std::string key;     // "stream.size"
    std::string help;    // one line
    std::string allowed; // "WxH, even, 16 to 16384 each"
    bool quoted = false; // a text in TOML
    // False: the text is not allowed. Takes TOML's lists joined by ','.
    std::function<bool(Settings &, const std::string &)> set;
    std::function<std::string(const Settings &)> get;
};

[[nodiscard]] const std::vector<SettingEntry> &settingsTable();

} // namespace picam
