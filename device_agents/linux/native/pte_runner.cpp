// Runs ExecuTorch programs (.pte) behind a few C functions, so that Python's ctypes can call them without torch.
//
// Built against the headers and shared libraries of the executorch wheel (written against 1.5.1). The backend and the
// kernels register themselves when their libraries are loaded. One session at a time may be used, by one thread.

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/extension/memory_allocator/malloc_memory_allocator.h>
#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/event_tracer.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>
#include <executorch/runtime/kernel/operator_registry.h>
#include <executorch/runtime/platform/clock.h>
#include <executorch/runtime/platform/platform.h>
#include <executorch/runtime/platform/runtime.h>

// The wheel has no header for the library that holds this class; the names are those of extension/threadpool.
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  bool _unsafe_reset_threadpool(uint32_t count);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace {

using executorch::aten::ScalarType;
using executorch::aten::Tensor;
using executorch::aten::TensorImpl;
using executorch::extension::BufferDataLoader;
using executorch::extension::MallocMemoryAllocator;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::HierarchicalAllocator;
using executorch::runtime::MemoryManager;
using executorch::runtime::Method;
using executorch::runtime::MethodMeta;
using executorch::runtime::Program;
using executorch::runtime::Result;
using executorch::runtime::Span;
using executorch::runtime::Tag;
using executorch::runtime::TensorInfo;

constexpr char kMethod[] = "forward";
constexpr size_t kMostSaid = 1500;

struct Refusal {
  std::string reason;
};

std::string said;  // what the runtime has logged as an error since the current call began

void keep_log(et_timestamp_t, et_pal_log_level_t level, const char*, const char*, size_t, const char* message,
              size_t length) {
  if (level == et_pal_log_level_t::kFatal) {  // it aborts next: the process's own stderr is all that is left
    std::fprintf(stderr, "executorch: %.*s\n", static_cast<int>(length), message);
  } else if (level == et_pal_log_level_t::kError && said.size() < kMostSaid) {
    said.append(said.empty() ? "" : "; ").append(message, length);
  }
}

void require(Error error, const std::string& what) {
  if (error != Error::Ok) {
    throw Refusal{what + ": " + executorch::runtime::to_string(error) + (said.empty() ? "" : " (" + said + ")")};
  }
}

const char* dtype_name(ScalarType type) {
  switch (type) {
    case ScalarType::Byte: return "uint8";
    case ScalarType::Char: return "int8";
    case ScalarType::Short: return "int16";
    case ScalarType::Int: return "int32";
    case ScalarType::Long: return "int64";
    case ScalarType::Half: return "float16";
    case ScalarType::Float: return "float32";
    case ScalarType::Double: return "float64";
    case ScalarType::Bool: return "bool";
    default: throw Refusal{"a tensor has the type number " + std::to_string(static_cast<int>(type))};
  }
}

struct Port {  // an input or an output
  ScalarType type;
  size_t size_bytes;
  std::vector<TensorImpl::SizesType> sizes;
  std::vector<TensorImpl::DimOrderType> order;
};

Port port_of(Result<Tag> tag, Result<TensorInfo> info, const std::string& name) {
  require(tag.error(), name);
  if (tag.get() != Tag::Tensor) throw Refusal{name + " is not a tensor"};
  require(info.error(), name);
  Port port{info->scalar_type(), info->nbytes(), {}, {}};
  port.sizes.assign(info->sizes().begin(), info->sizes().end());
  port.order.assign(info->dim_order().begin(), info->dim_order().end());
  for (size_t axis = 0; axis < port.order.size(); ++axis) {
    if (port.order[axis] != axis) throw Refusal{name + " is not stored in C order; export it with contiguous tensors"};
  }
  return port;
}

std::string describe(const std::vector<Port>& ports, const char* kind) {
  std::string text = "[";
  for (size_t index = 0; index < ports.size(); ++index) {
    const Port& port = ports[index];
    text += std::string(index ? ", " : "") + "{\"name\": \"" + kind + "_" + std::to_string(index) + "\", \"shape\": [";
    for (size_t axis = 0; axis < port.sizes.size(); ++axis) {
      text += (axis ? ", " : "") + std::to_string(port.sizes[axis]);
    }
    text += std::string("], \"dtype\": \"") + dtype_name(port.type) + "\"}";
  }
  return text + "]";
}

void require_backends(const MethodMeta& meta) {
  for (size_t index = 0; index < meta.num_backends(); ++index) {
    const char* name = meta.get_backend_name(index).get();
    if (executorch::runtime::get_backend_class(name) != nullptr) continue;
    std::string known;
    for (size_t at = 0; at < executorch::runtime::get_num_registered_backends(); ++at) {
      known += std::string(at ? ", " : "") + executorch::runtime::get_backend_name(at).get();
    }
    throw Refusal{std::string("it needs the backend ") + name + "; this runtime has " + known};
  }
}

// Keeps when each operator of a run began and ended; none of what else a tracer could keep.
class Tracer : public executorch::runtime::EventTracer {
  using Entry = executorch::runtime::EventTracerEntry;
  using ChainID = executorch::runtime::ChainID;
  using DebugHandle = executorch::runtime::DebugHandle;
  using DelegateId = executorch::runtime::DelegateDebugIntId;
  using AllocatorID = executorch::runtime::AllocatorID;
  struct Event {
    std::string name;
    et_timestamp_t start, end;
    bool delegated;
  };

 public:
  void clear() { events_.clear(); }

  // JSON: [{"name", "ns", "delegated"}] in the order in which they ended.
  const char* describe() {
    text_ = "[";
    for (const Event& event : events_) {
      const uint64_t ns = executorch::runtime::ticks_to_ns(event.end) - executorch::runtime::ticks_to_ns(event.start);
      text_ += std::string(text_.size() > 1 ? ", " : "") + "{\"name\": \"" + plain(event.name) + "\", \"ns\": " +
               std::to_string(ns) + ", \"delegated\": " + (event.delegated ? "true}" : "false}");
    }
    text_ += "]";
    return text_.c_str();
  }

  Entry start_profiling(const char* name, ChainID, DebugHandle) override { return begin(name, false); }
  Entry start_profiling_delegate(const char* name, DelegateId) override { return begin(name, true); }
  void end_profiling(Entry entry) override { end(entry); }
  void end_profiling_delegate(Entry entry, const void*, size_t) override { end(entry); }
  void log_profiling_delegate(const char* name, DelegateId, et_timestamp_t start, et_timestamp_t end, const void*,
                              size_t) override {
    events_.push_back({name != nullptr ? name : "", start, end, true});
  }
  void create_event_block(const char*) override {}
  void track_allocation(AllocatorID, size_t) override {}
  AllocatorID track_allocator(const char*) override { return 0; }
  Result<bool> log_evalue(const EValue&, executorch::runtime::LoggedEValueType) override { return false; }
  Result<bool> log_intermediate_output_delegate(const char*, DelegateId, const Tensor&) override { return false; }
  Result<bool> log_intermediate_output_delegate(const char*, DelegateId,
                                                const executorch::runtime::ArrayRef<Tensor>) override {
    return false;
  }
  Result<bool> log_intermediate_output_delegate(const char*, DelegateId, const int&) override { return false; }
  Result<bool> log_intermediate_output_delegate(const char*, DelegateId, const bool&) override { return false; }
  Result<bool> log_intermediate_output_delegate(const char*, DelegateId, const double&) override { return false; }
  void set_delegation_intermediate_output_filter(executorch::runtime::EventTracerFilterBase*) override {}

 private:
  Entry begin(const char* name, bool delegated) {
    Entry entry{};
    entry.event_id = static_cast<int64_t>(open_.size());
    open_.push_back({name != nullptr ? name : "", et_pal_current_ticks(), 0, delegated});
    return entry;
  }

  void end(const Entry& entry) {
    if (entry.event_id < 0 || static_cast<size_t>(entry.event_id) >= open_.size()) return;
    Event event = open_[static_cast<size_t>(entry.event_id)];
    event.end = et_pal_current_ticks();
    events_.push_back(event);
    if (static_cast<size_t>(entry.event_id) + 1 == open_.size()) open_.pop_back();  // they are nested
  }

  static std::string plain(const std::string& name) {
    std::string kept;
    for (const char c : name) kept += c < ' ' || c == '"' || c == '\\' || c > '~' ? '?' : c;
    return kept;
  }

  std::vector<Event> open_, events_;
  std::string text_;
};

class Session {
 public:
  Session(const void* data, size_t size, bool traced)
      : tracer_(traced ? std::make_unique<Tracer>() : nullptr), loader_(data, size), program_(load_program()) {
    auto meta = program_->method_meta(kMethod);
    require(meta.error(), std::string("no method \"") + kMethod + "\"");
    require_backends(*meta);
    for (size_t index = 0; index < meta->num_inputs(); ++index) {
      inputs_.push_back(port_of(meta->input_tag(index), meta->input_tensor_meta(index), name_of("input", index)));
    }
    for (size_t index = 0; index < meta->num_outputs(); ++index) {
      outputs_.push_back(port_of(meta->output_tag(index), meta->output_tensor_meta(index), name_of("output", index)));
    }
    for (size_t index = 0; index < meta->num_memory_planned_buffers(); ++index) {
      auto size = meta->memory_planned_buffer_size(index);
      require(size.error(), "a planned buffer");
      planned_.emplace_back(static_cast<size_t>(*size));
      spans_.emplace_back(planned_.back().data(), planned_.back().size());
    }
    memory_ = std::make_unique<HierarchicalAllocator>(Span<Span<uint8_t>>(spans_.data(), spans_.size()));
    manager_ = std::make_unique<MemoryManager>(&method_allocator_, memory_.get(), &temporary_allocator_);
    auto method = program_->load_method(kMethod, manager_.get(), tracer_.get());
    require(method.error(), "it cannot be loaded");
    method_ = std::make_unique<Method>(std::move(*method));
    description = "{\"inputs\": " + describe(inputs_, "input") + ", \"outputs\": " + describe(outputs_, "output") + "}";
  }

  void run(void* const* inputs, void* const* outputs) {
    if (tracer_) tracer_->clear();
    for (size_t index = 0; index < inputs_.size(); ++index) {
      Port& port = inputs_[index];
      TensorImpl value(port.type, static_cast<ssize_t>(port.sizes.size()), port.sizes.data(), inputs[index],
                       port.order.data());
      require(method_->set_input(EValue(Tensor(&value)), index), name_of("input", index));
    }
    require(method_->execute(), "it failed");
    for (size_t index = 0; index < outputs_.size(); ++index) {
      const EValue& value = method_->get_output(index);
      if (!value.isTensor() || value.toTensor().nbytes() != outputs_[index].size_bytes) {
        throw Refusal{name_of("output", index) + " has another size than the program promises"};
      }
      std::memcpy(outputs[index], value.toTensor().const_data_ptr(), outputs_[index].size_bytes);
    }
  }

  const char* trace() { return tracer_ ? tracer_->describe() : "[]"; }

  std::string description;

 private:
  static std::string name_of(const char* kind, size_t index) { return std::string(kind) + "_" + std::to_string(index); }

  std::unique_ptr<Program> load_program() {
    auto program = Program::load(&loader_, Program::Verification::InternalConsistency);
    require(program.error(), "it is no program of this runtime");
    return std::make_unique<Program>(std::move(*program));
  }

  std::unique_ptr<Tracer> tracer_;
  BufferDataLoader loader_;
  std::unique_ptr<Program> program_;
  std::vector<Port> inputs_, outputs_;
  std::vector<std::vector<uint8_t>> planned_;
  std::vector<Span<uint8_t>> spans_;
  MallocMemoryAllocator method_allocator_, temporary_allocator_;
  std::unique_ptr<HierarchicalAllocator> memory_;
  std::unique_ptr<MemoryManager> manager_;
  std::unique_ptr<Method> method_;
};

// Calls `action`; what it throws becomes text in `error` and the result -1.
template <typename Action>
int guarded(char* error, size_t error_size, Action action) {
  try {
    said.clear();
    action();
    return 0;
  } catch (const Refusal& refusal) {
    std::snprintf(error, error_size, "%s", refusal.reason.c_str());
  } catch (const std::exception& failure) {
    std::snprintf(error, error_size, "%s", failure.what());
  }
  return -1;
}

}  // namespace

extern "C" {

// Prepares the runtime with so many threads; once, before anything else.
int pte_prepare(unsigned threads, char* error, size_t error_size) {
  return guarded(error, error_size, [threads] {
    executorch::runtime::runtime_init();
    executorch::runtime::register_pal(executorch::runtime::PalImpl::create(keep_log, __FILE__));
    auto* pool = executorch::extension::threadpool::get_threadpool();
    if (pool == nullptr || !pool->_unsafe_reset_threadpool(threads)) throw Refusal{"its threads cannot be started"};
  });
}

// Loads the method "forward" of a program; its bytes stay where they are, 16-byte aligned, as long as the session.
int pte_open(const void* data, size_t size, void** session, char* error, size_t error_size) {
  return guarded(error, error_size, [=] { *session = new Session(data, size, false); });
}

// The same, and each run is traced, which takes time.
int pte_open_traced(const void* data, size_t size, void** session, char* error, size_t error_size) {
  return guarded(error, error_size, [=] { *session = new Session(data, size, true); });
}

// JSON: {"inputs": [{"name", "shape", "dtype"}], "outputs": [...]}; valid as long as the session.
const char* pte_describe(const void* session) { return static_cast<const Session*>(session)->description.c_str(); }

// One inference: reads each input's buffer, fills each output's.
int pte_run(void* session, void* const* inputs, void* const* outputs, char* error, size_t error_size) {
  return guarded(error, error_size, [=] { static_cast<Session*>(session)->run(inputs, outputs); });
}

// JSON: the events of the last run of a traced session; valid until its next call.
const char* pte_trace(void* session) { return static_cast<Session*>(session)->trace(); }

void pte_close(void* session) { delete static_cast<Session*>(session); }
}
