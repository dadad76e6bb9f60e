#include "vit/kernels/gemm.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl_version.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "vit/core/buffer.h"
#include "vit/core/signal_block.h"
#include "vit/kernels/dense_column.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/product_fault.h"
#include "vit/kernels/quantize.h"

namespace vit {
namespace {

// Rows for which a packed layout is chosen; measured: it is the layout chosen for any number of rows.
constexpr int64_t kTypicalRows = 1024;
// More kinds of products than a run has; a caller that varies M without end starts the cache anew.
constexpr std::size_t kMaxCached = 4096;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::memory::data_type data_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return dnnl::memory::data_type::f32;
    case DType::bf16:
      return dnnl::memory::data_type::bf16;
    case DType::i8:
      return dnnl::memory::data_type::s8;
  }
  return dnnl::memory::data_type::undef;
}

// ---- what changed between oneDNN 2 and 3 ----

dnnl::matmul::primitive_desc describe_matmul(const dnnl::memory::desc& src, const dnnl::memory::desc& weights,
                                             const dnnl::memory::desc& bias, const dnnl::memory::desc& dst,
                                             const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR < 3
  return {dnnl::matmul::desc(src, weights, bias, dst), attr, engine()};
#else
  return {engine(), src, weights, bias, dst, attr};
#endif
}

/// Scales of the result's columns are constants of a product in version 2, whose fast kernels take no others; there the
/// bias is added before them. In version 3 they are an argument, and the bias is added after them.
#if DNNL_VERSION_MAJOR < 3
constexpr bool kConstantScales = true;
constexpr int kScalesArgument = DNNL_ARG_ATTR_OUTPUT_SCALES;  // not used
#else
constexpr bool kConstantScales = false;
constexpr int kScalesArgument = DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS;
#endif

void set_column_scales(dnnl::primitive_attr& attr, [[maybe_unused]] const std::vector<float>& scales) {
  constexpr int kColumns = 1 << 1;
#if DNNL_VERSION_MAJOR < 3
  attr.set_output_scales(kColumns, scales);
#else
  attr.set_scales_mask(DNNL_ARG_WEIGHTS, kColumns);
#endif
}

// ---- one product, described and prepared ----

// All that a prepared product depends on: c [m, n] = a [m, k] b [k, n]. A transposed operand lies in memory as
// its transpose; strides are of rows as they lie. A packed b has no stride: its layout follows from k, n, types.
struct ProductKey {
  int64_t m = 0, n = 0, k = 0;
  int64_t a_stride = 0, b_stride = 0, c_stride = 0;
  DType a_type = DType::f32, b_type = DType::f32, c_type = DType::f32;
  bool transpose_a = false, transpose_b = false, packed_b = false, bias = false, accumulate = false;
  uint64_t scales = 0;  // which ColumnScales::id where they are constants, else 1; 0 = none

  bool operator==(const ProductKey&) const = default;
};

struct ProductKeyHash {
  std::size_t operator()(const ProductKey& key) const {
    uint64_t hash = 0;
    const auto mix = [&hash](uint64_t value) { hash = (hash ^ value) * 0x9E3779B97F4A7C15u, hash ^= hash >> 29; };
    for (int64_t size : {key.m, key.n, key.k, key.a_stride, key.b_stride, key.c_stride})
      mix(static_cast<uint64_t>(size));
    uint64_t bits = 0;
    for (DType type : {key.a_type, key.b_type, key.c_type}) bits = bits * 4 + static_cast<uint64_t>(type);
    for (bool flag : {key.transpose_a, key.transpose_b, key.packed_b, key.bias, key.accumulate})
      bits = bits * 2 + (flag ? 1 : 0);
    mix(bits);
    mix(key.scales);
    return static_cast<std::size_t>(hash);
  }
};

dnnl::memory::desc matrix_desc(int64_t rows, int64_t cols, DType type, int64_t stride, bool transposed) {
  const dnnl::memory::dims strides = transposed ? dnnl::memory::dims{1, stride} : dnnl::memory::dims{stride, 1};
  return {{rows, cols}, data_type(type), strides};
}

/// What one unit of each result column stands for, of a product in int8.
struct ColumnScales {
  ColumnScales(std::vector<float> scales, uint64_t number) : values(std::move(scales)), id(number) {}

  std::vector<float> values;
  uint64_t id;
};

/// What b is where it is packed.
struct PackedLayout {
  dnnl::memory::desc desc;
  std::shared_ptr<const ColumnScales> scales;  // null unless int8
};

dnnl::matmul::primitive_desc describe(const ProductKey& key, const dnnl::memory::desc& weights,
                                      const std::vector<float>& scales) {
  dnnl::post_ops post_ops;
  if (key.accumulate) post_ops.append_sum(1.0f);
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_post_ops(post_ops);
  if (key.scales != 0) set_column_scales(attr, scales);
  const auto bias = key.bias ? matrix_desc(1, key.n, DType::f32, key.n, false) : dnnl::memory::desc();
  return describe_matmul(matrix_desc(key.m, key.k, key.a_type, key.a_stride, key.transpose_a), weights, bias,
                         matrix_desc(key.m, key.n, key.c_type, key.c_stride, false), attr);
}

/// The product of a packed b as it is most often met: many rows, all of them dense.
ProductKey typical_product(int64_t k, int64_t n, DType type, DType result) {
  ProductKey key{.m = kTypicalRows, .n = n, .k = k, .a_stride = k, .c_stride = n};
  key.a_type = key.b_type = type;
  key.c_type = result;
  if (type == DType::i8 && !kConstantScales) key.scales = 1;
  return key;
}

/// The layout in which b [k, n] is multiplied fastest.
dnnl::memory::desc packed_desc(int64_t k, int64_t n, DType type) {
  const ProductKey key = typical_product(k, n, type, DType::f32);
  return describe(key, {{k, n}, data_type(type), dnnl::memory::format_tag::any}, {}).weights_desc();
}

struct Operands {
  const void* a = nullptr;
  dnnl_memory_t packed_b = nullptr;  // where the key says so
  const void* b = nullptr;           // otherwise
  const float* bias = nullptr;
  void* c = nullptr;
  const float* scales = nullptr;
};

// The library takes all pointers as writable.
void* writable(const void* p) { return const_cast<void*>(p); }

// A primitive with its argument list, so that a call only sets pointers.
class Product {
 public:
  Product(const ProductKey& key, const dnnl::matmul::primitive_desc& pd, const PackedLayout& packed)
      : primitive_(pd), scratchpad_bytes_(static_cast<int64_t>(pd.scratchpad_desc().get_size())) {
    a_ = add(DNNL_ARG_SRC, pd.src_desc());
    b_ = add(DNNL_ARG_WEIGHTS, pd.weights_desc());
    c_ = add(DNNL_ARG_DST, pd.dst_desc());
    if (key.bias) bias_ = add(DNNL_ARG_BIAS, pd.bias_desc());
    if (scratchpad_bytes_ > 0) scratchpad_ = add(DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc());
    if (key.scales != 0 && kConstantScales) {
      constant_scales_ = packed.scales;
      of_one_weight_ = true;
    } else if (key.scales != 0) {
      scales_ = add(kScalesArgument, {{key.n}, dnnl::memory::data_type::f32, dnnl::memory::dims{1}});
    }
  }

  /// The weight whose scales are constants of this product is gone.
  bool outlived() const { return of_one_weight_ && constant_scales_.expired(); }

  int64_t scratchpad_bytes() const { return scratchpad_bytes_; }

  void run(const Operands& operands, std::byte* scratchpad, const dnnl::stream& stream) {
    set(a_, operands.a);
    set(c_, operands.c);
    // A packed memory is shared by all threads and passed as it is.
    if (operands.packed_b != nullptr)
      args_[b_].memory = operands.packed_b;
    else
      set(b_, operands.b);
    if (bias_ != kAbsent) set(bias_, operands.bias);
    if (scales_ != kAbsent) set(scales_, operands.scales);
    if (scratchpad_ != kAbsent) set(scratchpad_, scratchpad);
    const auto status = dnnl_primitive_execute(primitive_.get(), stream.get(), static_cast<int>(count_), args_.data());
    if (status != dnnl_success) fail(ErrorKind::internal, "[gemm] the product library failed with status ", status);
  }

 private:
  static constexpr std::size_t kMaxArgs = 6;
  static constexpr std::size_t kAbsent = kMaxArgs;

  std::size_t add(int arg, const dnnl::memory::desc& desc) {
    memories_[count_] = dnnl::memory(desc, engine(), DNNL_MEMORY_NONE);
    args_[count_] = {arg, memories_[count_].get()};
    return count_++;
  }
  void set(std::size_t index, const void* data) { memories_[index].set_data_handle(writable(data)); }

  dnnl::primitive primitive_;
  int64_t scratchpad_bytes_;
  std::array<dnnl::memory, kMaxArgs> memories_;
  std::array<dnnl_exec_arg_t, kMaxArgs> args_{};
  std::size_t count_ = 0, a_ = 0, b_ = 0, c_ = 0, bias_ = kAbsent, scratchpad_ = kAbsent, scales_ = kAbsent;
  std::weak_ptr<const ColumnScales> constant_scales_;
  bool of_one_weight_ = false;
};

// Products that a thread has met, its stream and its scratch memory.
class ThreadProducts {
 public:
  ThreadProducts() : stream_(engine()) { use_one_product_thread(); }

  /// `packed` is the layout of b where the key says that it is packed.
  void run(const ProductKey& key, const PackedLayout& packed, const Operands& operands) {
    Product& product = find(key, packed);
    if (product.scratchpad_bytes() > scratchpad_.size())
      scratchpad_ = AlignedBuffer<std::byte>(product.scratchpad_bytes());
    product.run(operands, scratchpad_.data(), stream_);
  }

  const dnnl::stream& stream() const { return stream_; }
  int64_t kept() const { return static_cast<int64_t>(products_.size()); }

 private:
  Product& find(const ProductKey& key, const PackedLayout& packed) {
    if (const auto found = products_.find(key); found != products_.end()) return found->second;
    std::erase_if(products_, [](const auto& entry) { return entry.second.outlived(); });
    if (products_.size() >= kMaxCached) products_.clear();
    const auto b = key.packed_b ? packed.desc : matrix_desc(key.k, key.n, key.b_type, key.b_stride, key.transpose_b);
    try {
      static const std::vector<float> kNoScales;
      const auto& scales = packed.scales ? packed.scales->values : kNoScales;
      return products_.try_emplace(key, key, describe(key, b, scales), packed).first->second;
    } catch (const dnnl::error& error) {
      fail(ErrorKind::internal, "[gemm] the product library refuses [", key.m, ", ", key.k, "] x [", key.k, ", ", key.n,
           "]: ", error.what());
    }
  }

  dnnl::stream stream_;
  AlignedBuffer<std::byte> scratchpad_;
  std::unordered_map<ProductKey, Product, ProductKeyHash> products_;
};

ThreadProducts& thread_products() {
  apply_isa();
  thread_local ThreadProducts products;
  return products;
}

// ---- checks ----

// A single row has no stride of its own; giving it its length keeps the cache small.
int64_t checked_stride(const char* what, ConstMatrix m) {
  if (m.rows() > 1 && m.stride() < m.cols())
    fail(ErrorKind::internal, "[gemm] ", what, ": needs a row stride of at least ", m.cols(), ", has ", m.stride());
  return m.rows() > 1 ? m.stride() : m.cols();
}

void check_size(const char* what, int64_t needed, int64_t given) {
  if (needed != given) fail(ErrorKind::internal, "[gemm] ", what, ": needs ", needed, ", has ", given);
}

void check_types(DType a, DType b, DType c) {
  const bool rounded = a != DType::f32 && c == DType::bf16;
  if (a != b || !(c == DType::f32 || rounded))
    fail(ErrorKind::internal, "[gemm] has no product of ", dtype_name(a), " and ", dtype_name(b), " to ",
         dtype_name(c));
}

}  // namespace

void use_one_product_thread() { omp_set_num_threads(1); }

void limit_products(Isa isa) {
  const auto cpu_isa = isa == Isa::baseline ? dnnl::cpu_isa::sse41
                       : isa == Isa::avx2   ? dnnl::cpu_isa::avx2
                       : isa == Isa::avx512 ? dnnl::cpu_isa::avx512_core_vnni
                                            : dnnl::cpu_isa::avx512_core_bf16;
  if (dnnl::set_max_cpu_isa(cpu_isa) != dnnl::status::success)
    fail(ErrorKind::internal, "[gemm] VIT_ISA=", isa_name(isa), " came too late: the product library is in use");
}

Isa product_isa() {
  apply_isa();
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
    case dnnl::cpu_isa::avx:
      return Isa::baseline;
    case dnnl::cpu_isa::avx2:
    case dnnl::cpu_isa::avx2_vnni:
#if DNNL_VERSION_MAJOR >= 3
    case dnnl::cpu_isa::avx2_vnni_2:
#endif
      return Isa::avx2;
    case dnnl::cpu_isa::avx512_core:
    case dnnl::cpu_isa::avx512_core_vnni:
      return Isa::avx512;
    default:
      return Isa::avx512_bf16;
  }
}

void gemm(ConstMatrix a, ConstMatrix b, Matrix c, const GemmOptions& options) {
  if (has_gaps(a)) return gemm(DenseColumn(a).view(), b, c, options);
  if (has_gaps(b)) return gemm(a, DenseColumn(b).view(), c, options);
  if (has_gaps(c)) {
    DenseColumn column(c);
    gemm(a, b, column.view(), options);
    return column.write_to(c);
  }
  ProductKey key{
      .a_stride = checked_stride("a", a), .b_stride = checked_stride("b", b), .c_stride = checked_stride("c", c)};
  check_types(a.type(), b.type(), c.type());
  key.a_type = a.type(), key.b_type = b.type(), key.c_type = c.type();
  key.m = options.transpose_a ? a.cols() : a.rows();
  key.k = options.transpose_a ? a.rows() : a.cols();
  key.n = options.transpose_b ? b.rows() : b.cols();
  check_size("rows of b", key.k, options.transpose_b ? b.cols() : b.rows());
  check_size("rows of c", key.m, c.rows());
  check_size("columns of c", key.n, c.cols());
  if (key.m == 0 || key.n == 0) return;
  if (key.k == 0) fail(ErrorKind::internal, "[gemm] a has no columns");
  ThreadProducts& products = thread_products();
  const SignalBlock quiet;

  // dW = dY^T X: measured 4 % (M = 1040) to 8 % (M = 8320) faster than the primitive, which copies a first.
  if (options.transpose_a && a.type() == DType::f32) {
    const auto status =
        dnnl_sgemm('T', options.transpose_b ? 'T' : 'N', key.m, key.n, key.k, 1.0f, static_cast<const float*>(a.data()),
                   key.a_stride, static_cast<const float*>(b.data()), key.b_stride, options.accumulate ? 1.0f : 0.0f,
                   static_cast<float*>(c.data()), key.c_stride);
    if (status != dnnl_success) fail(ErrorKind::internal, "[gemm] the product library failed with status ", status);
    return;
  }
  key.transpose_a = options.transpose_a;
  key.transpose_b = options.transpose_b;
  key.accumulate = options.accumulate;
  products.run(key, {}, {.a = a.data(), .b = b.data(), .c = c.data()});
}

// ---- packed weights ----

namespace {

uint64_t new_scales_id() {
  static std::atomic<uint64_t> next{1};
  return next++;
}

void run_reorder(const dnnl::reorder& reorder, const dnnl::memory& from, const dnnl::memory& to) {
  const std::array<dnnl_exec_arg_t, 2> args = {{{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}}};
  const auto status = dnnl_primitive_execute(reorder.get(), thread_products().stream().get(), 2, args.data());
  if (status != dnnl_success) fail(ErrorKind::internal, "[gemm] packing failed with status ", status);
}

}  // namespace

struct PackedWeight::Impl {
  int64_t k = 0, n = 0;
  int64_t weight_stride = 0;
  Use use = Use::forward;
  DType type = DType::f32;
  PackedLayout layout;
  AlignedBuffer<std::byte> data;
  dnnl::memory memory;  // `data` in `layout`
  dnnl::memory source;
  dnnl::reorder reorder;
  AlignedBuffer<float> bias;  // where scales are constants, in their units

  // Everything but the copy.
  Impl(TensorView<const float> weight, int64_t stride, Use use_, DType type_)
      : k(use_ == Use::forward ? weight.cols() : weight.rows()),
        n(use_ == Use::forward ? weight.rows() : weight.cols()),
        weight_stride(stride),
        use(use_),
        type(type_),
        layout{packed_desc(k, n, type), {}},
        data(AlignedBuffer<std::byte>::for_overwrite(static_cast<int64_t>(layout.desc.get_size()))),
        memory(layout.desc, engine(), data.data()),
        source(source_desc(), engine(), DNNL_MEMORY_NONE),
        reorder(source, memory) {}

  bool fits(TensorView<const float> weight, int64_t stride, Use use_, DType type_) const {
    const bool forward = use == Use::forward;
    return use == use_ && type == type_ && weight_stride == stride && weight.rows() == (forward ? n : k) &&
           weight.cols() == (forward ? k : n);
  }

  void copy_bias(const float* values) {
    if (values == nullptr) {
      bias = {};
      return;
    }
    if (bias.size() == 0) bias = AlignedBuffer<float>(n);
    const bool in_units = layout.scales && kConstantScales;
    for (int64_t o = 0; o < n; ++o)
      bias[o] = in_units ? values[o] / layout.scales->values[static_cast<std::size_t>(o)] : values[o];
  }

  void quantize(TensorView<const float> weight, float input_scale) {
    QuantizedRows rows = quantize_rows(weight);
    source.set_data_handle(rows.values.data());
    run_reorder(reorder, source, memory);
    for (float& scale : rows.scales) scale *= input_scale;
    layout.scales = std::make_shared<const ColumnScales>(std::move(rows.scales), new_scales_id());
  }

 private:
  // int8 rows are quantised into a contiguous copy first.
  dnnl::memory::desc source_desc() const {
    if (type == DType::i8) return matrix_desc(k, n, DType::i8, k, true);
    return matrix_desc(k, n, DType::f32, weight_stride, use == Use::forward);
  }
};

PackedWeight::PackedWeight() = default;
PackedWeight::~PackedWeight() = default;
PackedWeight::PackedWeight(PackedWeight&&) noexcept = default;
PackedWeight& PackedWeight::operator=(PackedWeight&&) noexcept = default;

void PackedWeight::pack(TensorView<const float> weight, Use use, const Options& options) {
  const int64_t stride = checked_stride("weight", weight);
  if (weight.size() == 0) fail(ErrorKind::internal, "[gemm] weight to pack is empty");
  if (use == Use::backward_data && (options.type == DType::i8 || options.bias != nullptr))
    fail(ErrorKind::internal, "[gemm] the product of gradients has no int8 and no bias");
  use_one_product_thread();  // before anything is prepared: it is prepared for that number of threads
  apply_isa();
  if (!impl_ || !impl_->fits(weight, stride, use, options.type))
    impl_ = std::make_unique<Impl>(weight, stride, use, options.type);
  if (options.type == DType::i8) {
    impl_->quantize(weight, options.input_scale);
  } else {
    impl_->source.set_data_handle(writable(weight.data()));
    run_reorder(impl_->reorder, impl_->source, impl_->memory);
  }
  impl_->copy_bias(options.bias);
}

void PackedWeight::multiply(ConstMatrix in, Matrix out, bool accumulate) const {
  if (!impl_) fail(ErrorKind::internal, "[gemm] multiply before pack");
  check_types(in.type(), impl_->type, out.type());
  if (!in.contiguous() || !out.contiguous())
    fail(ErrorKind::internal, "[gemm] a packed product needs dense rows: others run many times slower");
  ProductKey key{.m = in.rows(),
                 .n = impl_->n,
                 .k = impl_->k,
                 .a_stride = checked_stride("in", in),
                 .c_stride = checked_stride("out", out)};
  check_size("columns of in", key.k, in.cols());
  check_size("rows of out", key.m, out.rows());
  check_size("columns of out", key.n, out.cols());
  if (key.m == 0) return;
  key.a_type = key.b_type = impl_->type;
  key.c_type = out.type();
  key.packed_b = true;
  key.bias = impl_->bias.size() > 0;
  key.accumulate = accumulate;
  const ColumnScales* scales = impl_->layout.scales.get();
  if (scales != nullptr) key.scales = kConstantScales ? scales->id : 1;
  const SignalBlock quiet;
  thread_products().run(key, impl_->layout,
                        {.a = in.data(),
                         .packed_b = impl_->memory.get(),
                         .bias = impl_->bias.data(),
                         .c = out.data(),
                         .scales = scales != nullptr ? scales->values.data() : nullptr});
}

int64_t kept_products() { return thread_products().kept(); }

std::string implementation_fault(DType type) {
  apply_isa();
  constexpr int64_t kSize = 64;
  const dnnl::version_t* version = dnnl::version();
  const std::string library = concat("oneDNN ", version->major, ".", version->minor);
  for (const DType result : {DType::f32, DType::bf16}) {
    const ProductKey key = typical_product(kSize, kSize, type, result);
    try {
      const auto any = dnnl::memory::desc({kSize, kSize}, data_type(type), dnnl::memory::format_tag::any);
      const std::string name = describe(key, any, {}).impl_info_str();
      if (name.starts_with("ref")) return concat(library, " has no fast product of ", dtype_name(type), " here");
    } catch (const dnnl::error& error) {
      return concat(library, " has no product of ", dtype_name(type), " here: ", error.what());
    }
  }
  return "";
}

}  // namespace vit
