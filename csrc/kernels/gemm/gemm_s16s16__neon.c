/* NEON tiles of any count, 4 rows × 16 columns at a time in 16 registers; per pair of k, weights parted into both k by
   their loads, and eight multiply-adds by a lane for each row. (6 rows would fit, but compilers then keep sums in
   memory.) */
#include <arm_neon.h>
#include <hwblocks/kernels.h>
#include <string.h>

enum { ROWS = 4 };

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++) /* unrolled, or sums leave their registers */

/* Two k of one row. */
INLINE int16x4_t pair_of(const int16_t *x) {
  int32_t pair;
  memcpy(&pair, x, sizeof pair);
  return vreinterpret_s16_s32(vdup_n_s32(pair));
}

/* 16 columns += the first, then the second k of a row; w[0] and w[1] hold both k of 8 columns each. */
INLINE void add_products(int32x4_t *sums, int16x4_t x, const int16x8x2_t *w) {
  EACH(h, 2) {
    sums[2 * h] = vmlal_lane_s16(sums[2 * h], vget_low_s16(w[h].val[0]), x, 0);
    sums[2 * h + 1] = vmlal_high_lane_s16(sums[2 * h + 1], w[h].val[0], x, 0);
    sums[2 * h] = vmlal_lane_s16(sums[2 * h], vget_low_s16(w[h].val[1]), x, 1);
    sums[2 * h + 1] = vmlal_high_lane_s16(sums[2 * h + 1], w[h].val[1], x, 1);
  }
}

/* sums += rows · weights over `steps` pairs of k; n is a constant at every call, so that the loops unroll. */
INLINE void run_pairs(const int n, const int16_t *const *x, const int16_t *w, int64_t steps, int32x4_t *sums) {
  for (int64_t k = 0; k < steps; k++) {
    int16x8x2_t columns[2] = {vld2q_s16(w + 32 * k), vld2q_s16(w + 32 * k + 16)};
    EACH(i, n) add_products(sums + 4 * i, pair_of(x[i] + 2 * k), columns);
  }
}

/* n rows from the first one on. */
INLINE void tile_s32(const int n, const hwb_tile *tile, int64_t first, int32_t *out) {
  int32x4_t sums[4 * ROWS];
  const int16_t *w = tile->panel;
  EACH(i, 4 * n) sums[i] = vdupq_n_s32(0);
  for (int64_t t = 0; t < tile->taps; t++, w += 32 * tile->steps) {
    const int16_t *x[ROWS];
    EACH(i, n) x[i] = (const int16_t *)tile->rows[first + i] + tile->offsets[t];
    run_pairs(n, x, w, tile->steps, sums);
  }
  EACH(i, 4 * n) vst1q_s32(out + 4 * i, sums[i]);
}

void hwb_gemm_s16s16_s32__neon(const hwb_tile *tile, int32_t *sums) {
  for (int64_t first = 0; first < tile->count; first += ROWS, sums += ROWS * HWB_TILE_COLUMNS)
    switch (tile->count - first) {
    case 1: tile_s32(1, tile, first, sums); break;
    case 2: tile_s32(2, tile, first, sums); break;
    case 3: tile_s32(3, tile, first, sums); break;
    default: tile_s32(4, tile, first, sums); break;
    }
}

/* Add the 32-bit sums into the 64-bit ones. */
INLINE void flush_sums(const int n, const int32x4_t *sums, int64_t *out) {
  EACH(i, 4 * n) {
    vst1q_s64(out + 4 * i, vaddw_s32(vld1q_s64(out + 4 * i), vget_low_s32(sums[i])));
    vst1q_s64(out + 4 * i + 2, vaddw_high_s32(vld1q_s64(out + 4 * i + 2), sums[i]));
  }
}

INLINE void tile_s64(const int n, const hwb_tile *tile, int64_t first, int64_t *out) {
  const int16_t *w = tile->panel;
  memset(out, 0, sizeof(int64_t) * (size_t)n * HWB_TILE_COLUMNS);
  for (int64_t t = 0; t < tile->taps; t++) {
    const int16_t *x[ROWS];
    EACH(i, n) x[i] = (const int16_t *)tile->rows[first + i] + tile->offsets[t];
    for (int64_t k = 0; k < tile->steps; k += tile->flush) {
      int64_t run = hwb_min(tile->flush, tile->steps - k);
      int32x4_t sums[4 * ROWS];
      EACH(i, 4 * n) sums[i] = vdupq_n_s32(0);
      run_pairs(n, x, w, run, sums);
      flush_sums(n, sums, out);
      w += 32 * run;
      EACH(i, n) x[i] += 2 * run;
    }
  }
}

void hwb_gemm_s16s16_s64__neon(const hwb_tile *tile, int64_t *sums) {
  if (tile->flush < 1) {
    hwb_gemm_s16s16_s64__ref(tile, sums);
    return;
  }
  for (int64_t first = 0; first < tile->count; first += ROWS, sums += ROWS * HWB_TILE_COLUMNS)
    switch (tile->count - first) {
    case 1: tile_s64(1, tile, first, sums); break;
    case 2: tile_s64(2, tile, first, sums); break;
    case 3: tile_s64(3, tile, first, sums); break;
    default: tile_s64(4, tile, first, sums); break;
    }
}
