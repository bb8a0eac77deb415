/* Convolution: inputs widened (or offset to uint8) and padded once per group of samples, then tiles over pointers to
   them (no im2col). */
#include "rows.h"
#include <hwblocks/ops.h>
#include <string.h>

enum { BLOCK_BYTES = 192 * 1024, MOST_ROWS = 240 };

static const int64_t no_offset[1] = {0};

static int64_t padded_elements(const hwb_conv_numbers *n) { return n->padded_height * n->padded_width * n->channels; }

/* Bytes of an input as the kernels read it. */
static int64_t input_bytes(const hwb_conv_numbers *n) { return n->sums == HWB_SUMS_BYTES ? 1 : 2; }

/* Samples widened together: as many as fill a block of the second-level cache, one at least. */
static int64_t samples_together(const hwb_conv_numbers *n) {
  return hwb_max(1, BLOCK_BYTES / (input_bytes(n) * hwb_max(1, padded_elements(n))));
}

static size_t inputs_size(const hwb_conv_numbers *n) {
  int64_t elements = samples_together(n) * padded_elements(n) + 2 * HWB_SLACK;
  return ((size_t)(elements * input_bytes(n)) + 63) / 64 * 64;
}

size_t hwb_conv_scratch_bytes(const void *parameters) {
  const hwb_conv *conv = parameters;
  size_t rows = sizeof(void *) * (MOST_ROWS + HWB_TILE_ROWS);
  size_t copies = conv->n.copied ? (size_t)(MOST_ROWS * 2 * conv->n.steps) * sizeof(int16_t) : 0;
  return inputs_size(&conv->n) + rows + copies + 64;
}

static void prepare(const hwb_conv_numbers *n, const hwb_kernels *k, const char *x, char *y, int64_t elements) {
  if (n->sums == HWB_SUMS_BYTES) k->offset(x, n->x_dtype, (uint8_t *)y, elements);
  else k->widen(x, n->x_dtype, n->x_zero, (int16_t *)(void *)y, elements);
}

/* Padding: zeros, or the code that stands for real 0 where the zero point is not taken off. */
static void fill(const hwb_conv_numbers *n, char *y, int64_t elements) {
  int16_t *words = (int16_t *)(void *)y;
  if (input_bytes(n) == 1 || !n->pad_value) memset(y, (int)n->pad_value, (size_t)(elements * input_bytes(n)));
  else
    for (int64_t i = 0; i < elements; i++) words[i] = (int16_t)n->pad_value;
}

/* The padding around the rows of one sample in its padded place. */
static void fill_around(const hwb_conv_numbers *n, int64_t rows, char *y) {
  int64_t size = input_bytes(n), row = n->padded_width * n->channels, used = n->width * n->channels;
  int64_t left = n->pad_left * n->channels, right = row - left - used, below = n->padded_height - n->pad_top - rows;
  fill(n, y, n->pad_top * row + left);
  char *at = y + (n->pad_top * row + left) * size;
  for (int64_t h = 0; h < rows; h++) fill(n, at + (h * row + used) * size, h + 1 < rows ? right + left : right);
  fill(n, y + (n->pad_top + rows) * row * size, below * row);
}

/* One sample [H, W, C] into its padded place. */
static void prepare_sample(const hwb_conv_numbers *n, const hwb_kernels *k, const char *x, char *y) {
  int64_t row = n->padded_width * n->channels, used = n->width * n->channels, size = input_bytes(n);
  int64_t rows = hwb_min(n->height, n->padded_height - n->pad_top);
  if (n->padded_width != n->width || n->padded_height != n->height) fill_around(n, rows, y);
  char *at = y + (n->pad_top * row + n->pad_left * n->channels) * size;
  if (n->padded_width == n->width) {
    prepare(n, k, x, at, rows * row);
    return;
  }
  for (int64_t h = 0; h < rows; h++)
    prepare(n, k, x + h * used * (int64_t)hwb_size_of(n->x_dtype), at + h * row * size, used);
}

/* One sample into the runs of its placement, padding everywhere else. */
static void place_sample(const hwb_conv *conv, const hwb_kernels *k, const char *x, char *y) {
  const hwb_conv_numbers *n = &conv->n;
  const int64_t *run = conv->placement.runs;
  int64_t size = input_bytes(n), x_size = (int64_t)hwb_size_of(n->x_dtype);
  fill(n, y, padded_elements(n));
  for (int64_t i = 0; i < n->places; i++, run += 3) prepare(n, k, x + run[1] * x_size, y + run[0] * size, run[2]);
}

/* `count` samples into their padded places: at once where nothing is padded. */
static void prepare_samples(const hwb_conv *conv, const hwb_kernels *k, const char *x, int64_t count, char *y) {
  const hwb_conv_numbers *n = &conv->n;
  int64_t elements = n->height * n->width * n->channels;
  if (conv->placement.starts) {
    for (int64_t i = 0; i < count; i++)
      place_sample(conv, k, x + i * elements * (int64_t)hwb_size_of(n->x_dtype), y + i * padded_elements(n) * input_bytes(n));
    return;
  }
  if (padded_elements(n) == elements) {
    prepare(n, k, x, y, count * elements);
    return;
  }
  for (int64_t i = 0; i < count; i++)
    prepare_sample(n, k, x + i * elements * (int64_t)hwb_size_of(n->x_dtype), y + i * padded_elements(n) * input_bytes(n));
}

/* Bytes from each output position to the next, where they are the same for all of all samples: one position a sample,
   or one for every pixel; else 0. */
static int64_t even_step(const hwb_conv_numbers *n) {
  int64_t pixel = n->channels * input_bytes(n);
  if (n->out_height * n->out_width == 1) return n->padded_height * n->padded_width * pixel;
  int every = n->stride_h == 1 && n->stride_w == 1 && n->out_height == n->padded_height && n->out_width == n->padded_width;
  return every ? pixel : 0;
}

/* Addresses of output positions first .. first + count of the prepared samples, from input channel `channel` on. */
static void positions(const hwb_conv_numbers *n, const char *inputs, int64_t first, int64_t count, int64_t channel,
                      const void **rows) {
  int64_t step = even_step(n);
  inputs += channel * input_bytes(n);
  if (step) {
    for (int64_t i = 0; i < count; i++) rows[i] = inputs + (first + i) * step;
    return;
  }
  int64_t pixel = n->channels * input_bytes(n), step_w = n->stride_w * pixel, step_h = n->stride_h * n->padded_width * pixel;
  int64_t plane = n->out_height * n->out_width, at = first % plane, w = at % n->out_width, h = at / n->out_width;
  const char *sample = inputs + first / plane * n->padded_height * n->padded_width * pixel;
  for (int64_t i = 0; i < count; w = 0) {
    const char *x = sample + h * step_h + w * step_w;
    for (int64_t end = hwb_min(count, i + n->out_width - w); i < end; i++, x += step_w) rows[i] = x;
    if (++h < n->out_height) continue;
    h = 0;
    sample += n->padded_height * n->padded_width * pixel;
  }
}

/* The same by a placement. */
static void placed_positions(const hwb_conv *conv, const char *inputs, int64_t first, int64_t count, int64_t channel,
                             const void **rows) {
  const hwb_conv_numbers *n = &conv->n;
  int64_t plane = n->out_height * n->out_width, sample = padded_elements(n), size = input_bytes(n);
  for (int64_t i = 0; i < count; i++) {
    int64_t m = first + i;
    rows[i] = inputs + (m / plane * sample + conv->placement.starts[m % plane] + channel) * size;
  }
}

/* The taps of each row copied side by side; rows then point at the copies. */
static void copy_taps(const hwb_conv *conv, int64_t count, int16_t *copies, const void **rows) {
  const hwb_conv_numbers *n = &conv->n;
  for (int64_t i = 0; i < count; i++) {
    int16_t *copy = copies + i * 2 * n->steps;
    for (int64_t t = 0; t < n->copied; t++)
      memcpy(copy + t * n->copied_run, (const int16_t *)rows[i] + conv->offsets[t], (size_t)n->copied_run * sizeof *copy);
    copy[2 * n->steps - 1] = n->run % 2 ? 0 : copy[2 * n->steps - 1];
    rows[i] = copy;
  }
}

static int64_t rows_together(const hwb_conv_numbers *n, int64_t tile_rows) {
  int64_t bytes = hwb_max(1, n->taps * n->steps * 4);
  return hwb_min(MOST_ROWS, hwb_max(tile_rows, BLOCK_BYTES / bytes / tile_rows * tile_rows));
}

static void groups_out(const hwb_op *op, const char *prepared, int64_t total, char *y, const void **rows,
                       hwb_stats *stats) {
  const hwb_conv *conv = op->parameters;
  const hwb_conv_numbers *n = &conv->n;
  int64_t outputs = n->out_channels / n->groups, inputs = n->channels / n->groups;
  int64_t panels = (outputs + HWB_TILE_COLUMNS - 1) / HWB_TILE_COLUMNS, size = panels * n->taps * n->steps * hwb_step_bytes(n->sums);
  int64_t block = rows_together(n, hwb_tile_rows(op->kernels, n->sums));
  int64_t pixel = n->out_channels * (int64_t)hwb_size_of(conv->ends.cast.n.out_dtype);
  for (int64_t first = 0; first < total; first += block) {
    int64_t count = hwb_min(block, total - first);
    for (int64_t g = 0; g < n->groups; g++) {
      hwb_rows r = {op->kernels, &conv->ends, n->copied ? no_offset : conv->offsets, n->sums, n->taps, n->steps, n->flush,
                    g * outputs, outputs, n->out_channels, (const char *)conv->panels + g * size, n->single};
      if (conv->placement.starts) placed_positions(conv, prepared, first, count, g * inputs, rows);
      else positions(n, prepared, first, count, g * inputs, rows);
      if (n->copied) copy_taps(conv, count, (int16_t *)(void *)(rows + MOST_ROWS + HWB_TILE_ROWS), rows);
      hwb_rows_out(&r, rows, count, y + first * pixel, stats);
    }
  }
}

/* One output position of one sample, without what many need. */
static void one_position(const hwb_op *op, const void *x, void *y, char *scratch, hwb_stats *stats) {
  const hwb_conv *conv = op->parameters;
  const hwb_conv_numbers *n = &conv->n;
  hwb_rows r = {op->kernels, &conv->ends, conv->offsets, n->sums, n->taps, n->steps, n->flush,
                0, n->out_channels, n->out_channels, conv->panels, n->single};
  const void *rows[HWB_TILE_ROWS] = {scratch};
  prepare_samples(conv, op->kernels, x, 1, scratch);
  memset(scratch + padded_elements(n) * input_bytes(n), 0, (size_t)(2 * HWB_SLACK * input_bytes(n)));
  hwb_rows_out(&r, rows, 1, y, stats);
}

int hwb_conv_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_conv *conv = op->parameters;
  const hwb_conv_numbers *c = &conv->n;
  int64_t plane = c->out_height * c->out_width;
  if (n * plane == 1 && c->groups == 1 && !c->copied && !conv->placement.starts) {
    one_position(op, in[0], y, scratch, stats);
    return HWB_OK;
  }
  int64_t together = samples_together(c), sample = padded_elements(c) * input_bytes(c);
  int64_t x_bytes = c->height * c->width * c->channels * (int64_t)hwb_size_of(c->x_dtype);
  int64_t y_bytes = plane * c->out_channels * (int64_t)hwb_size_of(conv->ends.cast.n.out_dtype);
  char *prepared = scratch;
  const void **rows = (const void **)(void *)((char *)scratch + inputs_size(c));
  for (int64_t s = 0; s < n; s += together) {
    int64_t count = hwb_min(together, n - s);
    prepare_samples(conv, op->kernels, (const char *)in[0] + s * x_bytes, count, prepared);
    memset(prepared + count * sample, 0, (size_t)(2 * HWB_SLACK * input_bytes(c)));
    groups_out(op, prepared, count * plane, (char *)y + s * y_bytes, rows, stats);
  }
  return HWB_OK;
}
