// Streams, events, modules and launches.
#include "call.hpp"
#include "device_kernels.hpp"

#include <algorithm>
#include <cstring>

using namespace simulated;

extern "C" {

quern_cuda_status cuStreamCreate(quern_cuda_stream *stream, unsigned) {
    const Call call("cuStreamCreate", Call::context);
    if (call.status) return call.status;
    *stream = new quern_cuda_stream_s{{call.card, {}}};
    call.card->streams.push_back(&(*stream)->stream);
    return success;
}

quern_cuda_status cuStreamDestroy_v2(quern_cuda_stream stream) {
    const Call call("cuStreamDestroy_v2", Call::context);
    if (call.status) return call.status;
    if (!stream) return invalidHandle;
    Card &card = *stream->stream.card;
    const int status = card.drain(stream->stream);
    card.streams.erase(std::find(card.streams.begin(), card.streams.end(), &stream->stream));
    delete stream;
    return status;
}

quern_cuda_status cuStreamSynchronize(quern_cuda_stream stream) {
    const Call call("cuStreamSynchronize", Call::context);
    if (call.status) return call.status;
    return stream ? stream->stream.card->drain(stream->stream) : call.card->drainAll();
}

quern_cuda_status cuStreamWaitEvent(quern_cuda_stream stream, quern_cuda_event event, unsigned) {
    const Call call("cuStreamWaitEvent", Call::context);
    if (call.status) return call.status;
    if (!stream || !event) return invalidHandle;
    stream->stream.work.push_back(
        [event = event->event, recording = event->event->recorded] { return reach(*event, recording); });
    return success;
}

quern_cuda_status cuEventCreate(quern_cuda_event *event, unsigned flags) {
    const Call call("cuEventCreate", Call::context);
    if (call.status) return call.status;
    auto made = std::make_shared<Event>();
    made->card = call.card;
    made->hasTime = !(flags & QUERN_CUDA_EVENT_WITHOUT_TIME);
    *event = new quern_cuda_event_s{made};
    return success;
}

quern_cuda_status cuEventDestroy_v2(quern_cuda_event event) {
    const Call call("cuEventDestroy_v2", Call::context);
    if (call.status) return call.status;
    delete event;
    return success;
}

quern_cuda_status cuEventRecord(quern_cuda_event event, quern_cuda_stream stream) {
    const Call call("cuEventRecord", Call::context);
    if (call.status) return call.status;
    if (!stream || !event || event->event->card != stream->stream.card) return invalidHandle;
    event->event->stream = &stream->stream;
    stream->stream.work.push_back([event = event->event, recording = ++event->event->recorded] {
        event->reached = recording;
        event->time = std::chrono::steady_clock::now();
        return success;
    });
    return success;
}

/// Each time that somebody asks, the stream gets on by one step.
quern_cuda_status cuEventQuery(quern_cuda_event event) {
    const Call call("cuEventQuery", Call::context);
    if (call.status) return call.status;
    Event &asked = *event->event;
    if (asked.reached == asked.recorded) return success;
    const size_t left = asked.stream->work.size() - 1;
    const int status = asked.card->drain(*asked.stream, [&] { return asked.stream->work.size() <= left; });
    return status ? status : asked.reached == asked.recorded ? success : notReady;
}

quern_cuda_status cuEventSynchronize(quern_cuda_event event) {
    const Call call("cuEventSynchronize", Call::context);
    if (call.status) return call.status;
    return reach(*event->event, event->event->recorded);
}

quern_cuda_status cuEventElapsedTime(float *milliseconds, quern_cuda_event start, quern_cuda_event end) {
    const Call call("cuEventElapsedTime", Call::context);
    if (call.status) return call.status;
    const Event &from = *start->event, &to = *end->event;
    if (!from.hasTime || !to.hasTime || !from.recorded || !to.recorded) return invalidHandle;
    if (from.reached < from.recorded || to.reached < to.recorded) return notReady;
    *milliseconds = std::chrono::duration<float, std::milli>(to.time - from.time).count();
    return success;
}

quern_cuda_status cuModuleLoadData(quern_cuda_module *module, const void *image) {
    const Call call("cuModuleLoadData", Call::context);
    if (call.status) return call.status;
    if (!image) return invalidValue;
    auto tables = std::make_shared<std::vector<unsigned char>>(device_table_bytes);
    call.card->variables[reinterpret_cast<uintptr_t>(tables->data())] = tables->size();
    *module = new quern_cuda_module_s{call.card, std::move(tables), {}};
    return success;
}

quern_cuda_status cuModuleUnload(quern_cuda_module module) {
    const Call call("cuModuleUnload", Call::context);
    if (call.status) return call.status;
    if (!module) return invalidHandle;
    module->card->variables.erase(reinterpret_cast<uintptr_t>(module->tables->data()));
    delete module;
    return success;
}

quern_cuda_status cuModuleGetFunction(quern_cuda_function *function, quern_cuda_module module, const char *name) {
    const Call call("cuModuleGetFunction", Call::context);
    if (call.status) return call.status;
    if (!module) return invalidHandle;
    const simulated_kernel *const kernel = simulated_kernel_named(name);
    if (!kernel) return notFound;
    *function = &(module->functions[kernel] = {kernel, module->tables});
    return success;
}

quern_cuda_status cuModuleGetGlobal_v2(quern_cuda_address *address, size_t *bytes, quern_cuda_module module,
                                       const char *name) {
    const Call call("cuModuleGetGlobal_v2", Call::context);
    if (call.status) return call.status;
    if (!module) return invalidHandle;
    if (std::strcmp(name, "quern_tables") != 0) return notFound;
    *address = reinterpret_cast<uintptr_t>(module->tables->data());
    *bytes = module->tables->size();
    return success;
}

quern_cuda_status cuFuncGetAttribute(int *value, int attribute, quern_cuda_function) {
    const Call call("cuFuncGetAttribute", Call::context);
    if (call.status) return call.status;
    *value = attribute == QUERN_CUDA_FUNCTION_MAX_THREADS ? 1024 : attribute == QUERN_CUDA_FUNCTION_REGISTERS ? 32 : 0;
    return success;
}

quern_cuda_status cuLaunchKernel(quern_cuda_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                 unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                                 quern_cuda_stream stream, void **parameters, void **) {
    const Call call("cuLaunchKernel", Call::context);
    if (call.status) return call.status;
    if (!stream || !function) return invalidHandle;
    const simulated_launch launch = {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes};
    const bool isEmpty = !grid_x || !grid_y || !grid_z || !block_x || !block_y || !block_z;
    if (isEmpty || grid_y > 65535 || grid_z > 65535 || block_z > 64 || uint64_t(block_x) * block_y * block_z > 1024) {
        return invalidValue;
    }
    std::vector<std::vector<unsigned char>> values;
    const simulated_kernel *kernel = function->kernel;
    for (size_t i = 0; kernel->argument_bytes[i]; ++i) {
        const auto *start = static_cast<const unsigned char *>(parameters[i]);
        values.emplace_back(start, start + kernel->argument_bytes[i]);
    }
    stream->stream.work.push_back([launch, kernel, values = std::move(values), card = call.card,
                                   tables = function->tables]() mutable {
        std::vector<void *> arguments;
        for (auto &value : values) arguments.push_back(value.data());
        // Nothing else runs meanwhile.
        std::memcpy(device_tables, tables->data(), tables->size());
        kernel->run(&launch, arguments.data());
        return card->isDamaged() ? illegalAddress : success;
    });
    return success;
}

} // extern "C"
