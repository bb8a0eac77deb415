/* Convolution: inputs widened and padded once per group of samples, then tiles over pointers to them (no im2col). */
#include "rows.h"
#include <hwblocks/ops.h>
#include <string.h>

enum { BLOCK_BYTES = 192 * 1024, MOST_ROWS = 240 };

static const int64_t no_offset[1] = {0};

static int64_t padded_elements(const hwb_conv_numbers *n) {
  int64_t channels = n->depthwise ? n->channels * n->multiplier : n->channels;
  return n->padded_height * n->padded_width * channels;
}

/* Samples widened together: as many as fill a block of the second-level cache, one at least. */
static int64_t samples_together(const hwb_conv_numbers *n) {
  return hwb_max(1, BLOCK_BYTES / (2 * hwb_max(1, padded_elements(n))));
}

size_t hwb_conv_scratch_bytes(const hwb_conv *conv) {
  size_t inputs = (size_t)(samples_together(&conv->n) * padded_elements(&conv->n)) + 2 * HWB_SLACK;
  size_t rows = sizeof(int16_t *) * (MOST_ROWS + HWB_TILE_ROWS);
  size_t copies = conv->n.copied ? (size_t)(MOST_ROWS * 2 * conv->n.pairs) * sizeof(int16_t) : 0;
  return ((inputs * sizeof(int16_t) + 63) / 64) * 64 + rows + copies + 64;
}

/* Padding: zeros, or the code that stands for real 0 where the zero point is not taken off. */
static void fill(int16_t *y, int64_t count, int64_t value) {
  if (!value) memset(y, 0, (size_t)count * sizeof *y);
  else
    for (int64_t i = 0; i < count; i++) y[i] = (int16_t)value;
}

/* One row of pixels: widened, or each channel repeated for its outputs (depthwise with a multiplier). */
static void widen_row(const hwb_conv_numbers *n, const hwb_kernels *k, const char *x, int16_t *y) {
  if (n->multiplier == 1 || !n->depthwise) {
    k->widen(x, n->x_dtype, n->x_zero, y, n->width * n->channels);
    return;
  }
  for (int64_t i = 0; i < n->width * n->channels; i++)
    for (int64_t j = 0; j < n->multiplier; j++)
      *y++ = (int16_t)(hwb_load(x, n->x_dtype, i) - n->x_zero);
}

/* One sample [H, W, C] into its padded place. */
static void widen_sample(const hwb_conv_numbers *n, const hwb_kernels *k, const char *x, int16_t *y) {
  int64_t channels = n->depthwise ? n->channels * n->multiplier : n->channels;
  int64_t row_bytes = n->width * n->channels * (int64_t)hwb_size_of(n->x_dtype);
  int64_t row = n->padded_width * channels;
  if (n->padded_width != n->width || n->padded_height != n->height)
    fill(y, n->padded_height * row, n->pad_value);
  int64_t rows = hwb_min(n->height, n->padded_height - n->pad_top);
  if (n->padded_width == n->width && (n->multiplier == 1 || !n->depthwise)) {
    k->widen(x, n->x_dtype, n->x_zero, y + n->pad_top * row, rows * row);
    return;
  }
  for (int64_t h = 0; h < rows; h++) widen_row(n, k, x + h * row_bytes, y + (h + n->pad_top) * row + n->pad_left * channels);
}

/* Address of the first input of output position m of one of the widened samples. */
static const int16_t *position(const hwb_conv_numbers *n, const int16_t *widened, int64_t m, int64_t channels) {
  int64_t plane = n->out_height * n->out_width, sample = m / plane, at = m % plane;
  int64_t h = (at / n->out_width) * n->stride_h, w = (at % n->out_width) * n->stride_w;
  return widened + ((sample * n->padded_height + h) * n->padded_width + w) * channels;
}

/* Addresses of output positions first .. first + count, filled row by row. */
static void positions(const hwb_conv_numbers *n, const int16_t *widened, int64_t first, int64_t count, int64_t channels,
                      int64_t shift, const int16_t **rows) {
  int64_t step = n->stride_w * channels;
  for (int64_t i = 0; i < count;) {
    int64_t left = n->out_width - (first + i) % n->out_width;
    const int16_t *at = position(n, widened, first + i, channels) + shift;
    for (int64_t end = hwb_min(count, i + left); i < end; i++, at += step) rows[i] = at;
  }
}

/* The taps of each row copied side by side; rows then point at the copies. */
static void copy_taps(const hwb_conv *conv, int64_t count, int16_t *copies, const int16_t **rows) {
  const hwb_conv_numbers *n = &conv->n;
  for (int64_t i = 0; i < count; i++) {
    int16_t *copy = copies + i * 2 * n->pairs;
    for (int64_t t = 0; t < n->copied; t++)
      memcpy(copy + t * n->copied_run, rows[i] + conv->offsets[t], (size_t)n->copied_run * sizeof *copy);
    copy[2 * n->pairs - 1] = n->run % 2 ? 0 : copy[2 * n->pairs - 1];
    rows[i] = copy;
  }
}

static int64_t rows_together(const hwb_conv_numbers *n) {
  int64_t bytes = 2 * hwb_max(1, n->taps * n->pairs * 2);
  int64_t fit = BLOCK_BYTES / bytes / HWB_TILE_ROWS * HWB_TILE_ROWS;
  return hwb_min(MOST_ROWS, hwb_max(HWB_TILE_ROWS, fit));
}

static void groups_out(const hwb_op *op, const int16_t *widened, int64_t total, char *y, const int16_t **rows,
                       hwb_stats *stats) {
  const hwb_conv *conv = op->parameters;
  const hwb_conv_numbers *n = &conv->n;
  int64_t outputs = n->out_channels / n->groups, inputs = n->channels / n->groups;
  int64_t panels = (outputs + HWB_TILE_COLUMNS - 1) / HWB_TILE_COLUMNS;
  int64_t block = rows_together(n), pixel = n->out_channels * (int64_t)hwb_size_of(conv->ends.cast.n.out_dtype);
  for (int64_t first = 0; first < total; first += block) {
    int64_t count = hwb_min(block, total - first);
    for (int64_t g = 0; g < n->groups; g++) {
      hwb_rows r = {op->kernels, &conv->ends, n->copied ? no_offset : conv->offsets, n->taps, n->pairs, n->flush, n->wide, g * outputs, outputs,
                    n->out_channels, conv->panels + g * panels * n->taps * n->pairs * 2 * HWB_TILE_COLUMNS, n->saturate};
      positions(n, widened, first, count, n->channels, g * inputs, rows);
      if (n->copied) copy_taps(conv, count, (int16_t *)(void *)(rows + MOST_ROWS + HWB_TILE_ROWS), rows);
      hwb_rows_out(&r, rows, count, y + first * pixel, stats);
    }
  }
}

int hwb_conv_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_conv *conv = op->parameters;
  const hwb_conv_numbers *c = &conv->n;
  int64_t together = samples_together(c), plane = c->out_height * c->out_width;
  int64_t x_bytes = c->height * c->width * c->channels * (int64_t)hwb_size_of(c->x_dtype);
  int64_t y_bytes = plane * c->out_channels * (int64_t)hwb_size_of(conv->ends.cast.n.out_dtype);
  size_t inputs = (size_t)(together * padded_elements(c)) + 2 * HWB_SLACK;
  int16_t *widened = scratch;
  const int16_t **rows = (const int16_t **)(void *)((char *)scratch + ((inputs * sizeof(int16_t) + 63) / 64) * 64);
  for (int64_t s = 0; s < n; s += together) {
    int64_t count = hwb_min(together, n - s), elements = padded_elements(c);
    for (int64_t i = 0; i < count; i++)
      widen_sample(c, op->kernels, (const char *)in[0] + (s + i) * x_bytes, widened + i * elements);
    memset(widened + count * elements, 0, 2 * HWB_SLACK * sizeof(int16_t));
    groups_out(op, widened, count * plane, (char *)y + s * y_bytes, rows, stats);
  }
  return HWB_OK;
}

/* Depthwise sums that need 64 bits: plain loops. */
static void depthwise_wide(const hwb_op *op, const int16_t *x, const int16_t *weights, int64_t channel, int64_t width,
                           char *y, hwb_stats *stats) {
  const hwb_conv *conv = op->parameters;
  int64_t sums[2 * HWB_TILE_COLUMNS] = {0};
  for (int64_t t = 0; t < conv->n.taps; t++)
    for (int64_t c = 0; c < width; c++)
      sums[c] += (int64_t)x[conv->offsets[t] + c] * weights[(t / 2) * 32 + 2 * c + t % 2];
  hwb_end_s64(op->kernels, &conv->ends, sums, channel, width, y, stats);
}

static void depthwise_sample(const hwb_op *op, const int16_t *widened, char *y, hwb_stats *stats) {
  const hwb_conv *conv = op->parameters;
  const hwb_conv_numbers *n = &conv->n;
  int64_t channels = n->out_channels, block = (n->taps + 1) / 2 * 32;
  size_t element = hwb_size_of(conv->ends.cast.n.out_dtype);
  for (int64_t m = 0; m < n->out_height * n->out_width; m++) {
    const int16_t *x = position(n, widened, m, channels);
    for (int64_t c = 0; c < channels; c += HWB_TILE_COLUMNS) {
      int64_t width = hwb_min(HWB_TILE_COLUMNS, channels - c);
      const int16_t *weights = conv->panels + c / HWB_TILE_COLUMNS * block;
      char *at = y + (size_t)(m * channels + c) * element;
      if (n->wide) {
        depthwise_wide(op, x + c, weights, c, width, at, stats);
        continue;
      }
      int32_t sums[2 * HWB_TILE_COLUMNS];
      op->kernels->depthwise_s16s16_s32(x + c, conv->offsets, n->taps, weights, sums);
      hwb_end_s32(op->kernels, &conv->ends, sums, c, width, at, stats);
    }
  }
}

int hwb_depthwise_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_conv *conv = op->parameters;
  const hwb_conv_numbers *c = &conv->n;
  int64_t x_bytes = c->height * c->width * c->channels * (int64_t)hwb_size_of(c->x_dtype);
  int64_t y_bytes = c->out_height * c->out_width * c->out_channels * (int64_t)hwb_size_of(conv->ends.cast.n.out_dtype);
  int16_t *widened = scratch;
  memset(widened + padded_elements(c), 0, 2 * HWB_SLACK * sizeof(int16_t));
  for (int64_t s = 0; s < n; s++) {
    widen_sample(c, op->kernels, (const char *)in[0] + s * x_bytes, widened);
    depthwise_sample(op, widened, (char *)y + s * y_bytes, stats);
  }
  return HWB_OK;
}
