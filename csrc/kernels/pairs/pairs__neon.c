/* NEON pairs of 8-bit codes, 8 at a time: sums in 64 bits, whose high words are the results. */
#include <arm_neon.h>
#include <hwblocks/kernels.h>

#define INLINE static inline __attribute__((always_inline))

INLINE int16x8_t codes(const void *x, int64_t dtype, int64_t i) {
  uint8x8_t bytes = vld1_u8((const uint8_t *)x + i);
  return dtype == HWB_S8 ? vmovl_s8(vreinterpret_s8_u8(bytes)) : vreinterpretq_s16_u16(vmovl_u8(bytes));
}

/* The high words of four sums. */
INLINE int32x4_t affine(const hwb_pairs_numbers *p, int32x4_t a, int32x4_t b) {
  int64x2_t addend = vdupq_n_s64(p->addend);
  int32_t fa = (int32_t)p->a_factor, fb = (int32_t)p->b_factor;
  int64x2_t low = vmlal_n_s32(vmlal_n_s32(addend, vget_low_s32(a), fa), vget_low_s32(b), fb);
  int64x2_t high = vmlal_high_n_s32(vmlal_high_n_s32(addend, a, fa), b, fb);
  return vshrn_high_n_s64(vshrn_n_s64(low, 32), high, 32);
}

/* All ones where a result leaves the format on a side that counts. */
INLINE uint32x4_t counted(const hwb_pairs_numbers *p, int32x4_t v) {
  int32x4_t low = vdupq_n_s32(p->counts_low ? (int32_t)p->lo : INT32_MIN);
  int32x4_t high = vdupq_n_s32(p->counts_high ? (int32_t)p->hi : INT32_MAX);
  return vorrq_u32(vcltq_s32(v, low), vcgtq_s32(v, high));
}

INLINE int16x4_t clamped(const hwb_pairs_numbers *p, int32x4_t v) {
  int32x4_t limited = vminq_s32(v, vdupq_n_s32((int32_t)p->clamp_hi));
  return vmovn_s32(vmaxq_s32(limited, vdupq_n_s32((int32_t)p->clamp_lo)));
}

void hwb_pairs__neon(const hwb_pairs_numbers *p, const void *a, const void *b, int64_t n, void *y, hwb_stats *stats) {
  int32x4_t left = vdupq_n_s32((int32_t)p->left);
  uint32x4_t saturated = vdupq_n_u32(0);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    int16x8_t x = codes(a, p->a_dtype, i), z = codes(b, p->b_dtype, i);
    int32x4_t x0 = vshlq_s32(vmovl_s16(vget_low_s16(x)), left), x1 = vshlq_s32(vmovl_high_s16(x), left);
    int32x4_t z0 = vshlq_s32(vmovl_s16(vget_low_s16(z)), left), z1 = vshlq_s32(vmovl_high_s16(z), left);
    int32x4_t v0 = affine(p, x0, z0), v1 = affine(p, x1, z1);
    saturated = vsubq_u32(vsubq_u32(saturated, counted(p, v0)), counted(p, v1)); /* all ones are −1 */
    int8x8_t bytes = vmovn_s16(vcombine_s16(clamped(p, v0), clamped(p, v1)));
    vst1_u8((uint8_t *)y + i, vreinterpret_u8_s8(bytes));
  }
  stats->saturated += (int64_t)vaddlvq_u32(saturated);
  hwb_pairs__ref(p, (const char *)a + i, (const char *)b + i, n - i, (char *)y + i, stats);
}
