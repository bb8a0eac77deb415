/* Reference of the vector kernels of saturating registers: plain loops over the packed layouts. */
#include <hwblocks/kernels.h>
#include <math.h>

static int64_t limited(const hwb_limited_tile *t, int64_t v) { return v < t->low ? t->low : v > t->high ? t->high : v; }

void hwb_ordered_sat16__ref(const hwb_limited_tile *tile, int16_t *sums) {
  for (int64_t i = 0; i < tile->count; i++)
    for (int64_t j = 0; j < HWB_SKEW_COLUMNS; j++) {
      int64_t sum = sums[i * HWB_SKEW_COLUMNS + j];
      for (int64_t t = 0; t < tile->length; t++)
        sum = limited(tile, sum + (int64_t)tile->rows[i][t + (j & 1)] * tile->panel[t * HWB_SKEW_COLUMNS + j]);
      sums[i * HWB_SKEW_COLUMNS + j] = (int16_t)sum;
    }
}

void hwb_ordered_sat16_totals__ref(const hwb_limited_tile *tile, int16_t *sums, int32_t *totals) {
  hwb_ordered_sat16__ref(tile, sums);
  for (int64_t i = 0; i < tile->count; i++)
    for (int64_t j = 0; j < HWB_SKEW_COLUMNS; j++)
      for (int64_t t = 0; t < tile->length; t++)
        totals[i * HWB_SKEW_COLUMNS + j] += (int32_t)tile->rows[i][t + (j & 1)] * tile->panel[t * HWB_SKEW_COLUMNS + j];
}

/* One column of one row: pairs of products added singly or in groups. */
static int64_t limited_sum(const hwb_limited_tile *tile, const int16_t *x, const int16_t *w, int64_t sum) {
  int64_t exact = 0;
  for (int64_t k = 0; k < tile->length; k++, w += 2 * HWB_TILE_COLUMNS) {
    int64_t first = (int64_t)x[2 * k] * w[0], second = (int64_t)x[2 * k + 1] * w[1];
    if (!tile->group) {
      sum = limited(tile, limited(tile, sum + first) + second);
      continue;
    }
    exact += first + second;
    if ((k + 1) % tile->group && k + 1 < tile->length) continue;
    sum = limited(tile, sum + exact);
    exact = 0;
  }
  return sum;
}

void hwb_ordered_limited_s32__ref(const hwb_limited_tile *tile, int32_t *sums) {
  for (int64_t i = 0; i < tile->count; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) {
      int32_t *sum = sums + i * HWB_TILE_COLUMNS + j;
      *sum = (int32_t)limited_sum(tile, tile->rows[i], tile->panel + 2 * j, *sum);
    }
}

void hwb_ordered_add_limited_s32__ref(int32_t *sums, int64_t count, const int32_t *addend, int32_t low, int32_t high) {
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) {
      int32_t v = sums[i * HWB_TILE_COLUMNS + j] + addend[j];
      sums[i * HWB_TILE_COLUMNS + j] = v < low ? low : v > high ? high : v;
    }
}

void hwb_ordered_extremes_s32__ref(const int32_t *sums, int64_t count, int32_t *low, int32_t *high) {
  *low = *high = sums[0];
  for (int64_t i = 1; i < count * HWB_TILE_COLUMNS; i++) {
    *low = sums[i] < *low ? sums[i] : *low;
    *high = sums[i] > *high ? sums[i] : *high;
  }
}

void hwb_ordered_bounds__ref(const int16_t *const *rows, int64_t count, int64_t k, hwb_block_bound *out) {
  for (int64_t start = 0; start < k; start += HWB_BOUND_BLOCK, out++) {
    double peak = 0, most = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) {
      double sum = 0, square = 0;
      for (int64_t j = start; j < hwb_min(k, start + HWB_BOUND_BLOCK); j++) {
        double x = fabs((double)rows[i][j]);
        peak = x > peak ? x : peak;
        sum += x;
        square += x * x;
      }
      most = sum > most ? sum : most;
      squares = square > squares ? square : squares;
    }
    hwb_block_bound bound = {peak, most, ceil(sqrt(squares))}; /* squares below 2^36: the root's error cannot reach an integer */
    *out = bound;
  }
}
