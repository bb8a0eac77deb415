/* Depthwise convolution: for 16 channels at a time input rows are laid side by side as columns, in sets that output rows
   share as long as they can; sums over them are cast for a few output positions together. */
#include <hwblocks/ops.h>
#include <string.h>

enum { POSITIONS = 4 * HWB_TILE_ROWS }; /* output positions summed before they are cast together */
enum { BAND_BYTES = 24 * 1024, LONG_BAND_BYTES = 96 * 1024 };

/* Where each part of the scratch memory begins; `end` is its size. */
typedef struct {
  size_t padding, columns, sample, end;
} layout;

static int64_t rows_of(const hwb_depthwise_numbers *n) { return n->sums == HWB_SUMS_BYTES ? 4 : 2; }
static size_t aligned(int64_t bytes) { return ((size_t)bytes + 63) / 64 * 64; }

/* Columns of all sets that a group of `shared` output rows reads. */
static int64_t group_bytes(const hwb_depthwise_numbers *n) { return n->sets * n->padded_width * HWB_COLUMN_BYTES; }

/* Output rows of all channels before the next ones: a band of the input that stays in the first-level cache; or in the
   second, where rows follow each other in the ring of sets. */
static int64_t rows_of_band(const hwb_depthwise_numbers *n) {
  int64_t row = n->width * n->channels * n->multiplier * n->stride_h * (int64_t)hwb_size_of(n->x_dtype);
  int64_t bytes = n->moved < n->sets ? LONG_BAND_BYTES : BAND_BYTES;
  return hwb_max(1, bytes / hwb_max(1, row) / n->shared) * n->shared;
}

static layout layout_of(const hwb_depthwise_numbers *n) {
  layout at = {0, 0, 0, 0};
  at.columns = at.padding + 64;
  at.sample = at.columns + aligned(group_bytes(n));
  int64_t repeated = n->multiplier > 1 ? n->height * n->width * n->channels * n->multiplier * 2 : 0;
  at.end = at.sample + aligned(repeated) + 64;
  return at;
}

size_t hwb_depthwise_scratch_bytes(const void *parameters) {
  const hwb_depthwise *depthwise = parameters;
  return layout_of(&depthwise->n).end;
}

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
  else op->kernels->columns_s16(from, (int16_t *)(void *)at, HWB_COLUMN_BYTES / 2);
}

/* All columns as padding; those left and right of the input stay so. */
static void blank_columns(const hwb_op *op, char *padding, char *columns) {
  const hwb_depthwise_numbers *n = &((const hwb_depthwise *)op->parameters)->n;
  for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) hwb_store(padding, n->x_dtype, j, n->pad_code);
  hwb_side_by_side blank = {{padding, padding, padding, padding}, {0, 0, 0, 0}, n->x_dtype,
                            group_bytes(n) / HWB_COLUMN_BYTES, HWB_TILE_COLUMNS};
  columns_out(op, &blank, columns, 0);
}

/* Columns of set `set` of the input rows from output row h on. Padding stands for rows outside the input, and for those
   that no kernel row of this group reads unless the next group may. */
static void lay_out_set(const hwb_op *op, const char *x, int64_t h, int64_t c, int64_t set, const char *padding,
                        char *columns) {
  const hwb_depthwise_numbers *n = &((const hwb_depthwise *)op->parameters)->n;
  int64_t channels = n->channels * n->multiplier, size = (int64_t)hwb_size_of(n->x_dtype);
  hwb_side_by_side from = {{padding, padding, padding, padding}, {0, 0, 0, 0}, n->x_dtype,
                           hwb_min(n->width, n->padded_width - n->pad_left), hwb_min(HWB_TILE_COLUMNS, channels - c)};
  for (int64_t r = 0; r < rows_of(n); r++) {
    int64_t tap = set * rows_of(n) + r, row = h * n->stride_h - n->pad_top + tap * n->dilation_h;
    int unread = n->moved == n->sets && tap >= n->kernel_h + n->shared - 1;
    if (unread || row < 0 || row >= n->height) continue;
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

/* Sums of 16 channels that wait to be cast, and where their codes go; positions follow each other row by row. */
typedef struct {
  const hwb_op *op;
  int64_t c, waiting;
  char *y;
  hwb_stats *stats;
  int64_t sums[POSITIONS * HWB_TILE_COLUMNS + HWB_TILE_COLUMNS]; /* or twice as many of 32 bits */
} waiting_sums;

static void cast_out(waiting_sums *s) {
  const hwb_depthwise *d = s->op->parameters;
  int64_t channels = d->n.channels * d->n.multiplier, pixel = channels * (int64_t)hwb_size_of(d->ends.cast.n.out_dtype);
  hwb_block block = {s->sums, HWB_TILE_COLUMNS, s->waiting, s->c, hwb_min(HWB_TILE_COLUMNS, channels - s->c), s->y, pixel};
  if (d->n.sums == HWB_SUMS_S64) hwb_end_s64(s->op->kernels, &d->ends, &block, s->stats);
  else hwb_end_s32(s->op->kernels, &d->ends, &block, s->stats);
  s->y += s->waiting * pixel;
  s->waiting = 0;
}

/* One row of output positions from its columns, by the weights of the `which`-th row that shares them. */
static void row_out(waiting_sums *s, const char *columns, const int64_t *offsets, int64_t which) {
  const hwb_depthwise *d = s->op->parameters;
  const hwb_depthwise_numbers *n = &d->n;
  int64_t terms = n->sets * n->kernel_w, step = n->stride_w * HWB_COLUMN_BYTES;
  int64_t blocks = (n->channels * n->multiplier + HWB_TILE_COLUMNS - 1) / HWB_TILE_COLUMNS;
  const char *weights = (const char *)d->weights + (which * blocks + s->c / HWB_TILE_COLUMNS) * terms * HWB_COLUMN_BYTES;
  for (int64_t w = 0, part; w < n->out_width; w += part) {
    part = hwb_min(POSITIONS - s->waiting, n->out_width - w);
    hwb_columns some = {columns + w * step, step, part, offsets, terms, weights};
    int32_t *narrow = (int32_t *)(void *)s->sums + s->waiting * HWB_TILE_COLUMNS;
    if (n->sums == HWB_SUMS_S64) wide_sums(&some, s->sums + s->waiting * HWB_TILE_COLUMNS);
    else if (n->sums == HWB_SUMS_BYTES) s->op->kernels->depthwise_u8s8_s32(&some, narrow);
    else s->op->kernels->depthwise_s16s16_s32(&some, narrow);
    s->waiting += part;
    if (s->waiting == POSITIONS) cast_out(s);
  }
}

/* `rows` output rows from row h on for 16 channels: each group of rows lays out what the one before has not. */
static void band_out(waiting_sums *s, const char *x, int64_t h, int64_t rows, char *scratch) {
  const hwb_depthwise *d = s->op->parameters;
  const hwb_depthwise_numbers *n = &d->n;
  layout at = layout_of(n);
  char *columns = scratch + at.columns;
  for (int64_t g = 0; g * n->shared < rows; g++) {
    int64_t first = g && n->moved < n->sets ? n->sets - n->moved : 0;
    int64_t turn = n->moved < n->sets ? g * n->moved % n->sets : 0;
    for (int64_t i = first; i < n->sets; i++)
      lay_out_set(s->op, x, h + g * n->shared, s->c, i, scratch + at.padding,
                  columns + (i + turn) % n->sets * n->padded_width * HWB_COLUMN_BYTES);
    for (int64_t which = 0; which < n->shared && g * n->shared + which < rows; which++)
      row_out(s, columns, d->offsets + turn * n->sets * n->kernel_w, which);
  }
  if (s->waiting) cast_out(s);
}

static void sample_out(const hwb_op *op, const char *x, char *y, char *scratch, hwb_stats *stats) {
  const hwb_depthwise *d = op->parameters;
  const hwb_depthwise_numbers *n = &d->n;
  int64_t channels = n->channels * n->multiplier, element = (int64_t)hwb_size_of(d->ends.cast.n.out_dtype);
  int64_t band = rows_of_band(n);
  for (int64_t h = 0; h < n->out_height; h += band)
    for (int64_t c = 0; c < channels; c += HWB_TILE_COLUMNS) {
      waiting_sums s;
      s.op = op, s.c = c, s.waiting = 0, s.stats = stats;
      s.y = y + (h * n->out_width * channels + c) * element;
      band_out(&s, x, h, hwb_min(band, n->out_height - h), scratch);
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
