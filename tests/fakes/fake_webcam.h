// A webcam as V4L2 shows it, for tests: its controls, what was set, what it refuses.
#pragma once

#include "core/controls/v4l2_device.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <linux/videodev2.h>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace picam::testing {

struct FakeControl {
    std::uint32_t type = V4L2_CTRL_TYPE_INTEGER;
    std::int32_t min = 0;
    std::int32_t max = 10;
    std::int32_t step = 1;
    std::int32_t default_value = 5;
    std::uint32_t flags = 0;
    std::map<std::uint32_t, std::string> menu = {};
    std::int32_t value = 5;
    int refusal = 0; // errno of each attempt to set it
    int silence = 0; // errno of each attempt to read it
    int reads = 0;
};

struct FakeWebcam {
    std::map<std::uint32_t, FakeControl> controls;
    bool old_calls_only = false;
    int gone = 0; // errno of everything
    std::vector<std::pair<std::uint32_t, std::int32_t>> set;
};

class FakeDevice : public V4l2Device {
public:
    explicit FakeDevice(FakeWebcam &webcam) : webcam_(webcam) {}

    int ioctl(unsigned long request, void *argument) override
    {
        const int error = webcam_.gone != 0 ? webcam_.gone : answer(request, argument);
        errno = error;
        return error == 0 ? 0 : -1;
    }

private:
    int answer(unsigned long request, void *argument)
    {
        if (webcam_.old_calls_only && request != VIDIOC_QUERYCTRL && request != VIDIOC_QUERYMENU &&
            request != VIDIOC_S_CTRL && request != VIDIOC_G_CTRL)
            return ENOTTY;
        switch (request) {
        case VIDIOC_QUERY_EXT_CTRL:
            return query(*static_cast<v4l2_query_ext_ctrl *>(argument));
        case VIDIOC_QUERYCTRL:
            return query(*static_cast<v4l2_queryctrl *>(argument));
        case VIDIOC_QUERYMENU:
            return item(*static_cast<v4l2_querymenu *>(argument));
        case VIDIOC_S_EXT_CTRLS:
            return set(one(argument).id, one(argument).value);
        case VIDIOC_S_CTRL:
            return set(static_cast<v4l2_control *>(argument)->id, static_cast<v4l2_control *>(argument)->value);
        case VIDIOC_G_EXT_CTRLS: {
            const auto [error, value] = get(one(argument).id);
            one(argument).value = value;
            return error;
        }
        case VIDIOC_G_CTRL: {
            auto &asked = *static_cast<v4l2_control *>(argument);
            const auto [error, value] = get(asked.id);
            asked.value = value;
            return error;
        }
        default:
            return ENOTTY;
        }
    }

    static v4l2_ext_control &one(void *argument)
    {
        const auto &all = *static_cast<v4l2_ext_controls *>(argument);
        EXPECT_EQ(all.count, 1U);
        return *all.controls;
    }

    template <class Query>
    int query(Query &query)
    {
        const FakeControl *control = find(query.id);
        if (control == nullptr)
            return EINVAL;
        query.type = control->type;
        query.minimum = control->min;
        query.maximum = control->max;
        query.step = static_cast<decltype(query.step)>(control->step);
        query.default_value = control->default_value;
        query.flags = control->flags;
        std::memset(query.name, 'x', sizeof query.name); // nobody may depend on it
        return 0;
    }

    int item(v4l2_querymenu &item)
    {
        const FakeControl *control = find(item.id);
        if (control == nullptr || !control->menu.contains(item.index))
            return EINVAL;
        const std::string &text = control->menu.at(item.index);
        if (control->type == V4L2_CTRL_TYPE_INTEGER_MENU)
            item.value = std::stoll(text);
        else
            std::memcpy(item.name, text.data(), std::min(text.size(), sizeof item.name));
        return 0;
    }

    int set(std::uint32_t id, std::int32_t value)
    {
        FakeControl *control = find(id);
        if (control == nullptr)
            return EINVAL;
        if (control->refusal != 0)
            return control->refusal;
        control->value = value;
        webcam_.set.emplace_back(id, value);
        return 0;
    }

    std::pair<int, std::int32_t> get(std::uint32_t id)
    {
        FakeControl *control = find(id);
        if (control == nullptr)
            return {EINVAL, 0};
        ++control->reads;
        return {control->silence, control->value};
    }

    FakeControl *find(std::uint32_t id)
    {
        const auto found = webcam_.controls.find(id);
        return found == webcam_.controls.end() ? nullptr : &found->second;
    }

    FakeWebcam &webcam_;
};

inline FakeControl menu(std::map<std::uint32_t, std::string> items, std::int32_t max = 3)
{
    FakeControl control;
    control.type = V4L2_CTRL_TYPE_MENU;
    control.max = max;
    control.default_value = 1;
    control.value = 1;
    control.menu = std::move(items);
    return control;
}

inline FakeControl switched(bool on)
{
    FakeControl control;
    control.type = V4L2_CTRL_TYPE_BOOLEAN;
    control.max = 1;
    control.default_value = on;
    control.value = on;
    return control;
}

} // namespace picam::testing
