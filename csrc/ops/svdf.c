/* SVDF: products of features into a memory of past ones, then a filter over time. */
#include "rows.h"
#include <hwblocks/ops.h>
#include <string.h>

enum { TOGETHER = 8 * HWB_TILE_ROWS, NEAR = 1 << 30 };

static const int64_t no_offset[1] = {0};
static size_t aligned(int64_t bytes) { return ((size_t)bytes + 63) / 64 * 64; }

/* Where each part of the scratch memory begins; `end` is its size. */
typedef struct {
  size_t x, newest, rows, centred, end;
} layout;

static layout layout_of(const hwb_svdf_numbers *n) {
  layout at = {0, 0, 0, 0, 0};
  at.newest = at.x + aligned(TOGETHER * 2 * n->pairs * 2 + HWB_SLACK);
  at.rows = at.newest + aligned(TOGETHER * n->filters * 2);
  at.centred = at.rows + aligned((TOGETHER + HWB_TILE_ROWS) * (int64_t)sizeof(void *));
  at.end = at.centred + aligned(n->filters * n->taps * 2);
  return at;
}

size_t hwb_svdf_scratch_bytes(const void *parameters) {
  const hwb_svdf *svdf = parameters;
  return layout_of(&svdf->n).end;
}

/* The memory of one sample moved on by one step, the newest codes last: the zero point is added to a code that was
   limited before, and wraps. All rows move at once; the last place of each is then the newest code's. */
static void moved_on(const hwb_svdf_numbers *n, const char *memory, const char *newest, char *kept) {
  size_t size = hwb_size_of(n->memory_dtype);
  int64_t last = n->taps - 1;
  memcpy(kept, memory + size, (size_t)(n->filters * n->taps - 1) * size);
  if (size == 1) {
    uint8_t *code = (uint8_t *)kept + last;
    for (int64_t f = 0; f < n->filters; f++, code += n->taps)
      *code = (uint8_t)(((const uint8_t *)newest)[f] + (uint64_t)n->memory_zero);
  } else {
    uint16_t *code = (uint16_t *)(void *)kept + last;
    for (int64_t f = 0; f < n->filters; f++, code += n->taps)
      *code = (uint16_t)(((const uint16_t *)(const void *)newest)[f] + (uint64_t)n->memory_zero);
  }
}

/* The memory less its zero point in 16 bits: itself where it is so stored. */
static const int16_t *centred(const hwb_op *op, const char *kept, char *room) {
  const hwb_svdf_numbers *n = &((const hwb_svdf *)op->parameters)->n;
  if (n->memory_dtype == HWB_S16 && !n->memory_zero) return (const int16_t *)(const void *)kept;
  op->kernels->widen(kept, n->memory_dtype, n->memory_zero, (int16_t *)(void *)room, n->filters * n->taps);
  return (const int16_t *)(const void *)room;
}

/* 1 where the 32-bit cast serves the sums of a block. */
static int all_near(const hwb_svdf *svdf, const hwb_block *block) {
  if (svdf->n.reach != HWB_NEAR_TOTALS) return 1;
  const int64_t *sums = block->sums, *bias = svdf->units.cast.bias + block->channel;
  int64_t far = 0;
  for (int64_t i = 0; i < block->width; i++) far |= (sums[i] + bias[i] + NEAR) & ~(int64_t)(2 * (int64_t)NEAR - 1);
  return !far;
}

/* The extremes of whole totals, as their register holds them; the cast of their lower 32 bits counts the rest. */
static void near_out(const hwb_op *op, const hwb_block *block, const int64_t *sums, hwb_stats *stats) {
  const hwb_svdf *svdf = op->parameters;
  const hwb_cast *whole = &svdf->units.cast;
  hwb_stats counted = *stats;
  counted.level = hwb_min(stats->level, 1);
  for (int64_t i = 0; stats->level >= 2 && i < block->width; i++) {
    int64_t total = hwb_wrap(sums[i] + whole->bias[block->channel + i], whole->n.accumulator_bits);
    stats->lowest = hwb_min(stats->lowest, total);
    stats->highest = hwb_max(stats->highest, total);
  }
  hwb_end_s32(op->kernels, &svdf->near, block, &counted);
  stats->saturated = counted.saturated;
  stats->outside = counted.outside;
}

/* y[u] = cast of the sum over the filters of unit u and their taps. */
static void units_out(const hwb_op *op, const int16_t *memory, char *y, hwb_stats *stats) {
  const hwb_svdf *svdf = op->parameters;
  int64_t units = svdf->n.filters / svdf->n.rank, length = svdf->n.rank * svdf->n.taps;
  int64_t element = (int64_t)hwb_size_of(svdf->units.cast.n.out_dtype), sums[2 * HWB_TILE_COLUMNS] = {0};
  int32_t narrow[2 * HWB_TILE_COLUMNS] = {0};
  for (int64_t u = 0; u < units; u += HWB_TILE_COLUMNS) {
    hwb_block block = {.sums = sums, .rows = 1, .channel = u, .width = hwb_min(HWB_TILE_COLUMNS, units - u), .y = y + u * element};
    op->kernels->dots_s16s16_s64(memory + u * length, svdf->time + u * length, length, block.width, sums);
    if (!all_near(svdf, &block)) {
      hwb_end_s64(op->kernels, &svdf->units, &block, stats);
      continue;
    }
    for (int64_t i = 0; i < block.width; i++) narrow[i] = (int32_t)(uint32_t)(uint64_t)sums[i];
    block.sums = narrow;
    near_out(op, &block, sums, stats);
  }
}

/* Codes of x less their zero point, a row of pairs for each sample. */
static void widened(const hwb_op *op, const char *x, int64_t count, int16_t *y, const void **rows) {
  const hwb_svdf_numbers *n = &((const hwb_svdf *)op->parameters)->n;
  int64_t row = 2 * n->pairs, bytes = n->inputs * (int64_t)hwb_size_of(n->x_dtype);
  for (int64_t i = 0; i < count; i++) {
    y[(i + 1) * row - 1] = 0;
    op->kernels->widen(x + i * bytes, n->x_dtype, n->x_zero, y + i * row, n->inputs);
    rows[i] = y + i * row;
  }
}

int hwb_svdf_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_svdf *svdf = op->parameters;
  const hwb_svdf_numbers *c = &svdf->n;
  layout at = layout_of(c);
  char *room = scratch, *newest = room + at.newest, *const *out = y;
  const void **rows = (const void **)(void *)(room + at.rows);
  int64_t size = (int64_t)hwb_size_of(c->memory_dtype), memory = c->filters * c->taps * size;
  int64_t x_bytes = c->inputs * (int64_t)hwb_size_of(c->x_dtype);
  int64_t y_bytes = c->filters / c->rank * (int64_t)hwb_size_of(svdf->units.cast.n.out_dtype);
  hwb_rows features = {op->kernels, &svdf->newest, no_offset, HWB_SUMS_S32, 1, c->pairs, 0, 0, c->filters, c->filters, svdf->panels, 0};
  hwb_stats uncounted = {0, 0, 0, 0, 0, NULL};
  for (int64_t s = 0; s < n; s += TOGETHER) {
    int64_t count = hwb_min(TOGETHER, n - s);
    widened(op, (const char *)in[0] + s * x_bytes, count, (int16_t *)(void *)room, rows);
    hwb_rows_out(&features, rows, count, newest, &uncounted);
    for (int64_t i = 0; i < count; i++) {
      char *kept = out[1] + (s + i) * memory;
      moved_on(c, (const char *)in[1] + (s + i) * memory, newest + i * c->filters * size, kept);
      units_out(op, centred(op, kept, room + at.centred), out[0] + (s + i) * y_bytes, stats);
    }
  }
  return HWB_OK;
}
