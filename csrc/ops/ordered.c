/* The ordered op: windows gathered into rows of K inputs in the register's order, then tiles over blocks of rows. */
#include "ordered.h"
#include <string.h>

enum { BLOCK_BYTES = 192 * 1024, MOST_ROWS = 240, FOLLOWED = 3 };

/* Where the parts of the scratch memory begin, in bytes. */
typedef struct {
  size_t data, rows, bounds, words, end;
} parts;

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

static int64_t plane_elements(const hwb_ordered_numbers *n) { return n->padded_height * n->padded_width * n->channels; }

int64_t hwb_rows_together(int64_t k) {
  int64_t fit = BLOCK_BYTES / (2 * hwb_row_stride(k)) / HWB_ORDERED_ROWS * HWB_ORDERED_ROWS;
  return hwb_min(MOST_ROWS, hwb_max(HWB_ORDERED_ROWS, fit));
}

static parts parts_of(const hwb_ordered_numbers *n) {
  int64_t k = n->taps * n->run, rows = hwb_rows_together(k);
  parts p;
  p.data = aligned((size_t)(plane_elements(n) + HWB_SLACK) * sizeof(int16_t));
  p.rows = p.data + aligned((size_t)(rows * hwb_row_stride(k) + HWB_SLACK) * sizeof(int16_t));
  p.bounds = p.rows + aligned((size_t)(rows + HWB_ORDERED_ROWS) * sizeof(int16_t *));
  p.words = p.bounds + aligned((size_t)(rows / HWB_ORDERED_ROWS * hwb_blocks_of(k)) * sizeof(hwb_block_bound));
  p.end = p.words + aligned((size_t)hwb_min(n->a.group, hwb_max(k, 1)) * sizeof(hwb_int128));
  return p;
}

size_t hwb_ordered_scratch_bytes(const void *parameters) {
  const hwb_ordered *ordered = parameters;
  return parts_of(&ordered->n).end;
}

/* One sample into the runs of its placement, padding everywhere else. */
static void place_sample(const hwb_ordered *o, const hwb_kernels *k, const char *x, int16_t *plane) {
  const hwb_ordered_numbers *n = &o->n;
  const int64_t *run = o->placement.runs;
  for (int64_t i = 0; i < plane_elements(n); i++) plane[i] = (int16_t)n->pad_value;
  for (int64_t i = 0; i < n->places; i++, run += 3)
    k->widen(x + run[1] * (int64_t)hwb_size_of(n->x_dtype), n->x_dtype, n->x_zero, plane + run[0], run[2]);
}

/* One sample [H, W, C] into its padded plane. */
void hwb_ordered_widen(const hwb_ordered *o, const hwb_kernels *k, const char *x, int16_t *plane) {
  const hwb_ordered_numbers *n = &o->n;
  if (o->placement.starts) {
    place_sample(o, k, x, plane);
    return;
  }
  int64_t row = n->padded_width * n->channels, count = n->width * n->channels;
  int64_t row_bytes = count * (int64_t)hwb_size_of(n->x_dtype);
  if (n->padded_width != n->width || n->padded_height != n->height)
    for (int64_t i = 0; i < n->padded_height * row; i++) plane[i] = (int16_t)n->pad_value;
  for (int64_t h = 0; h < hwb_min(n->height, n->padded_height - n->pad_top); h++)
    k->widen(x + h * row_bytes, n->x_dtype, n->x_zero, plane + (h + n->pad_top) * row + n->pad_left * n->channels, count);
}

/* The K inputs of one window. */
static void gather_row(const hwb_ordered *o, const int16_t *window, int16_t *row) {
  int64_t run = o->n.run, k = o->n.taps * run;
  if (o->source) {
    for (int64_t i = 0; i < k; i++) row[i] = window[o->source[i]];
    return;
  }
  for (int64_t t = 0; t < o->n.taps; t++) memcpy(row + t * run, window + o->offsets[t], (size_t)run * sizeof *row);
}

/* The state of a run: which sample its plane holds. */
typedef struct {
  const hwb_op *op;
  const hwb_ordered *o;
  const char *x;
  int16_t *plane, *data;
  int64_t sample;
} gathering;

/* Window of output position m, counted over all samples. */
static const int16_t *window_of(gathering *g, int64_t m) {
  const hwb_ordered_numbers *n = &g->o->n;
  int64_t size = n->out_height * n->out_width, sample = m / size, at = m % size;
  if (sample != g->sample) {
    int64_t bytes = n->height * n->width * n->channels * (int64_t)hwb_size_of(n->x_dtype);
    hwb_ordered_widen(g->o, g->op->kernels, g->x + sample * bytes, g->plane);
    g->sample = sample;
  }
  return g->plane + hwb_window_start(g->o, at);
}

/* Rows of `count` positions from `first` on; pointers beyond them, up to a whole tile, repeat the first. */
static void gather(gathering *g, int64_t first, int64_t count, int64_t group, const int16_t **rows) {
  const hwb_ordered_numbers *n = &g->o->n;
  int64_t stride = hwb_row_stride(n->taps * n->run), shift = group * (n->channels / n->groups);
  for (int64_t i = 0; i < count; i++) {
    int16_t *row = g->data + i * stride + 1;
    gather_row(g->o, window_of(g, first + i) + shift, row);
    rows[i] = row;
  }
  for (int64_t i = count; i < count + HWB_ORDERED_ROWS - 1; i++) rows[i] = rows[0];
}

static void find_bounds(const hwb_ordered_block *b) {
  int64_t k = b->o->n.taps * b->o->n.run;
  for (int64_t m = 0; m < b->count; m += HWB_ORDERED_ROWS)
    b->op->kernels->ordered.bounds(b->rows + m, hwb_min(HWB_ORDERED_ROWS, b->count - m), k,
                                   b->bounds + m / HWB_ORDERED_ROWS * hwb_blocks_of(k));
}

void hwb_clear_counts(hwb_channel_counts *c, int64_t channels) {
  for (int64_t i = 0; i < channels; i++) {
    memset(c + i, 0, sizeof *c);
    c[i].sample = c[i].element = c[i].step = -1;
  }
}

/* One where bounds of the inputs are asked for. */
static int uses_bounds(const hwb_ordered *o, const hwb_stats *stats) {
  int64_t kind = o->n.kind;
  if (stats->level >= FOLLOWED || !o->bounds) return 0;
  return kind == HWB_LIMITED || kind == HWB_PROBED || (kind == HWB_SAT16 && stats->level);
}

void hwb_ordered_bounded_out(const hwb_ordered_block *b) {
  if (uses_bounds(b->o, b->stats)) find_bounds(b);
  hwb_ordered_block_out(b);
}

static void run_blocks(gathering *g, const parts *p, char *scratch, char *y, int64_t total, hwb_stats *stats) {
  const hwb_ordered_numbers *n = &g->o->n;
  const int16_t **rows = (const int16_t **)(void *)(scratch + p->rows);
  int64_t plane = n->out_height * n->out_width, together = hwb_rows_together(n->taps * n->run);
  int64_t pixel = n->out_channels * (int64_t)hwb_size_of(g->o->ends.cast.n.out_dtype);
  for (int64_t first = 0, count; first < total; first += count) {
    count = hwb_min(together, total - first);
    if (n->groups > 1) count = hwb_min(count, plane - first % plane); /* each group would widen each sample again */
    for (int64_t group = 0; group < n->groups; group++) {
      gather(g, first, count, group, rows);
      hwb_ordered_block b = {g->op, g->o, rows, count, group, first, y + first * pixel,
                             (hwb_block_bound *)(void *)(scratch + p->bounds), scratch + p->words, stats};
      hwb_ordered_bounded_out(&b);
    }
  }
}

int hwb_ordered_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_ordered *o = op->parameters;
  parts p = parts_of(&o->n);
  int64_t plane = plane_elements(&o->n);
  gathering g = {op, o, in[0], scratch, (int16_t *)(void *)((char *)scratch + p.data), -1};
  memset(g.plane + plane, 0, HWB_SLACK * sizeof(int16_t));
  memset(g.data, 0, p.rows - p.data);
  if (stats->channels) hwb_clear_counts(stats->channels, o->n.out_channels);
  if (hwb_ordered_is_depthwise(o) && stats->level < FOLLOWED) {
    hwb_ordered_depthwise(op, in[0], y, n, g.plane, g.data, (char *)scratch + p.words, stats);
    return HWB_OK;
  }
  run_blocks(&g, &p, scratch, y, n * o->n.out_height * o->n.out_width, stats);
  return HWB_OK;
}
