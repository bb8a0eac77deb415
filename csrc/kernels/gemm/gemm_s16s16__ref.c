/* Reference tiles: plain loops over the packed layout. */
#include <hwblocks/kernels.h>

static int64_t tile_sum(const hwb_tile *tile, int64_t row, int64_t column) {
  int64_t sum = 0;
  const int16_t *w = (const int16_t *)tile->panel + 2 * column;
  for (int64_t t = 0; t < tile->taps; t++) {
    const int16_t *x = (const int16_t *)tile->rows[row] + tile->offsets[t];
    for (int64_t k = 0; k < tile->steps; k++, w += 2 * HWB_TILE_COLUMNS)
      sum += (int64_t)x[2 * k] * w[0] + (int64_t)x[2 * k + 1] * w[1];
  }
  return sum;
}

void hwb_gemm_s16s16_s32__ref(const hwb_tile *tile, int32_t *sums) {
  for (int64_t i = 0; i < tile->count; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) sums[i * HWB_TILE_COLUMNS + j] = (int32_t)tile_sum(tile, i, j);
}

void hwb_gemm_s16s16_s64__ref(const hwb_tile *tile, int64_t *sums) {
  for (int64_t i = 0; i < tile->count; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) sums[i * HWB_TILE_COLUMNS + j] = tile_sum(tile, i, j);
}

/* The sum of each pair of products saturated to 16 bits. */
static int32_t saturated_sum(const hwb_tile *tile, int64_t row, int64_t column) {
  int32_t sum = 0;
  const int16_t *w = (const int16_t *)tile->panel + 2 * column;
  for (int64_t t = 0; t < tile->taps; t++) {
    const int16_t *x = (const int16_t *)tile->rows[row] + tile->offsets[t];
    for (int64_t k = 0; k < tile->steps; k++, w += 2 * HWB_TILE_COLUMNS) {
      int64_t pair = (int64_t)x[2 * k] * w[0] + (int64_t)x[2 * k + 1] * w[1];
      sum += (int32_t)hwb_max(INT16_MIN, hwb_min(INT16_MAX, pair));
    }
  }
  return sum;
}

void hwb_gemm_s16s16_sat16_s32__ref(const hwb_tile *tile, int32_t *sums) {
  for (int64_t i = 0; i < tile->count; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) sums[i * HWB_TILE_COLUMNS + j] = saturated_sum(tile, i, j);
}

/* Weight q of a step of one column: words hold 256 · w[column] + w[column + 8] + 128. */
static int64_t weight_of(const int16_t *words, int64_t column, int64_t q) {
  int64_t word = words[2 * (column % 8) + q], first = word >> 8;
  return column < 8 ? first : word - 256 * first - 128;
}

void hwb_gemm_s16s8_s32__ref(const hwb_tile *tile, int32_t *sums) {
  for (int64_t i = 0; i < tile->count; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) {
      const int16_t *w = tile->panel;
      int64_t sum = 0;
      for (int64_t t = 0; t < tile->taps; t++) {
        const int16_t *x = (const int16_t *)tile->rows[i] + tile->offsets[t];
        for (int64_t k = 0; k < tile->steps; k++, w += HWB_TILE_COLUMNS)
          sum += x[2 * k] * weight_of(w, j, 0) + x[2 * k + 1] * weight_of(w, j, 1);
      }
      sums[i * HWB_TILE_COLUMNS + j] = (int32_t)sum;
    }
}
