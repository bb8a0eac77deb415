/* The ordered op of two run-time operands: each b is packed as weights are for constant ones, a's rows are its windows. */
#include "ordered.h"
#include <math.h>
#include <string.h>

/* Where the parts of the scratch memory begin, in bytes. */
typedef struct {
  size_t rows, bounds, words, weights, panels, skewed, together, w_bounds, wide, narrow, end;
} parts;

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

static int64_t constants_of(const hwb_ordered_numbers *n) { return n->out_channels + HWB_TILE_COLUMNS; }
static int64_t pairs_of(const hwb_ordered_numbers *n) { return (n->run + 1) / 2; }
static int64_t wide_panels(const hwb_ordered_numbers *n) { return (hwb_panels_of(n) + 1) / 2; }
static int64_t total_parts(const hwb_ordered_numbers *n) { return n->run / HWB_TOTAL_STEPS + 1; }

static parts parts_of(const hwb_ordered_numbers *n) {
  int64_t k = n->run, rows = hwb_rows_together(k), panels = hwb_panels_of(n), skewed = n->kind == HWB_SAT16;
  parts p;
  p.rows = aligned((size_t)(rows * hwb_row_stride(k) + HWB_SLACK) * sizeof(int16_t));
  p.bounds = p.rows + aligned((size_t)(rows + HWB_ORDERED_ROWS) * sizeof(int16_t *));
  p.words = p.bounds + aligned((size_t)(rows / HWB_ORDERED_ROWS * hwb_blocks_of(k)) * sizeof(hwb_block_bound));
  p.weights = p.words + aligned((size_t)hwb_min(n->a.group, hwb_max(k, 1)) * sizeof(hwb_int128));
  p.panels = p.weights + aligned((size_t)(n->out_channels * k) * sizeof(int16_t));
  p.skewed = p.panels + aligned((size_t)(panels * pairs_of(n) * 2 * HWB_TILE_COLUMNS) * sizeof(int16_t));
  p.together = p.skewed + aligned((size_t)(skewed * wide_panels(n) * (k + 1) * HWB_SKEW_COLUMNS) * sizeof(int16_t));
  p.w_bounds = p.together + aligned((size_t)(wide_panels(n) * total_parts(n)));
  p.wide = p.w_bounds + aligned((size_t)(panels * hwb_blocks_of(k)) * sizeof(hwb_block_bound));
  p.narrow = p.wide + 2 * aligned((size_t)constants_of(n) * sizeof(int64_t));
  p.end = p.narrow + 2 * aligned((size_t)constants_of(n) * sizeof(int32_t));
  return p;
}

size_t hwb_ordered_matmul_scratch_bytes(const void *parameters) {
  const hwb_ordered_matmul *matmul = parameters;
  return parts_of(&matmul->n.sums).end;
}

/* The arrays of packed weights in the scratch memory; constants are zero until corrections are known. */
typedef struct {
  int16_t *weights, *panels, *skewed;
  hwb_block_bound *bounds;
  int64_t *correction;
  int32_t *correction32;
} packed;

static packed arrays_of(const hwb_ordered_matmul *matmul, const parts *p, char *scratch, int64_t *unsafe, hwb_ordered *o) {
  const hwb_ordered_numbers *n = &matmul->n.sums;
  size_t wide = aligned((size_t)constants_of(n) * sizeof(int64_t)), narrow = aligned((size_t)constants_of(n) * sizeof(int32_t));
  packed made = {(int16_t *)(void *)(scratch + p->weights), (int16_t *)(void *)(scratch + p->panels),
                 (int16_t *)(void *)(scratch + p->skewed), (hwb_block_bound *)(void *)(scratch + p->w_bounds),
                 (int64_t *)(void *)(scratch + p->wide), (int32_t *)(void *)(scratch + p->narrow)};
  memset(scratch + p->panels, 0, p->end - p->panels);
  *unsafe = n->out_channels;
  memset(o, 0, sizeof *o);
  o->n = *n;
  o->ends = matmul->ends;
  o->weights = made.weights;
  o->panels = made.panels;
  o->skewed = made.skewed;
  o->bounds = made.bounds;
  o->correction = made.correction;
  o->bias = (const int64_t *)(const void *)(scratch + p->wide + wide);
  o->correction32 = o->addend32 = made.correction32;
  o->bias32 = (const int32_t *)(const void *)(scratch + p->narrow + narrow);
  int full = n->low == INT16_MIN && n->high == INT16_MAX && !n->wide_totals;
  o->together = full ? (const uint8_t *)(scratch + p->together) : NULL; /* zeros: no two products are taken as one */
  o->unsafe = unsafe;
  return made;
}

static void widen_bound(hwb_block_bound *bound, double peak, double sum, double squares) {
  double norm = ceil(sqrt(squares)); /* below 2^36: the root's error cannot reach an integer */
  bound->peak = peak > bound->peak ? peak : bound->peak;
  bound->sum = sum > bound->sum ? sum : bound->sum;
  bound->norm = norm > bound->norm ? norm : bound->norm;
}

/* Column j of b in all its places. */
static void pack_column(const hwb_ordered_numbers *n, const packed *to, int64_t j, int64_t a_zero) {
  int64_t k = n->run, blocks = hwb_blocks_of(k), total = 0;
  const int16_t *w = to->weights + j * k;
  int16_t *panel = to->panels + j / HWB_TILE_COLUMNS * pairs_of(n) * 2 * HWB_TILE_COLUMNS + 2 * (j % HWB_TILE_COLUMNS);
  int16_t *skewed = to->skewed + (j / HWB_SKEW_COLUMNS * (k + 1) + 1 - j % 2) * HWB_SKEW_COLUMNS + j % HWB_SKEW_COLUMNS;
  for (int64_t start = 0; start < k; start += HWB_BOUND_BLOCK) {
    double peak = 0, sum = 0, squares = 0;
    for (int64_t i = start; i < hwb_min(k, start + HWB_BOUND_BLOCK); i++) {
      double size = fabs((double)w[i]);
      panel[i / 2 * 2 * HWB_TILE_COLUMNS + i % 2] = w[i];
      if (n->kind == HWB_SAT16) skewed[i * HWB_SKEW_COLUMNS] = w[i];
      peak = size > peak ? size : peak;
      sum += size;
      squares += size * size;
      total += w[i];
    }
    widen_bound(to->bounds + j / HWB_TILE_COLUMNS * blocks + start / HWB_BOUND_BLOCK, peak, sum, squares);
  }
  if (!n->a.has_correction) return;
  to->correction[j] = -a_zero * total;
  to->correction32[j] = (int32_t)hwb_max(INT32_MIN, hwb_min(INT32_MAX, to->correction[j]));
}

/* b [k][n] less its zero point as weights [n][k], panels and bounds. */
static void pack(const hwb_ordered_matmul_numbers *c, const void *b, const packed *to) {
  const hwb_ordered_numbers *n = &c->sums;
  for (int64_t k = 0; k < n->run; k++)
    for (int64_t j = 0; j < n->out_channels; j++)
      to->weights[j * n->run + k] = (int16_t)(hwb_load(b, c->b_dtype, k * n->out_channels + j) - c->b_zero);
  memset(to->bounds, 0, (size_t)(hwb_panels_of(n) * hwb_blocks_of(n->run)) * sizeof *to->bounds);
  for (int64_t j = 0; j < n->out_channels; j++) pack_column(n, to, j, c->a_zero);
}

/* Rows of one a in blocks. position: of its first row, over all samples. */
static void run_rows(const hwb_op *op, const hwb_ordered *o, const char *a, int64_t count, int64_t position, char *y,
                     const parts *p, char *scratch, hwb_stats *stats) {
  const hwb_ordered_numbers *n = &o->n;
  int16_t *data = (int16_t *)(void *)scratch;
  const int16_t **rows = (const int16_t **)(void *)(scratch + p->rows);
  int64_t k = n->run, stride = hwb_row_stride(k), together = hwb_rows_together(k), size = (int64_t)hwb_size_of(n->x_dtype);
  int64_t pixel = n->out_channels * (int64_t)hwb_size_of(o->ends.cast.n.out_dtype);
  for (int64_t first = 0; first < count; first += together) {
    int64_t some = hwb_min(together, count - first);
    for (int64_t i = 0; i < some + HWB_ORDERED_ROWS - 1; i++) rows[i] = data + (i < some ? i : 0) * stride + 1;
    for (int64_t i = 0; i < some; i++)
      op->kernels->widen(a + (first + i) * k * size, n->x_dtype, n->x_zero, data + i * stride + 1, k);
    hwb_ordered_block b = {op, o, rows, some, 0, position + first, y + first * pixel,
                           (hwb_block_bound *)(void *)(scratch + p->bounds), scratch + p->words, stats};
    hwb_ordered_bounded_out(&b);
  }
}

int hwb_ordered_matmul_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_ordered_matmul *matmul = op->parameters;
  const hwb_ordered_matmul_numbers *c = &matmul->n;
  const hwb_ordered_numbers *s = &c->sums;
  parts p = parts_of(s);
  hwb_ordered o;
  int64_t unsafe, a_bytes = c->m * s->run * (int64_t)hwb_size_of(s->x_dtype);
  int64_t b_bytes = s->run * s->out_channels * (int64_t)hwb_size_of(c->b_dtype);
  int64_t y_bytes = c->m * s->out_channels * (int64_t)hwb_size_of(matmul->ends.cast.n.out_dtype);
  packed to = arrays_of(matmul, &p, scratch, &unsafe, &o);
  memset(scratch, 0, p.rows);
  if (stats->channels) hwb_clear_counts(stats->channels, s->out_channels);
  for (int64_t i = 0; i < n * c->batch; i++) {
    int64_t which = c->b_batch == 1 ? i / c->batch : i;
    if (c->b_batch != 1 || i % c->batch == 0) pack(c, (const char *)in[1] + which * b_bytes, &to);
    run_rows(op, &o, (const char *)in[0] + i * a_bytes, c->m, i * c->m, (char *)y + i * y_bytes, &p, scratch, stats);
  }
  return HWB_OK;
}
