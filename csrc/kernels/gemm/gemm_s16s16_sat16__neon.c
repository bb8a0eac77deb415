/* NEON tiles whose pairs of products saturate to 16 bits; one row at a time, products and sums in 32 bits. */
#include <arm_neon.h>
#include <hwblocks/kernels.h>

/* Both products of 4 columns in 32 bits, limited and added; pairs of 8-bit operands stay far within 32 bits. */
static inline int32x4_t add_limited(int32x4_t sum, int32x4_t pair) {
  return vaddq_s32(sum, vmaxq_s32(vminq_s32(pair, vdupq_n_s32(INT16_MAX)), vdupq_n_s32(INT16_MIN)));
}

/* Sums of one row with 8 columns. */
static void row_out(const hwb_tile *tile, int64_t row, int64_t column, int32_t *out) {
  int32x4_t low = vdupq_n_s32(0), high = low;
  const int16_t *w = (const int16_t *)tile->panel + 2 * column;
  for (int64_t t = 0; t < tile->taps; t++) {
    const int16_t *x = (const int16_t *)tile->rows[row] + tile->offsets[t];
    for (int64_t k = 0; k < tile->steps; k++, w += 2 * HWB_TILE_COLUMNS) {
      int16x8x2_t columns = vld2q_s16(w);
      int32x4_t first = vmull_n_s16(vget_low_s16(columns.val[0]), x[2 * k]);
      int32x4_t second = vmull_high_n_s16(columns.val[0], x[2 * k]);
      low = add_limited(low, vmlal_n_s16(first, vget_low_s16(columns.val[1]), x[2 * k + 1]));
      high = add_limited(high, vmlal_high_n_s16(second, columns.val[1], x[2 * k + 1]));
    }
  }
  vst1q_s32(out, low);
  vst1q_s32(out + 4, high);
}

void hwb_gemm_s16s16_sat16_s32__neon(const hwb_tile *tile, int32_t *sums) {
  for (int64_t i = 0; i < tile->count; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j += 8) row_out(tile, i, j, sums + i * HWB_TILE_COLUMNS + j);
}
