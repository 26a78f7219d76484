#include "core/base/settings.h"

#include "core/base/settings_table.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <string_view>

namespace picam {
namespace {

constexpr const char *kDefaultConfig = "/etc/picam/picam.conf";

using Origins = std::map<std::string, std::string>; // key -> where its value came from

std::string variableOf(const std::string &key)
{
    std::string name = "PICAM_";
    for (const char c : key)
        name += c == '.' || c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

const SettingEntry *find(const std::string &key)
{
    for (const SettingEntry &entry : settingsTable())
        if (entry.key == key)
            return &entry;
    return nullptr;
}

Expected<void> apply(Settings &settings, Origins &origins, const std::string &key, const std::string &value,
                     const std::string &origin)
{
    const SettingEntry *entry = find(key);
    if (entry == nullptr)
        return fail(ErrorKind::kSetting, fmt::format("unknown setting {} ({}); --help lists them all", key, origin));
    if (!entry->set(settings, value))
        return fail(ErrorKind::kSetting,
                    fmt::format("{} = \"{}\" ({}) is not allowed: {}", key, value, origin, entry->allowed));
    origins[key] = origin;
    return {};
}

Expected<void> applyFile(Settings &settings, Origins &origins, const std::string &path, bool required)
{
    errno = 0;
    std::ifstream input(path);
    input.peek(); // a folder can be opened, and fails only when it is read
    if (!input.is_open() || input.bad()) {
        if (errno == ENOENT && !required)
            return {};
        return failErrno(ErrorKind::kIo, fmt::format("cannot read the configuration {}", path), errno);
    }
    input.clear(); // an empty file is no error
    std::vector<CLI::ConfigItem> items;
    try {
        items = CLI::ConfigTOML().from_config(input);
    } catch (const CLI::Error &error) {
        return fail(ErrorKind::kSetting, fmt::format("{} is no valid configuration: {}", path, error.what()));
    }
    for (const CLI::ConfigItem &item : items) {
        // CLI11 marks where a section begins and ends with items of these names.
        if (item.name == "++" || item.name == "--")
            continue;
        std::string key;
        for (const std::string &parent : item.parents)
            key += parent + ".";
        key += item.name;
        std::string value;
        for (const std::string &input_value : item.inputs)
            value += (value.empty() ? "" : ",") + input_value;
        if (auto done = apply(settings, origins, key, value, path); !done)
            return done;
    }
    return {};
}

Expected<void> applyEnvironment(Settings &settings, Origins &origins, const char *const *environment)
{
    std::map<std::string, std::string> keys;
    for (const SettingEntry &entry : settingsTable())
        keys[variableOf(entry.key)] = entry.key;
    for (; environment != nullptr && *environment != nullptr; ++environment) {
        const std::string_view line(*environment);
        const auto equals = line.find('=');
        if (line.rfind("PICAM_", 0) != 0 || equals == std::string_view::npos)
            continue;
        const std::string name(line.substr(0, equals));
        if (name == "PICAM_CONFIG")
            continue;
        const auto known = keys.find(name);
        if (known == keys.end())
            return fail(ErrorKind::kSetting,
                        fmt::format("unknown environment variable {}; --help lists them all", name));
        if (auto done = apply(settings, origins, known->second, std::string(line.substr(equals + 1)), name); !done)
            return done;
    }
    return {};
}

std::string variable(const char *const *environment, std::string_view name)
{
    for (; environment != nullptr && *environment != nullptr; ++environment) {
        const std::string_view line(*environment);
        if (line.size() > name.size() && line[name.size()] == '=' && line.substr(0, name.size()) == name)
            return std::string(line.substr(name.size() + 1));
    }
    return {};
}

std::string inToml(const SettingEntry &entry, const Settings &settings)
{
    const std::string value = entry.get(settings);
    if (!entry.quoted)
        return value;
    std::string quoted = "\"";
    for (const char c : value)
        quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    return quoted + "\"";
}

// Walks the table as a TOML file; `line` writes one entry, given its name within the section.
template <class Line>
std::string asToml(Line line)
{
    std::string text;
    std::string section;
    for (const SettingEntry &entry : settingsTable()) {
        const auto dot = entry.key.find('.');
        const std::string entry_section = dot == std::string::npos ? "" : entry.key.substr(0, dot);
        if (entry_section != section) {
            text += fmt::format("\n[{}]\n", entry_section);
            section = entry_section;
        }
        text += line(entry, dot == std::string::npos ? entry.key : entry.key.substr(dot + 1));
    }
    return text;
}

std::string printConfig(const Settings &settings, const Origins &origins)
{
    return asToml([&](const SettingEntry &entry, const std::string &name) {
        const auto origin = origins.find(entry.key);
        return fmt::format("{:<40} # {}\n", fmt::format("{} = {}", name, inToml(entry, settings)),
                           origin == origins.end() ? "default" : origin->second);
    });
}

Expected<void> check(const Settings &settings)
{
    if (settings.camera.source == SourceKind::kReplay && settings.camera.file.empty())
        return fail(ErrorKind::kSetting, "camera.source = replay needs camera.file, the recording");
    return {};
}

} // namespace

Expected<CommandLine> readSettings(int argc, const char *const *argv, const char *const *environment,
                                   const std::string &program_help)
{
    CLI::App app(program_help);
    app.set_version_flag("--version", std::string("picam " PICAM_VERSION));
    std::string config_path;
    bool print = false;
    app.add_option("--config", config_path, fmt::format("the configuration file (default {})", kDefaultConfig));
    app.add_flag("--print-config", print, "print the settings in force and where each came from");
    bool list_cameras = false;
    app.add_flag("--list-cameras", list_cameras, "print the ids of all cameras; 1 when there is none");
    std::map<std::string, std::string> flags;
    const Settings defaults;
    for (const SettingEntry &entry : settingsTable())
        app.add_option_function<std::string>(
               "--" + entry.key, [&flags, key = entry.key](const std::string &value) { flags[key] = value; },
               fmt::format("{}\n{}; {}; default {}", entry.help, entry.allowed, variableOf(entry.key),
                           entry.get(defaults).empty() ? "none" : entry.get(defaults)))
            ->type_name("")
            ->take_last();

    CommandLine line;
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp &) {
        line.print = app.help();
        return line;
    } catch (const CLI::CallForVersion &) {
        line.print = "picam " PICAM_VERSION "\n";
        return line;
    } catch (const CLI::ParseError &error) {
        return fail(ErrorKind::kSetting, fmt::format("{}; --help lists all settings", error.what()));
    }

    Origins origins;
    if (config_path.empty())
        config_path = variable(environment, "PICAM_CONFIG");
    const bool required = !config_path.empty();
    auto done = applyFile(line.settings, origins, required ? config_path : kDefaultConfig, required);
    if (done)
        done = applyEnvironment(line.settings, origins, environment);
    for (const auto &[key, value] : flags)
        if (done)
            done = apply(line.settings, origins, key, value, "--" + key);
    if (done)
        done = check(line.settings);
    if (!done)
        return tl::unexpected<Error>(std::move(done.error()));
    line.list_cameras = list_cameras;
    if (print)
        line.print = printConfig(line.settings, origins);
    return line;
}

std::string defaultConfigFile()
{
    const Settings defaults;
    std::string text =
        "# picam's settings. Both programs read this file; flags (--stream.size 1280x720) and variables\n"
        "# (PICAM_STREAM_SIZE) of the same names go before it. Each line below shows a default.\n\n";
    text += asToml([&](const SettingEntry &entry, const std::string &name) {
        return fmt::format("# {}: {}\n#{} = {}\n", entry.help, entry.allowed, name, inToml(entry, defaults));
    });
    return text;
}

} // namespace picam
