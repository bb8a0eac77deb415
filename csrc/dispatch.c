/* Dispatch: which kernels each instruction set has. */
#include <hwblocks/kernels.h>
#include <string.h>

static const hwb_kernels reference = {
    .name = "ref",
    .s16_rows = 6,
    .u8_rows = 8,
    .gemm_s16s16_s32 = hwb_gemm_s16s16_s32__ref,
    .gemm_s16s8_s32 = hwb_gemm_s16s8_s32__ref,
    .gemm_s16s16_sat16_s32 = hwb_gemm_s16s16_sat16_s32__ref,
    .gemm_s16s16_s64 = hwb_gemm_s16s16_s64__ref,
    .gemm_u8s8_s32 = hwb_gemm_u8s8_s32__ref,
    .widen = hwb_widen__ref,
    .offset = hwb_offset__ref,
    .cast_s32 = hwb_cast_s32__ref,
    .cast_s64 = hwb_cast_s64__ref,
    .columns_s16 = hwb_columns_s16__ref,
    .columns_u8 = hwb_columns_u8__ref,
    .depthwise_s16s16_s32 = hwb_depthwise_s16s16_s32__ref,
    .depthwise_u8s8_s32 = hwb_depthwise_u8s8_s32__ref,
    .pairs = hwb_pairs__ref,
    .weighted_s32 = hwb_weighted_s32__ref,
    .dots_s16s16_s64 = hwb_dots_s16s16_s64__ref,
    .edge_codes = hwb_edge_codes__ref,
    .ordered = {hwb_ordered_sat16__ref, hwb_ordered_sat16_totals__ref, hwb_ordered_limited_s32__ref,
                hwb_ordered_followed_s32__ref, hwb_ordered_channels_limited__ref, hwb_ordered_channels_plain__ref,
                hwb_ordered_add_limited_s32__ref,
                hwb_ordered_extremes_s32__ref, hwb_ordered_bounds__ref},
};

#ifdef HWB_HAVE_X86
static const hwb_kernels avx2 = {
    .name = "avx2",
    .s16_rows = 6,
    .u8_rows = 4,
    .bytes = HWB_BYTES_NARROW,
    .gemm_s16s16_s32 = hwb_gemm_s16s16_s32__avx2,
    .gemm_s16s8_s32 = hwb_gemm_s16s8_s32__avx2,
    .gemm_s16s16_sat16_s32 = hwb_gemm_s16s16_sat16_s32__avx2,
    .gemm_s16s16_s64 = hwb_gemm_s16s16_s64__avx2,
    .gemm_u8s8_s32 = hwb_gemm_u8s8_s32__avx2,
    .widen = hwb_widen__avx2,
    .offset = hwb_offset__avx2,
    .cast_s32 = hwb_cast_s32__avx2,
    .cast_s64 = hwb_cast_s64__avx2,
    .columns_s16 = hwb_columns_s16__avx2,
    .columns_u8 = hwb_columns_u8__ref,
    .depthwise_s16s16_s32 = hwb_depthwise_s16s16_s32__avx2,
    .depthwise_u8s8_s32 = hwb_depthwise_u8s8_s32__ref,
    .pairs = hwb_pairs__avx2,
    .weighted_s32 = hwb_weighted_s32__avx2,
    .dots_s16s16_s64 = hwb_dots_s16s16_s64__avx2,
    .edge_codes = hwb_edge_codes__avx2,
    .ordered = {hwb_ordered_sat16__avx2, hwb_ordered_sat16_totals__avx2, hwb_ordered_limited_s32__avx2,
                hwb_ordered_followed_s32__avx2, hwb_ordered_channels_limited__avx2, hwb_ordered_channels_plain__avx2,
                hwb_ordered_add_limited_s32__avx2,
                hwb_ordered_extremes_s32__avx2, hwb_ordered_bounds__avx2},
};

static const hwb_kernels avx512 = {
    .name = "avx512",
    .s16_rows = 8,
    .u8_rows = 8,
    .bytes = HWB_BYTES_ALWAYS,
    .gemm_s16s16_s32 = hwb_gemm_s16s16_s32__avx512,
    .gemm_s16s8_s32 = hwb_gemm_s16s8_s32__ref,
    .gemm_s16s16_sat16_s32 = hwb_gemm_s16s16_sat16_s32__avx2,
    .gemm_s16s16_s64 = hwb_gemm_s16s16_s64__avx512,
    .gemm_u8s8_s32 = hwb_gemm_u8s8_s32__avx512,
    .widen = hwb_widen__avx2,
    .offset = hwb_offset__avx2,
    .cast_s32 = hwb_cast_s32__avx512,
    .cast_s64 = hwb_cast_s64__avx512,
    .columns_s16 = hwb_columns_s16__avx2,
    .columns_u8 = hwb_columns_u8__avx512,
    .depthwise_s16s16_s32 = hwb_depthwise_s16s16_s32__avx512,
    .depthwise_u8s8_s32 = hwb_depthwise_u8s8_s32__avx512,
    .pairs = hwb_pairs__avx512,
    .weighted_s32 = hwb_weighted_s32__avx512,
    .dots_s16s16_s64 = hwb_dots_s16s16_s64__avx2,
    .edge_codes = hwb_edge_codes__avx2,
    .ordered = {hwb_ordered_sat16__avx2, hwb_ordered_sat16_totals__avx512, hwb_ordered_limited_s32__avx512,
                hwb_ordered_followed_s32__avx2, hwb_ordered_channels_limited__avx2, hwb_ordered_channels_plain__avx2,
                hwb_ordered_add_limited_s32__avx2,
                hwb_ordered_extremes_s32__avx2, hwb_ordered_bounds__avx2},
};

static int runs_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

/* Ice Lake, Zen 4 and later. */
static int runs_avx512(void) {
  return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}
#endif

#ifdef HWB_HAVE_NEON
/* Every aarch64 machine has it. Its baseline multiplies no unsigned by signed bytes, so that words are faster. */
static const hwb_kernels neon = {
    .name = "neon",
    .s16_rows = 4,
    .u8_rows = 8,
    .gemm_s16s16_s32 = hwb_gemm_s16s16_s32__neon,
    .gemm_s16s8_s32 = hwb_gemm_s16s8_s32__ref,
    .gemm_s16s16_sat16_s32 = hwb_gemm_s16s16_sat16_s32__neon,
    .gemm_s16s16_s64 = hwb_gemm_s16s16_s64__neon,
    .gemm_u8s8_s32 = hwb_gemm_u8s8_s32__ref,
    .widen = hwb_widen__neon,
    .offset = hwb_offset__neon,
    .cast_s32 = hwb_cast_s32__neon,
    .cast_s64 = hwb_cast_s64__ref,
    .columns_s16 = hwb_columns_s16__neon,
    .columns_u8 = hwb_columns_u8__ref,
    .depthwise_s16s16_s32 = hwb_depthwise_s16s16_s32__neon,
    .depthwise_u8s8_s32 = hwb_depthwise_u8s8_s32__ref,
    .pairs = hwb_pairs__neon,
    .weighted_s32 = hwb_weighted_s32__ref,
    .dots_s16s16_s64 = hwb_dots_s16s16_s64__neon,
    .edge_codes = hwb_edge_codes__ref,
    .ordered = {hwb_ordered_sat16__ref, hwb_ordered_sat16_totals__ref, hwb_ordered_limited_s32__ref,
                hwb_ordered_followed_s32__ref, hwb_ordered_channels_limited__ref, hwb_ordered_channels_plain__ref,
                hwb_ordered_add_limited_s32__ref,
                hwb_ordered_extremes_s32__ref, hwb_ordered_bounds__ref},
};
#endif

const char *hwb_isa_name(int i) {
  if (i == 0) return reference.name;
#ifdef HWB_HAVE_X86
  if (i == 1 && runs_avx2()) return avx2.name;
  if (i == 2 && runs_avx512()) return avx512.name;
#endif
#ifdef HWB_HAVE_NEON
  if (i == 1) return neon.name;
#endif
  return NULL;
}

const hwb_kernels *hwb_kernels_of(const char *isa) {
  if (strcmp(isa, reference.name) == 0) return &reference;
#ifdef HWB_HAVE_X86
  if (strcmp(isa, avx2.name) == 0 && runs_avx2()) return &avx2;
  if (strcmp(isa, avx512.name) == 0 && runs_avx512()) return &avx512;
#endif
#ifdef HWB_HAVE_NEON
  if (strcmp(isa, neon.name) == 0) return &neon;
#endif
  return NULL;
}
