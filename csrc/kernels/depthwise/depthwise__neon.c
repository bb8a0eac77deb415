/* NEON depthwise: two rows interleaved; products of both rows are summed apart and added at the end. */
#include <arm_neon.h>
#include <hwblocks/kernels.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++) /* unrolled, or sums leave their registers */

/* 8 channels in int16. */
INLINE int16x8_t channels(const void *x, int64_t dtype, int64_t first) {
  switch (dtype) {
  case HWB_S8: return vmovl_s8(vld1_s8((const int8_t *)x + first));
  case HWB_U8: return vreinterpretq_s16_u16(vmovl_u8(vld1_u8((const uint8_t *)x + first)));
  default: return vld1q_s16((const int16_t *)x + first);
  }
}

/* The address of row r's pixel i; fewer than 16 channels are copied first, so that nothing beyond them is read. */
INLINE const void *pixel(const hwb_side_by_side *from, int64_t r, int64_t i, size_t size, int16_t *copy) {
  const char *at = (const char *)from->x[r] + (size_t)(i * from->step[r]) * size;
  if (from->width == 16) return at;
  memcpy(copy, at, (size_t)from->width * size);
  return copy;
}

INLINE void columns_of(const hwb_side_by_side *from, const int64_t dtype, int16_t *columns, int64_t step) {
  int16_t copies[2][16] = {{0}};
  size_t size = dtype == HWB_S16 ? 2 : 1;
  for (int64_t i = 0; i < from->pixels; i++) {
    const void *a = pixel(from, 0, i, size, copies[0]), *b = pixel(from, 1, i, size, copies[1]);
    int16x8x2_t low = {{channels(a, dtype, 0), channels(b, dtype, 0)}};
    int16x8x2_t high = {{channels(a, dtype, 8), channels(b, dtype, 8)}};
    vst2q_s16(columns + i * step, low);
    vst2q_s16(columns + i * step + 16, high);
  }
}

void hwb_columns_s16__neon(const hwb_side_by_side *from, int16_t *columns, int64_t step) {
  switch (from->dtype) {
  case HWB_S8: columns_of(from, HWB_S8, columns, step); break;
  case HWB_U8: columns_of(from, HWB_U8, columns, step); break;
  case HWB_S16: columns_of(from, HWB_S16, columns, step); break;
  default: hwb_columns_s16__ref(from, columns, step); break;
  }
}

/* n positions; 8 registers each, channels in order with both rows side by side. */
INLINE void sums_of(const int n, const hwb_columns *c, int64_t first, int32_t *out) {
  const char *x = (const char *)c->columns + first * c->step;
  const int16_t *w = c->weights;
  int32x4_t sums[16];
  EACH(i, 8 * n) sums[i] = vdupq_n_s32(0);
  for (int64_t t = 0; t < c->terms; t++, w += 32)
    EACH(j, 4) {
      int16x8_t weights = vld1q_s16(w + 8 * j);
      EACH(i, n) {
        int16x8_t column = vld1q_s16((const int16_t *)(const void *)(x + i * c->step + c->offsets[t]) + 8 * j);
        sums[8 * i + 2 * j] = vmlal_s16(sums[8 * i + 2 * j], vget_low_s16(column), vget_low_s16(weights));
        sums[8 * i + 2 * j + 1] = vmlal_high_s16(sums[8 * i + 2 * j + 1], column, weights);
      }
    }
  EACH(i, 4 * n) vst1q_s32(out + first * 16 + 4 * i, vpaddq_s32(sums[2 * i], sums[2 * i + 1]));
}

void hwb_depthwise_s16s16_s32__neon(const hwb_columns *c, int32_t *sums) {
  int64_t i = 0;
  for (; i + 2 <= c->count; i += 2) sums_of(2, c, i, sums);
  if (i < c->count) sums_of(1, c, i, sums);
}
