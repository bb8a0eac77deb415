/* Convolutions with every kind of sums, and matrix products, against plain loops; scratch of the stated size. */
#include "ends.h"

enum { LANES = HWB_TILE_COLUMNS };

typedef struct {
  hwb_conv conv;
  ends_case ends;
  int64_t group_inputs, group_outputs;
  int64_t pad;      /* padding less the zero point */
  int split;        /* every step is a tap of its own */
  int64_t peak;     /* of weights */
  int16_t *weights; /* [O][kh][kw][C / groups] */
  void *panels;
  int64_t *offsets;
} conv_case;

static int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }

static void draw_geometry(hwb_conv_numbers *n) {
  n->x_dtype = draw(HWB_S8, HWB_S16);
  n->x_zero = n->x_dtype == HWB_S8 ? draw(-128, 127) : n->x_dtype == HWB_U8 ? draw(0, 255) : 0;
  n->groups = draw(1, 3);
  n->channels = n->groups * draw(1, 9);
  n->out_channels = n->groups * draw(1, 35);
  n->kernel_h = draw(1, 3), n->kernel_w = draw(1, 4);
  n->stride_h = draw(1, 3), n->stride_w = draw(1, 3);
  n->dilation_h = draw(1, 2), n->dilation_w = draw(1, 2);
  n->pad_top = draw(0, 2), n->pad_left = draw(0, 2);
  n->height = draw(1, 7), n->width = draw(1, 9);
  n->out_height = draw(1, 4), n->out_width = draw(1, 8);
  n->padded_height = at_least((n->out_height - 1) * n->stride_h + (n->kernel_h - 1) * n->dilation_h + 1, n->pad_top + n->height);
  n->padded_width = at_least((n->out_width - 1) * n->stride_w + (n->kernel_w - 1) * n->dilation_w + 1, n->pad_left + n->width);
}

/* The kind of sums, and the padding's value as the kernels see inputs; bytes keep their zero point. */
static void draw_sums(conv_case *c, int64_t sums) {
  hwb_conv_numbers *n = &c->conv.n;
  int64_t lowest = n->x_dtype == HWB_S8 ? INT8_MIN : 0;
  if (n->x_dtype == HWB_S16 && sums != HWB_SUMS_S64 && sums != HWB_SUMS_MIXED) sums = HWB_SUMS_S32;
  n->sums = sums;
  c->peak = sums == HWB_SUMS_BYTES && draw(0, 1) ? draw(1, 40) : 128;
  n->flush = sums == HWB_SUMS_BYTES ? INT16_MAX / (2 * 255 * c->peak) : INT32_MAX / (2 * 32768 * 128);
  if (sums == HWB_SUMS_BYTES) {
    n->pad_value = draw(0, 1) ? draw(0, 255) : n->x_zero - lowest;
    c->pad = n->pad_value - (n->x_zero - lowest);
  } else {
    n->pad_value = c->pad = draw(0, 1) ? draw(-60, 60) : 0;
  }
}

static int64_t width_of(const hwb_conv_numbers *n) { return n->sums == HWB_SUMS_BYTES ? 4 : 2; }

/* Taps as packing lays them out: kernel rows or pixels, at random with every step as a tap of its own. */
static void lay_out(conv_case *c) {
  hwb_conv_numbers *n = &c->conv.n;
  int joined = n->groups == 1 && (n->dilation_w == 1 || n->kernel_w == 1);
  int64_t columns = joined ? 1 : n->kernel_w, taps = n->kernel_h * columns, width = width_of(n);
  c->group_inputs = n->channels / n->groups, c->group_outputs = n->out_channels / n->groups;
  n->run = joined ? n->kernel_w * n->channels : c->group_inputs;
  n->steps = (n->run + width - 1) / width, n->taps = taps;
  c->split = n->sums != HWB_SUMS_SAT16 && draw(0, 1);
  int64_t each = c->split ? n->steps : 1;
  c->offsets = exact((size_t)(taps * each) * 8);
  for (int64_t t = 0; t < taps; t++)
    for (int64_t s = 0; s < each; s++)
      c->offsets[t * each + s] =
          ((t / columns) * n->dilation_h * n->padded_width + (t % columns) * n->dilation_w) * n->channels + s * width;
  if (n->sums != HWB_SUMS_SAT16 || n->run % 2 == 0 || taps == 1) return;
  n->copied = taps, n->copied_run = n->run; /* pairs cross the taps: copied side by side */
  n->taps = 1, n->run = n->copied * n->copied_run, n->steps = (n->run + 1) / 2;
}

/* A weight of column j in the word that it shares with column j + 8 or j − 8. */
static void add_paired(int16_t *panels, int64_t block, int64_t step, int64_t j, int64_t q, int64_t weight) {
  int16_t *word = panels + block + step * LANES + j % 8 * 2 + q;
  *word = (int16_t)(*word + (j < 8 ? 256 * weight : weight));
}

/* Weights in the order in which tiles read them: [groups][panels][taps][steps][16][k of a step]. */
static void pack(conv_case *c) {
  const hwb_conv_numbers *n = &c->conv.n;
  int64_t dtype = n->sums == HWB_SUMS_BYTES ? HWB_S8 : HWB_S16, width = width_of(n);
  int64_t panels = (c->group_outputs + LANES - 1) / LANES, block = n->taps * n->steps * width * LANES;
  size_t bytes = (size_t)(n->groups * panels * block) * hwb_size_of(dtype);
  c->panels = exact(bytes);
  memset(c->panels, 0, bytes);
  for (size_t i = 0; n->sums == HWB_SUMS_MIXED && i < bytes / 2; i++) ((int16_t *)c->panels)[i] = 128;
  for (int64_t o = 0; o < n->out_channels; o++)
    for (int64_t t = 0; t < n->taps; t++)
      for (int64_t k = 0; k < n->run; k++) {
        int64_t j = o % c->group_outputs, panel = o / c->group_outputs * panels + j / LANES, step = t * n->steps + k / width;
        int64_t at = panel * block + (step * LANES + j % LANES) * width + k % width;
        int64_t weight = c->weights[(o * n->taps + t) * n->run + k];
        if (n->sums == HWB_SUMS_MIXED) add_paired(c->panels, panel * block / 2, step, j % LANES, k % width, weight);
        else hwb_store(c->panels, dtype, at, weight);
      }
}

static void lower_by_zero(conv_case *c, int64_t per_channel) {
  const hwb_conv_numbers *n = &c->conv.n;
  int64_t zero = n->x_zero - (n->x_dtype == HWB_S8 ? INT8_MIN : 0);
  for (int64_t o = 0; o < n->out_channels; o++) {
    int64_t sum = 0;
    for (int64_t i = 0; i < per_channel; i++) sum += c->weights[o * per_channel + i];
    lower_bias(&c->ends, o, zero * sum);
  }
}

static void make_conv(conv_case *c, int64_t sums) {
  memset(c, 0, sizeof *c);
  hwb_conv_numbers *n = &c->conv.n;
  draw_geometry(n);
  draw_sums(c, sums);
  lay_out(c);
  int64_t per_channel = n->kernel_h * n->kernel_w * c->group_inputs, count = n->out_channels * per_channel;
  int extreme = draw(0, 3) == 0;
  c->weights = exact((size_t)count * 2);
  for (int64_t i = 0; i < count; i++) c->weights[i] = (int16_t)(extreme ? -c->peak : draw(-c->peak, c->peak - 1));
  pack(c);
  make_ends(&c->ends, n->out_channels, n->sums == HWB_SUMS_S64);
  c->conv.panels = c->panels, c->conv.offsets = c->offsets;
}

static void free_conv(conv_case *c) {
  free(c->weights);
  free(c->panels);
  free(c->offsets);
  free_ends(&c->ends);
}

static int64_t limited16(int64_t v) { return v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v; }

/* One output's sum by the definition; taps outside the input hold the padding's value. */
static int64_t plain_conv(const conv_case *c, const int64_t *bias, const void *x, int64_t oh, int64_t ow, int64_t o) {
  const hwb_conv_numbers *n = &c->conv.n;
  int64_t sum = bias[o], first = o / c->group_outputs * c->group_inputs, at = 0, pair = 0, saturates = n->sums == HWB_SUMS_SAT16;
  for (int64_t i = 0; i < n->kernel_h; i++)
    for (int64_t j = 0; j < n->kernel_w; j++)
      for (int64_t k = 0; k < c->group_inputs; k++) {
        int64_t h = oh * n->stride_h + i * n->dilation_h - n->pad_top;
        int64_t w = ow * n->stride_w + j * n->dilation_w - n->pad_left;
        int inside = h >= 0 && h < n->height && w >= 0 && w < n->width;
        int64_t value = c->pad;
        if (inside) value = hwb_load(x, n->x_dtype, (h * n->width + w) * n->channels + first + k) - n->x_zero;
        pair += value * c->weights[((o * n->kernel_h + i) * n->kernel_w + j) * c->group_inputs + k];
        if (saturates && at++ % 2 == 0) continue;
        sum += saturates ? limited16(pair) : pair;
        pair = 0;
      }
  return sum + (saturates ? limited16(pair) : pair);
}

static void expect_conv(const hwb_kernels *k, const conv_case *c, const int64_t *bias, const char *x, const void *y, int64_t samples) {
  const hwb_conv_numbers *n = &c->conv.n;
  int64_t plane = n->out_height * n->out_width, inputs = n->height * n->width * n->channels;
  for (int64_t i = 0; i < samples * plane * n->out_channels; i++) {
    int64_t m = i / n->out_channels % plane, o = i % n->out_channels;
    const char *sample = x + (size_t)(i / n->out_channels / plane * inputs) * hwb_size_of(n->x_dtype);
    int64_t sum = plain_conv(c, bias, sample, m / n->out_width, m % n->out_width, o);
    expect_equal(hwb_load(y, c->conv.ends.cast.n.out_dtype, i), ended(&c->ends, sum, o), "conv", k->name);
  }
}

static void check_conv(const hwb_kernels *k, int64_t sums, int64_t samples) {
  conv_case c;
  make_conv(&c, sums);
  hwb_conv_numbers *n = &c.conv.n;
  int64_t bias[128], plane = n->out_height * n->out_width, per_channel = n->kernel_h * n->kernel_w * c.group_inputs;
  memcpy(bias, c.ends.bias, (size_t)n->out_channels * 8);
  if (n->sums == HWB_SUMS_BYTES) lower_by_zero(&c, per_channel);
  c.conv.ends = c.ends.ends;
  if (c.split) n->taps *= n->steps, n->steps = 1; /* the same panels */
  hwb_op op = {hwb_conv_run, k, &c.conv, hwb_conv_scratch_bytes(&c.conv)};
  char *x = codes_of(n->x_dtype, samples * n->height * n->width * n->channels);
  void *y = exact((size_t)(samples * plane * n->out_channels) * hwb_size_of(c.conv.ends.cast.n.out_dtype));
  void *scratch = exact(op.scratch_bytes);
  const void *in[1] = {x};
  hwb_stats stats = fresh(1);
  expect_equal(op.run(&op, in, y, samples, scratch, &stats), HWB_OK, "status", k->name);
  expect_conv(k, &c, bias, x, y, samples);
  free(x);
  free(y);
  free(scratch);
  free_conv(&c);
}

static hwb_matmul draw_matmul(const int64_t *bias, const int32_t *bias32) {
  hwb_matmul p;
  memset(&p, 0, sizeof p);
  p.n.a_dtype = draw(HWB_S8, HWB_S16), p.n.b_dtype = draw(HWB_S8, HWB_U8);
  p.n.a_zero = p.n.a_dtype == HWB_S16 ? 0 : draw(0, 100), p.n.b_zero = draw(0, 100);
  p.n.batch = draw(1, 3), p.n.b_batch = draw(0, 1) ? p.n.batch : 1;
  p.n.m = draw(1, 14), p.n.k = draw(1, 35), p.n.n = draw(1, 40);
  p.n.sums = p.n.a_dtype == HWB_S16 ? HWB_SUMS_S64 : HWB_SUMS_S32, p.n.flush = INT32_MAX / (2 * 32768 * 256);
  p.ends.cast.n.scheme = HWB_RAW, p.ends.cast.n.accumulator_bits = 64;
  p.ends.cast.n.out_dtype = p.n.sums == HWB_SUMS_S64 ? HWB_S64 : HWB_S32;
  p.ends.cast.bias = bias, p.ends.cast.bias32 = bias32;
  p.ends.tail_start = HWB_NO_TAIL;
  return p;
}

static int64_t plain_matmul(const hwb_matmul_numbers *n, const void *a, const void *b, int64_t i) {
  int64_t column = i % n->n, row = i / n->n, s = row / n->m, sum = 0;
  int64_t which = n->b_batch == 1 ? s / n->batch : s;
  for (int64_t k = 0; k < n->k; k++)
    sum += (hwb_load(a, n->a_dtype, row * n->k + k) - n->a_zero) *
           (hwb_load(b, n->b_dtype, (which * n->k + k) * n->n + column) - n->b_zero);
  return sum;
}

static void check_matmul(const hwb_kernels *k, int64_t samples) {
  static const int64_t bias[64];
  static const int32_t bias32[64];
  hwb_matmul p = draw_matmul(bias, bias32);
  hwb_op op = {hwb_matmul_run, k, &p, hwb_matmul_scratch_bytes(&p)};
  int64_t rows = samples * p.n.batch * p.n.m, b_count = samples * p.n.b_batch * p.n.k * p.n.n;
  void *a = codes_of(p.n.a_dtype, rows * p.n.k), *b = codes_of(p.n.b_dtype, b_count);
  void *y = exact((size_t)(rows * p.n.n) * hwb_size_of(p.ends.cast.n.out_dtype)), *scratch = exact(op.scratch_bytes);
  const void *in[2] = {a, b};
  hwb_stats stats = fresh(1);
  expect_equal(op.run(&op, in, y, samples, scratch, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < rows * p.n.n; i++)
    expect_equal(hwb_load(y, p.ends.cast.n.out_dtype, i), plain_matmul(&p.n, a, b, i), "matmul", k->name);
  free(a);
  free(b);
  free(y);
  free(scratch);
}

static void check_sums(const hwb_kernels *k) {
  static const int64_t samples[] = {1, 3, 7};
  for (int round = 0; round < 120; round++) {
    for (int64_t sums = HWB_SUMS_S32; sums <= HWB_SUMS_MIXED; sums++) check_conv(k, sums, samples[round % 3]);
    check_matmul(k, samples[round % 3]);
  }
}

int main(void) { return on_every_isa(check_sums); }
