/* Dispatch: which kernels each instruction set has. */
#include <hwblocks/kernels.h>
#include <string.h>

static const hwb_kernels reference = {
    .name = "ref",
    .gemm_s16s16_s32 = hwb_gemm_s16s16_s32__ref,
    .gemm_s16s16_sat16_s32 = hwb_gemm_s16s16_sat16_s32__ref,
    .gemm_s16s16_s64 = hwb_gemm_s16s16_s64__ref,
    .widen = hwb_widen__ref,
    .cast_s32 = hwb_cast_s32__ref,
    .cast_s64 = hwb_cast_s64__ref,
    .depthwise_s16s16_s32 = hwb_depthwise_s16s16_s32__ref,
    .ordered = {hwb_ordered_sat16__ref, hwb_ordered_limited_s32__ref, hwb_ordered_add_limited_s32__ref,
                hwb_ordered_extremes_s32__ref, hwb_ordered_bounds__ref},
};

#ifdef HWB_HAVE_AVX2
static const hwb_kernels avx2 = {
    .name = "avx2",
    .gemm_s16s16_s32 = hwb_gemm_s16s16_s32__avx2,
    .gemm_s16s16_sat16_s32 = hwb_gemm_s16s16_sat16_s32__avx2,
    .gemm_s16s16_s64 = hwb_gemm_s16s16_s64__avx2,
    .widen = hwb_widen__avx2,
    .cast_s32 = hwb_cast_s32__avx2,
    .cast_s64 = hwb_cast_s64__ref,
    .depthwise_s16s16_s32 = hwb_depthwise_s16s16_s32__avx2,
    .ordered = {hwb_ordered_sat16__avx2, hwb_ordered_limited_s32__avx2, hwb_ordered_add_limited_s32__avx2,
                hwb_ordered_extremes_s32__avx2, hwb_ordered_bounds__avx2},
};

static int runs_avx2(void) { return __builtin_cpu_supports("avx2"); }
#endif

const char *hwb_isa_name(int i) {
  if (i == 0) return reference.name;
#ifdef HWB_HAVE_AVX2
  if (i == 1 && runs_avx2()) return avx2.name;
#endif
  return NULL;
}

const hwb_kernels *hwb_kernels_of(const char *isa) {
  if (strcmp(isa, reference.name) == 0) return &reference;
#ifdef HWB_HAVE_AVX2
  if (strcmp(isa, avx2.name) == 0 && runs_avx2()) return &avx2;
#endif
  return NULL;
}
