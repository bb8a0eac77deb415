/* Convolution, depthwise convolution, matrix products and programs against plain loops, scratch of the stated size. */
#include "check.h"

enum { LANES = 16, TAIL_ADDS = 7 };

typedef struct {
  hwb_conv conv;
  int64_t group_inputs, group_outputs;
  int16_t *weights; /* [O][kh][kw][C / groups] */
  int16_t *panels;
  int64_t *offsets, *bias, *tail_bias;
  int32_t *bias32, *tail_bias32;
} conv_case;

static int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }

static void draw_geometry(hwb_conv_numbers *n, int depthwise) {
  n->x_dtype = draw(HWB_S8, HWB_S16);
  n->x_zero = n->x_dtype == HWB_S8 ? draw(-128, 127) : n->x_dtype == HWB_U8 ? draw(0, 255) : 0;
  n->groups = depthwise ? draw(2, 35) : draw(1, 3);
  n->channels = depthwise ? n->groups : n->groups * draw(1, 9);
  n->multiplier = depthwise ? draw(1, 3) : 1;
  n->out_channels = n->groups * (depthwise ? n->multiplier : draw(1, 35));
  n->depthwise = depthwise;
  n->kernel_h = draw(1, 3), n->kernel_w = draw(1, 4);
  n->stride_h = draw(1, 3), n->stride_w = draw(1, 3);
  n->dilation_h = draw(1, 2), n->dilation_w = draw(1, 2);
  n->pad_top = draw(0, 2), n->pad_left = draw(0, 2);
  n->height = draw(1, 7), n->width = draw(1, 9);
  n->out_height = draw(1, 4), n->out_width = draw(1, 8);
  n->wide = n->x_dtype == HWB_S16;
  n->saturate = !depthwise && !n->wide && draw(0, 1);
  n->pad_value = draw(0, 1) ? draw(-60, 60) : 0;
  n->padded_height = at_least((n->out_height - 1) * n->stride_h + (n->kernel_h - 1) * n->dilation_h + 1, n->pad_top + n->height);
  n->padded_width = at_least((n->out_width - 1) * n->stride_w + (n->kernel_w - 1) * n->dilation_w + 1, n->pad_left + n->width);
  n->flush = INT32_MAX / (2 * 32768 * 128);
}

static void lay_out(conv_case *c) {
  hwb_conv_numbers *n = &c->conv.n;
  int joined = !n->depthwise && n->groups == 1 && (n->dilation_w == 1 || n->kernel_w == 1);
  int64_t pixel = n->depthwise ? n->out_channels : n->channels, columns = joined ? 1 : n->kernel_w;
  c->group_inputs = n->channels / n->groups, c->group_outputs = n->out_channels / n->groups;
  n->taps = n->kernel_h * columns;
  n->run = joined ? n->kernel_w * n->channels : c->group_inputs;
  n->pairs = (n->run + 1) / 2;
  c->offsets = exact((size_t)n->taps * 8);
  for (int64_t t = 0; t < n->taps; t++)
    c->offsets[t] = ((t / columns) * n->dilation_h * n->padded_width + (t % columns) * n->dilation_w) * pixel;
  if (!n->saturate || n->run % 2 == 0 || n->taps == 1) return;
  n->copied = n->taps, n->copied_run = n->run; /* pairs cross the taps: copied side by side */
  n->taps = 1, n->run = n->copied * n->copied_run, n->pairs = (n->run + 1) / 2;
}

static int16_t weight(const conv_case *c, int64_t o, int64_t tap, int64_t k) {
  return c->weights[(o * c->conv.n.taps + tap) * c->conv.n.run + k];
}

static void pack_dense(conv_case *c) {
  const hwb_conv_numbers *n = &c->conv.n;
  int64_t panels = (c->group_outputs + LANES - 1) / LANES, block = n->taps * n->pairs * 2 * LANES;
  c->panels = exact((size_t)(n->groups * panels * block) * 2);
  memset(c->panels, 0, (size_t)(n->groups * panels * block) * 2);
  for (int64_t o = 0; o < n->out_channels; o++)
    for (int64_t t = 0; t < n->taps; t++)
      for (int64_t k = 0; k < n->run; k++) {
        int64_t j = o % c->group_outputs, panel = o / c->group_outputs * panels + j / LANES;
        int64_t pair = t * n->pairs + k / 2;
        c->panels[panel * block + (pair * LANES + j % LANES) * 2 + k % 2] = weight(c, o, t, k);
      }
}

static void pack_depthwise(conv_case *c) {
  const hwb_conv_numbers *n = &c->conv.n;
  int64_t blocks = (n->out_channels + LANES - 1) / LANES, pairs = (n->taps + 1) / 2;
  c->panels = exact((size_t)(blocks * pairs * 2 * LANES) * 2);
  memset(c->panels, 0, (size_t)(blocks * pairs * 2 * LANES) * 2);
  for (int64_t o = 0; o < n->out_channels; o++)
    for (int64_t t = 0; t < n->taps; t++)
      c->panels[((o / LANES * pairs + t / 2) * LANES + o % LANES) * 2 + t % 2] = weight(c, o, t, 0);
}

static void make_conv(conv_case *c, int depthwise) {
  memset(c, 0, sizeof *c);
  hwb_conv_numbers *n = &c->conv.n;
  draw_geometry(n, depthwise);
  lay_out(c);
  int64_t count = n->out_channels * n->taps * n->run;
  int extreme = draw(0, 3) == 0;
  c->weights = exact((size_t)count * 2);
  for (int64_t i = 0; i < count; i++) c->weights[i] = extreme ? -128 : (int16_t)draw(-128, 127);
  if (depthwise) pack_depthwise(c);
  else pack_dense(c);
  c->bias = exact((size_t)(n->out_channels + LANES) * 8);
  c->bias32 = exact((size_t)(n->out_channels + LANES) * 4);
  for (int64_t i = 0; i < n->out_channels + LANES; i++) c->bias32[i] = (int32_t)(c->bias[i] = draw(-9999, 9999));
  c->conv.panels = c->panels, c->conv.offsets = c->offsets;
  c->conv.ends.cast.bias = c->bias, c->conv.ends.cast.bias32 = c->bias32;
  c->conv.ends.cast.n.scheme = HWB_RAW;
  c->conv.ends.cast.n.accumulator_bits = 64;
  c->conv.ends.cast.n.out_dtype = n->wide ? HWB_S64 : HWB_S32;
  c->conv.ends.tail = c->conv.ends.cast;
  c->conv.ends.tail_start = draw(0, 1) ? draw(0, 40) : HWB_NO_TAIL;
  c->tail_bias = exact((size_t)(n->out_channels + LANES) * 8);
  c->tail_bias32 = exact((size_t)(n->out_channels + LANES) * 4);
  for (int64_t i = 0; i < n->out_channels + LANES; i++)
    c->tail_bias32[i] = (int32_t)(c->tail_bias[i] = c->bias[i] + TAIL_ADDS);
  c->conv.ends.tail.bias = c->tail_bias, c->conv.ends.tail.bias32 = c->tail_bias32;
}

static void free_conv(conv_case *c) {
  free(c->weights);
  free(c->panels);
  free(c->offsets);
  free(c->bias);
  free(c->bias32);
  free(c->tail_bias);
  free(c->tail_bias32);
}

static int64_t limited16(int64_t v) { return v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v; }

/* One output by the definition; taps outside the input hold the padding's value. */
static int64_t plain_conv(const conv_case *c, const void *x, int64_t oh, int64_t ow, int64_t o) {
  const hwb_conv_numbers *n = &c->conv.n;
  int64_t sum = c->bias[o] + (o >= c->conv.ends.tail_start ? TAIL_ADDS : 0), first = o / c->group_outputs * c->group_inputs;
  int64_t at = 0, pair = 0;
  for (int64_t i = 0; i < n->kernel_h; i++)
    for (int64_t j = 0; j < n->kernel_w; j++)
      for (int64_t k = 0; k < c->group_inputs; k++) {
        int64_t h = oh * n->stride_h + i * n->dilation_h - n->pad_top;
        int64_t w = ow * n->stride_w + j * n->dilation_w - n->pad_left;
        int inside = h >= 0 && h < n->height && w >= 0 && w < n->width;
        int64_t value = n->pad_value;
        if (inside) value = hwb_load(x, n->x_dtype, (h * n->width + w) * n->channels + first + k) - n->x_zero;
        pair += value * c->weights[((o * n->kernel_h + i) * n->kernel_w + j) * c->group_inputs + k];
        if (n->saturate && at++ % 2 == 0) continue;
        sum += n->saturate ? limited16(pair) : pair;
        pair = 0;
      }
  return sum + (n->saturate ? limited16(pair) : pair);
}

static void fill(void *x, int64_t dtype, int64_t count) {
  static const int64_t low[] = {INT8_MIN, 0, INT16_MIN}, high[] = {INT8_MAX, UINT8_MAX, INT16_MAX};
  int64_t kind = draw(0, 2);
  for (int64_t i = 0; i < count; i++)
    hwb_store(x, dtype, i, kind == 0 ? low[dtype] : kind == 1 ? high[dtype] : draw(low[dtype], high[dtype]));
}

static void check_conv(const hwb_kernels *k, int depthwise, int64_t samples) {
  conv_case c;
  make_conv(&c, depthwise);
  const hwb_conv_numbers *n = &c.conv.n;
  hwb_op op = {depthwise ? hwb_depthwise_run : hwb_conv_run, k, &c.conv, hwb_conv_scratch_bytes(&c.conv)};
  int64_t inputs = n->height * n->width * n->channels, plane = n->out_height * n->out_width;
  size_t input_bytes = (size_t)inputs * hwb_size_of(n->x_dtype);
  char *x = exact((size_t)samples * input_bytes);
  void *y = exact((size_t)(samples * plane * n->out_channels) * hwb_size_of(c.conv.ends.cast.n.out_dtype));
  void *scratch = exact(op.scratch_bytes);
  fill(x, n->x_dtype, samples * inputs);
  const void *in[1] = {x};
  hwb_stats stats = fresh(1);
  expect_equal(op.run(&op, in, y, samples, scratch, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < samples * plane * n->out_channels; i++) {
    int64_t m = i / n->out_channels % plane, s = i / n->out_channels / plane;
    int64_t wanted = plain_conv(&c, x + (size_t)s * input_bytes, m / n->out_width, m % n->out_width, i % n->out_channels);
    expect_equal(hwb_load(y, c.conv.ends.cast.n.out_dtype, i), wanted, depthwise ? "depthwise" : "conv", k->name);
  }
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
  p.n.wide = p.n.a_dtype == HWB_S16, p.n.flush = INT32_MAX / (2 * 32768 * 256);
  p.ends.cast.n.scheme = HWB_RAW, p.ends.cast.n.accumulator_bits = 64;
  p.ends.cast.n.out_dtype = p.n.wide ? HWB_S64 : HWB_S32;
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
  void *a = exact((size_t)(rows * p.n.k) * hwb_size_of(p.n.a_dtype)), *b = exact((size_t)b_count);
  void *y = exact((size_t)(rows * p.n.n) * hwb_size_of(p.ends.cast.n.out_dtype)), *scratch = exact(op.scratch_bytes);
  fill(a, p.n.a_dtype, rows * p.n.k);
  fill(b, p.n.b_dtype, b_count);
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
  for (int round = 0; round < 150; round++) {
    check_conv(k, 0, samples[round % 3]);
    check_conv(k, 1, samples[round % 3]);
    check_matmul(k, samples[round % 3]);
  }
}

int main(void) { return on_every_isa(check_sums); }
