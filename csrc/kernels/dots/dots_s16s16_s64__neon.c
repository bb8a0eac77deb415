/* NEON dot products of rows of 16-bit words: products in 32 bits, pairs of them added in 64. */
#include <arm_neon.h>
#include <hwblocks/kernels.h>

void hwb_dots_s16s16_s64__neon(const int16_t *a, const int16_t *b, int64_t length, int64_t count, int64_t *sums) {
  for (int64_t i = 0; i < count; i++, a += length, b += length) {
    int64x2_t two = vdupq_n_s64(0);
    int64_t j = 0, rest = 0;
    for (; j + 8 <= length; j += 8) {
      int16x8_t left = vld1q_s16(a + j), right = vld1q_s16(b + j);
      two = vpadalq_s32(two, vmull_s16(vget_low_s16(left), vget_low_s16(right)));
      two = vpadalq_s32(two, vmull_high_s16(left, right));
    }
    for (; j < length; j++) rest += (int32_t)a[j] * b[j];
    sums[i] = vaddvq_s64(two) + rest;
  }
}
