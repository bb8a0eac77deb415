/* Counting of thresholds against plain counting, at vector widths and the ends of the types. */
#include "check.h"

static int by_value(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

static void check_one(const hwb_kernels *k, int64_t dtype, int64_t channels, int64_t levels, int each, int flips) {
  int64_t pixels = draw(1, 3), n = draw(1, 2), count = pixels * channels, rows = each ? channels : 1;
  int64_t low = dtype == HWB_S8 ? INT8_MIN : dtype == HWB_S16 ? INT16_MIN : INT32_MIN, high = -(low + 1);
  void *x = exact((size_t)(n * count) * hwb_size_of(dtype));
  int8_t *y = exact((size_t)(n * count));
  int32_t *thresholds = exact((size_t)(rows * levels) * 4), *by_level = exact((size_t)(rows * levels) * 4);
  int32_t *flipped = flips ? exact((size_t)channels * 4) : NULL;
  int64_t *codes = exact((size_t)(levels + 1) * 8);
  for (int64_t i = 0; i < n * count; i++) hwb_store(x, dtype, i, draw(0, 9) ? draw(low, high) : draw(0, 1) ? low : high);
  for (int64_t i = 0; i < rows * levels; i++) thresholds[i] = (int32_t)draw(low, high);
  for (int64_t r = 0; r < rows; r++) qsort(thresholds + r * levels, (size_t)levels, 4, by_value);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t l = 0; l < levels; l++) by_level[l * rows + r] = thresholds[r * levels + l];
  for (int64_t c = 0; flips && c < channels; c++) flipped[c] = (int32_t)draw(0, 1);
  for (int64_t l = 0; l <= levels; l++) codes[l] = draw(-128, 127);
  hwb_threshold p = {{dtype, HWB_S8, count, channels, rows, levels}, thresholds, by_level, flipped, codes};
  hwb_op op = {hwb_threshold_run, k, &p, 0};
  hwb_stats stats = fresh(0);
  const void *in[1] = {x};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < n * count; i++) {
    int64_t channel = i % channels, reached = 0;
    for (int64_t l = 0; l < levels; l++) reached += hwb_load(x, dtype, i) >= thresholds[(each ? channel : 0) * levels + l];
    if (flips && flipped[channel]) reached = levels - reached;
    expect_equal(y[i], codes[reached], "threshold", k->name);
  }
  free(x), free(y), free(thresholds), free(by_level), free(flipped), free(codes);
}

static void check(const hwb_kernels *k) {
  const int64_t widths[] = {1, 7, 63, 64, 65, 130}, levels[] = {1, 3, 16, 17, 255}, types[] = {HWB_S8, HWB_S16, HWB_S32};
  for (int w = 0; w < 6; w++)
    for (int l = 0; l < 5; l++)
      for (int t = 0; t < 3; t++)
        for (int mode = 0; mode < 4; mode++) check_one(k, types[t], widths[w], levels[l], mode & 1, mode >> 1);
}

int main(void) { return on_every_isa(check); }
