/* Depthwise convolution: for each output row and 16 channels, input rows laid side by side as columns, then sums over
   them for a few output positions at a time. */
#include <hwblocks/ops.h>
#include <string.h>

enum { POSITIONS = 4 * HWB_TILE_ROWS }; /* output positions summed before they are cast together */

/* Where each part of the scratch memory begins; `end` is its size. */
typedef struct {
  size_t padding, columns, sample, end;
} layout;

static int64_t rows_of(const hwb_depthwise_numbers *n) { return n->sums == HWB_SUMS_BYTES ? 4 : 2; }
static size_t aligned(int64_t bytes) { return ((size_t)bytes + 63) / 64 * 64; }

/* Columns that `shared` output rows read, and how many output rows are laid out together: whole groups of them. */
static int64_t group_bytes(const hwb_depthwise_numbers *n) { return n->sets * n->padded_width * HWB_COLUMN_BYTES; }
static int64_t rows_together(const hwb_depthwise_numbers *n) {
  return hwb_max(1, hwb_min(n->out_height, POSITIONS / n->out_width) / n->shared) * n->shared;
}
static int64_t laid_out_bytes(const hwb_depthwise_numbers *n) { return rows_together(n) / n->shared * group_bytes(n); }

static layout layout_of(const hwb_depthwise_numbers *n) {
  layout at = {0, 0, 0, 0};
  at.columns = at.padding + 64;
  at.sample = at.columns + aligned(laid_out_bytes(n));
  int64_t repeated = n->multiplier > 1 ? n->height * n->width * n->channels * n->multiplier * 2 : 0;
  at.end = at.sample + aligned(repeated) + 64;
  return at;
}

size_t hwb_depthwise_scratch_bytes(const hwb_depthwise *depthwise) { return layout_of(&depthwise->n).end; }

/* Each channel once for every output that reads it. */
static void repeat_channels(const hwb_depthwise_numbers *n, const void *x, void *y) {
  int64_t count = n->height * n->width * n->channels;
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < n->multiplier; j++) hwb_store(y, n->x_dtype, i * n->multiplier + j, hwb_load(x, n->x_dtype, i));
}

/* Pixels as columns from column `first` on. */
static void columns_out(const hwb_op *op, const hwb_side_by_side *from, char *columns, int64_t first) {
  const hwb_depthwise *d = op->parameters;
  char *at = columns + first * HWB_COLUMN_BYTES;
  if (d->n.sums == HWB_SUMS_BYTES) op->kernels->columns_u8(from, (uint8_t *)at, HWB_COLUMN_BYTES);
  else op->kernels->columns_s16(from, d->n.x_zero, (int16_t *)(void *)at, HWB_COLUMN_BYTES / 2);
}

/* All columns as padding; those left and right of the input stay so. */
static void blank_columns(const hwb_op *op, char *padding, char *columns) {
  const hwb_depthwise_numbers *n = &((const hwb_depthwise *)op->parameters)->n;
  for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) hwb_store(padding, n->x_dtype, j, n->pad_code);
  hwb_side_by_side blank = {{padding, padding, padding, padding}, {0, 0, 0, 0}, n->x_dtype,
                            laid_out_bytes(n) / HWB_COLUMN_BYTES, HWB_TILE_COLUMNS};
  columns_out(op, &blank, columns, 0);
}

/* Columns of set `set` of input rows for output row h and those that share them; rows outside the input are padding. */
static void lay_out_set(const hwb_op *op, const char *x, int64_t h, int64_t c, int64_t set, const char *padding,
                        char *columns) {
  const hwb_depthwise_numbers *n = &((const hwb_depthwise *)op->parameters)->n;
  int64_t channels = n->channels * n->multiplier, size = (int64_t)hwb_size_of(n->x_dtype);
  hwb_side_by_side from = {{padding, padding, padding, padding}, {0, 0, 0, 0}, n->x_dtype,
                           hwb_min(n->width, n->padded_width - n->pad_left), hwb_min(HWB_TILE_COLUMNS, channels - c)};
  for (int64_t r = 0; r < rows_of(n); r++) {
    int64_t tap = set * rows_of(n) + r, row = h * n->stride_h - n->pad_top + tap * n->dilation_h;
    if (tap >= n->kernel_h + n->shared - 1 || row < 0 || row >= n->height) continue;
    from.x[r] = x + (row * n->width * channels + c) * size;
    from.step[r] = channels;
  }
  columns_out(op, &from, columns, n->pad_left);
}

/* Sums in 64 bits, by plain loops over the columns. */
static void wide_sums(const hwb_columns *c, int64_t *sums) {
  memset(sums, 0, sizeof *sums * (size_t)c->count * HWB_TILE_COLUMNS);
  for (int64_t i = 0; i < c->count; i++)
    for (int64_t t = 0; t < c->terms; t++) {
      const int16_t *x = (const int16_t *)(const void *)((const char *)c->columns + i * c->step + c->offsets[t]);
      const int16_t *w = (const int16_t *)c->weights + t * 2 * HWB_TILE_COLUMNS;
      for (int64_t j = 0; j < 2 * HWB_TILE_COLUMNS; j++) sums[i * HWB_TILE_COLUMNS + j / 2] += (int64_t)x[j] * w[j];
    }
}

/* Sums of `count` positions of the `which`-th output row that shares the columns, 32 or 64 bits each. */
static void row_sums(const hwb_op *op, const char *columns, int64_t c, int64_t which, int64_t count, void *sums) {
  const hwb_depthwise *d = op->parameters;
  const hwb_depthwise_numbers *n = &d->n;
  int64_t terms = n->sets * n->kernel_w, step = n->stride_w * HWB_COLUMN_BYTES;
  int64_t blocks = (n->channels * n->multiplier + HWB_TILE_COLUMNS - 1) / HWB_TILE_COLUMNS;
  const char *weights = (const char *)d->weights + (which * blocks + c / HWB_TILE_COLUMNS) * terms * HWB_COLUMN_BYTES;
  hwb_columns some = {columns, step, count, d->offsets, terms, weights};
  if (n->sums == HWB_SUMS_S64) wide_sums(&some, sums);
  else if (n->sums == HWB_SUMS_BYTES) op->kernels->depthwise_u8s8_s32(&some, sums);
  else op->kernels->depthwise_s16s16_s32(&some, sums);
}

static void cast_out(const hwb_op *op, const void *sums, int64_t count, int64_t c, char *y, hwb_stats *stats) {
  const hwb_depthwise *d = op->parameters;
  int64_t channels = d->n.channels * d->n.multiplier, element = (int64_t)hwb_size_of(d->ends.cast.n.out_dtype);
  hwb_block block = {sums, HWB_TILE_COLUMNS, count, c, hwb_min(HWB_TILE_COLUMNS, channels - c), y, channels * element};
  if (d->n.sums == HWB_SUMS_S64) hwb_end_s64(op->kernels, &d->ends, &block, stats);
  else hwb_end_s32(op->kernels, &d->ends, &block, stats);
}

/* `rows` output rows for 16 channels: narrow ones are cast together, wide ones in parts of POSITIONS or fewer. */
static void rows_out(const hwb_op *op, const char *columns, int64_t rows, int64_t c, char *y, hwb_stats *stats) {
  const hwb_depthwise *d = op->parameters;
  const hwb_depthwise_numbers *n = &d->n;
  int64_t pixel = n->channels * n->multiplier * (int64_t)hwb_size_of(d->ends.cast.n.out_dtype);
  int64_t sums[POSITIONS * HWB_TILE_COLUMNS + HWB_TILE_COLUMNS]; /* or twice as many of 32 bits */
  int64_t bytes = HWB_TILE_COLUMNS * (n->sums == HWB_SUMS_S64 ? 8 : 4), waiting = 0;
  for (int64_t h = 0; h < rows; h++)
    for (int64_t w = 0, part; w < n->out_width; w += part) {
      const char *from = columns + h / n->shared * group_bytes(n) + w * n->stride_w * HWB_COLUMN_BYTES;
      part = hwb_min(POSITIONS - waiting, n->out_width - w);
      row_sums(op, from, c, h % n->shared, part, (char *)sums + waiting * bytes);
      waiting += part;
      int64_t past = h * n->out_width + w + part;
      if (waiting < POSITIONS && past < rows * n->out_width) continue;
      cast_out(op, sums, waiting, c, y + (past - waiting) * pixel, stats);
      waiting = 0;
    }
}

static void sample_out(const hwb_op *op, const char *x, char *y, char *scratch, hwb_stats *stats) {
  const hwb_depthwise *d = op->parameters;
  const hwb_depthwise_numbers *n = &d->n;
  layout at = layout_of(n);
  int64_t channels = n->channels * n->multiplier, element = (int64_t)hwb_size_of(d->ends.cast.n.out_dtype);
  int64_t together = rows_together(n);
  char *columns = scratch + at.columns;
  for (int64_t h = 0; h < n->out_height; h += together)
    for (int64_t c = 0; c < channels; c += HWB_TILE_COLUMNS) {
      int64_t rows = hwb_min(together, n->out_height - h);
      for (int64_t i = 0; i < (rows + n->shared - 1) / n->shared * n->sets; i++)
        lay_out_set(op, x, h + i / n->sets * n->shared, c, i % n->sets, scratch + at.padding,
                    columns + i * n->padded_width * HWB_COLUMN_BYTES);
      rows_out(op, columns, rows, c, y + (h * n->out_width * channels + c) * element, stats);
    }
}

int hwb_depthwise_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_depthwise *d = op->parameters;
  const hwb_depthwise_numbers *c = &d->n;
  layout at = layout_of(c);
  int64_t x_bytes = c->height * c->width * c->channels * (int64_t)hwb_size_of(c->x_dtype);
  int64_t y_bytes = c->out_height * c->out_width * c->channels * c->multiplier * (int64_t)hwb_size_of(d->ends.cast.n.out_dtype);
  blank_columns(op, (char *)scratch + at.padding, (char *)scratch + at.columns);
  for (int64_t s = 0; s < n; s++) {
    const char *x = (const char *)in[0] + s * x_bytes;
    if (c->multiplier > 1) repeat_channels(c, x, (char *)scratch + at.sample);
    sample_out(op, c->multiplier > 1 ? (const char *)scratch + at.sample : x, (char *)y + s * y_bytes, scratch, stats);
  }
  return HWB_OK;
}
