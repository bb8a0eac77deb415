/* Counting of sorted thresholds, one row for all channels or one for each. */
#include <hwblocks/ops.h>

enum { TOGETHER = 64, FEW = 16 }; /* elements counted at a time; levels up to which every threshold is looked at */

static void loaded(const void *x, int64_t dtype, int64_t first, int64_t width, int32_t *out) {
  for (int64_t i = 0; i < width; i++) out[i] = (int32_t)hwb_load(x, dtype, first + i);
}

/* How many of `levels` sorted thresholds x has reached. */
static int32_t searched(const int32_t *thresholds, int64_t levels, int32_t x) {
  int64_t first = 0;
  for (int64_t left = levels; left > 0;) {
    int64_t half = left / 2, reached = thresholds[first + half] <= x;
    first = reached ? first + half + 1 : first;
    left = reached ? left - half - 1 : half;
  }
  return (int32_t)first;
}

/* Few levels: threshold by threshold over neighbouring channels, from `by_level` [levels, rows]. */
static void counted(const hwb_threshold *p, const int32_t *x, int64_t channel, int64_t width, int32_t *count) {
  for (int64_t i = 0; i < width; i++) count[i] = 0;
  for (int64_t l = 0; l < p->n.levels; l++) {
    const int32_t *level = p->by_level + l * p->n.rows + (p->n.rows > 1 ? channel : 0);
    if (p->n.rows > 1)
      for (int64_t i = 0; i < width; i++) count[i] += x[i] >= level[i];
    else
      for (int64_t i = 0; i < width; i++) count[i] += x[i] >= level[0];
  }
}

static void counts_of(const hwb_threshold *p, const int32_t *x, int64_t channel, int64_t width, int32_t *count) {
  if (p->n.levels <= FEW) counted(p, x, channel, width, count);
  else
    for (int64_t i = 0; i < width; i++)
      count[i] = searched(p->thresholds + (p->n.rows > 1 ? channel + i : 0) * p->n.levels, p->n.levels, x[i]);
  if (p->flipped)
    for (int64_t i = 0; i < width; i++)
      if (p->flipped[channel + i]) count[i] = (int32_t)p->n.levels - count[i];
}

int hwb_threshold_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_threshold *p = op->parameters;
  int64_t channels = p->n.channels, total = n * p->n.count;
  int32_t x[TOGETHER], count[TOGETHER];
  (void)scratch;
  (void)stats;
  for (int64_t start = 0; start < total; start += channels)
    for (int64_t c = 0; c < channels; c += TOGETHER) {
      int64_t width = hwb_min(TOGETHER, channels - c);
      loaded(in[0], p->n.x_dtype, start + c, width, x);
      counts_of(p, x, c, width, count);
      for (int64_t i = 0; i < width; i++) hwb_store(y, p->n.out_dtype, start + c + i, p->codes[count[i]]);
    }
  return HWB_OK;
}
