#include "splitopt_build.h"

#include <cstring>
#include <new>

#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"

namespace splitopt {
namespace {

// Null where the op is no VAR_HANDLE.
const char* VariableName(const tflite::Model* model, const tflite::Operator* op) {
  const tflite::OperatorCode* code = model->operator_codes()->Get(op->opcode_index());
  if (code->builtin_code() != tflite::BuiltinOperator_VAR_HANDLE) return nullptr;
  const tflite::VarHandleOptions* options = op->builtin_options_as_VarHandleOptions();
  const bool is_named = options != nullptr && options->shared_name() != nullptr;
  return is_named ? options->shared_name()->c_str() : "";
}

// Whether an op before this one names the same variable.
bool IsNamedBefore(const tflite::Model* model, const tflite::Operator* last, const char* name) {
  for (const tflite::SubGraph* subgraph : *model->subgraphs()) {
    if (subgraph->operators() == nullptr) continue;
    for (const tflite::Operator* op : *subgraph->operators()) {
      if (op == last) return false;
      const char* other = VariableName(model, op);
      if (other != nullptr && std::strcmp(other, name) == 0) return true;
    }
  }
  return false;
}

int CountVariables(const tflite::Model* model) {
  int count = 0;
  for (const tflite::SubGraph* subgraph : *model->subgraphs()) {
    if (subgraph->operators() == nullptr) continue;
    for (const tflite::Operator* op : *subgraph->operators()) {
      const char* name = VariableName(model, op);
      if (name != nullptr && !IsNamedBefore(model, op, name)) ++count;
    }
  }
  return count;
}

}  // namespace

void BuildInterpreter(void* place, const tflite::Model* model,
                      const tflite::MicroOpResolver& resolver, const Arena& arena,
                      tflite::MicroProfilerInterface* profiler) {
  tflite::MicroAllocator* allocator = CreateAllocator(arena);
  const int variables = CountVariables(model);
  tflite::MicroResourceVariables* table =
      variables == 0 ? nullptr : tflite::MicroResourceVariables::Create(allocator, variables);
  new (place) tflite::MicroInterpreter(model, resolver, allocator, table, profiler);
}

}  // namespace splitopt
