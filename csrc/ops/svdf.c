/* SVDF: products of features into a memory of past ones, then a filter over time. */
#include "rows.h"
#include <hwblocks/ops.h>
#include <string.h>

enum { TOGETHER = 8 * HWB_TILE_ROWS };

static const int64_t no_offset[1] = {0};
static size_t aligned(int64_t bytes) { return ((size_t)bytes + 63) / 64 * 64; }

size_t hwb_svdf_scratch_bytes(const hwb_svdf *svdf) {
  const hwb_svdf_numbers *n = &svdf->n;
  return aligned(TOGETHER * 2 * n->pairs * 2 + HWB_SLACK) + aligned(TOGETHER * n->filters * 2) +
         aligned((TOGETHER + HWB_TILE_ROWS) * (int64_t)sizeof(void *));
}

/* The memory of one sample moved on by one step, the newest codes last: the zero point is added to a code that was
   limited before, and wraps. */
static void moved_on(const hwb_svdf_numbers *n, const char *memory, const char *newest, char *kept) {
  size_t size = hwb_size_of(n->memory_dtype), row = (size_t)n->taps * size;
  for (int64_t f = 0; f < n->filters; f++) {
    memcpy(kept + (size_t)f * row, memory + (size_t)f * row + size, row - size);
    hwb_store(kept, n->memory_dtype, (f + 1) * n->taps - 1, hwb_load(newest, n->memory_dtype, f) + n->memory_zero);
  }
}

/* Σ over the filters of unit u and their taps. */
static int64_t unit_sum(const hwb_svdf *svdf, const void *kept, int64_t u) {
  const hwb_svdf_numbers *n = &svdf->n;
  int64_t first = u * n->rank * n->taps, sum = 0;
  for (int64_t i = first; i < first + n->rank * n->taps; i++)
    sum += (hwb_load(kept, n->memory_dtype, i) - n->memory_zero) * svdf->time[i];
  return sum;
}

static void units_out(const hwb_op *op, const void *kept, char *y, hwb_stats *stats) {
  const hwb_svdf *svdf = op->parameters;
  int64_t units = svdf->n.filters / svdf->n.rank, element = (int64_t)hwb_size_of(svdf->units.cast.n.out_dtype);
  int64_t sums[2 * HWB_TILE_COLUMNS] = {0};
  int32_t narrow[2 * HWB_TILE_COLUMNS] = {0};
  for (int64_t u = 0; u < units; u += HWB_TILE_COLUMNS) {
    int64_t width = hwb_min(HWB_TILE_COLUMNS, units - u);
    for (int64_t i = 0; i < width; i++) sums[i] = unit_sum(svdf, kept, u + i);
    for (int64_t i = 0; i < width; i++) narrow[i] = svdf->n.wide ? 0 : (int32_t)sums[i];
    hwb_block block = {.sums = svdf->n.wide ? (const void *)sums : narrow, .rows = 1, .channel = u, .width = width, .y = y + u * element};
    if (svdf->n.wide) hwb_end_s64(op->kernels, &svdf->units, &block, stats);
    else hwb_end_s32(op->kernels, &svdf->units, &block, stats);
  }
}

int hwb_svdf_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_svdf *svdf = op->parameters;
  const hwb_svdf_numbers *c = &svdf->n;
  void *const *out = y;
  int64_t inputs = 2 * c->pairs, memory = c->filters * c->taps * (int64_t)hwb_size_of(c->memory_dtype);
  int64_t x_bytes = c->inputs * (int64_t)hwb_size_of(c->x_dtype), codes = c->filters * (int64_t)hwb_size_of(c->memory_dtype);
  int64_t y_bytes = c->filters / c->rank * (int64_t)hwb_size_of(svdf->units.cast.n.out_dtype);
  int16_t *x = scratch;
  char *newest = (char *)scratch + aligned(TOGETHER * inputs * 2 + HWB_SLACK);
  const void **rows = (const void **)(void *)(newest + aligned(TOGETHER * c->filters * 2));
  hwb_rows features = {op->kernels, &svdf->newest, no_offset, HWB_SUMS_S32, 1, c->pairs, 0, 0, c->filters, c->filters, svdf->panels};
  hwb_stats uncounted = {0, 0, 0, 0, 0, NULL};
  memset(x, 0, (size_t)(TOGETHER * inputs) * 2 + HWB_SLACK);
  for (int64_t i = 0; i < TOGETHER; i++) rows[i] = x + i * inputs;
  for (int64_t s = 0; s < n; s += TOGETHER) {
    int64_t count = hwb_min(TOGETHER, n - s);
    for (int64_t i = 0; i < count; i++)
      op->kernels->widen((const char *)in[0] + (s + i) * x_bytes, c->x_dtype, c->x_zero, x + i * inputs, c->inputs);
    hwb_rows_out(&features, rows, count, newest, &uncounted);
    for (int64_t i = 0; i < count; i++) {
      char *kept = (char *)out[1] + (s + i) * memory;
      moved_on(c, (const char *)in[1] + (s + i) * memory, newest + i * codes, kept);
      units_out(op, kept, (char *)out[0] + (s + i) * y_bytes, stats);
    }
  }
  return HWB_OK;
}
