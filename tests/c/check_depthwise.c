/* Depthwise convolutions with every kind of sums against plain loops; scratch of the stated size. */
#include "ends.h"

enum { LANES = HWB_TILE_COLUMNS };

typedef struct {
  hwb_depthwise op;
  ends_case ends;
  int64_t channels, rows; /* of outputs; kernel rows of a set */
  int16_t *weights;       /* [O][kh][kw] */
  void *packed;
  int64_t *offsets;
} depthwise_case;

static int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }

/* Wide rows of outputs beside narrow ones, strides, dilation and padding of one more code than the zero point. */
static void draw_geometry(hwb_depthwise_numbers *n, int64_t sums) {
  static const int64_t low[] = {INT8_MIN, 0, INT16_MIN}, high[] = {INT8_MAX, UINT8_MAX, INT16_MAX};
  n->x_dtype = sums == HWB_SUMS_BYTES ? draw(HWB_S8, HWB_U8) : draw(HWB_S8, HWB_S16);
  n->x_zero = n->x_dtype == HWB_S16 ? 0 : draw(low[n->x_dtype], high[n->x_dtype]);
  n->pad_code = draw(0, 1) ? n->x_zero : draw(hwb_max(low[n->x_dtype], -300), hwb_min(high[n->x_dtype], 300));
  n->channels = draw(1, 35), n->multiplier = draw(0, 1) ? 1 : draw(2, 3);
  n->kernel_h = draw(1, 6), n->kernel_w = draw(1, 5);
  n->stride_h = draw(1, 3), n->stride_w = draw(1, 3);
  n->dilation_h = draw(1, 2), n->dilation_w = draw(1, 2);
  n->pad_top = draw(0, 3), n->pad_left = draw(0, 3);
  n->height = draw(1, 9), n->width = draw(1, 12);
  n->out_height = draw(1, 6), n->out_width = draw(0, 5) ? draw(1, 9) : draw(31, 70);
  n->sums = sums;
  n->sets = (n->kernel_h + (sums == HWB_SUMS_BYTES ? 3 : 1)) / (sums == HWB_SUMS_BYTES ? 4 : 2);
  int spare = n->kernel_h % (sums == HWB_SUMS_BYTES ? 4 : 2) != 0;
  n->shared = spare && n->stride_h == 1 && n->dilation_h == 1 ? draw(1, 2) : 1;
  int64_t set_rows = sums == HWB_SUMS_BYTES ? 4 : 2, step = n->shared * n->stride_h;
  int whole = n->dilation_h == 1 && step % set_rows == 0 && draw(0, 3); /* sharing less is right too */
  n->moved = whole && step / set_rows < n->sets ? step / set_rows : n->sets;
  n->padded_width = at_least((n->out_width - 1) * n->stride_w + (n->kernel_w - 1) * n->dilation_w + 1, n->pad_left + n->width);
}

/* [shared][blocks of 16 channels][sets of rows][kernel_w][16][rows of a set]; rows and channels that are missing are zero,
   and the second of two output rows finds its weights one row down. */
static void pack(depthwise_case *c) {
  const hwb_depthwise_numbers *n = &c->op.n;
  int64_t dtype = c->rows == 4 ? HWB_S8 : HWB_S16, sets = n->sets;
  int64_t blocks = (c->channels + LANES - 1) / LANES, count = n->channels * n->multiplier * n->kernel_h * n->kernel_w;
  c->packed = exact((size_t)(n->shared * blocks * sets * n->kernel_w) * HWB_COLUMN_BYTES);
  memset(c->packed, 0, (size_t)(n->shared * blocks * sets * n->kernel_w) * HWB_COLUMN_BYTES);
  for (int64_t at = 0; at < n->shared * count; at++) {
    int64_t down = at / count, o = at % count / (n->kernel_h * n->kernel_w), i = at % count / n->kernel_w % n->kernel_h;
    int64_t term = ((down * blocks + o / LANES) * sets + (i + down) / c->rows) * n->kernel_w + at % n->kernel_w;
    hwb_store(c->packed, dtype, (term * LANES + o % LANES) * c->rows + (i + down) % c->rows, c->weights[at % count]);
  }
  c->offsets = exact((size_t)(sets * sets * n->kernel_w) * 8);
  for (int64_t t = 0; t < sets * sets * n->kernel_w; t++) {
    int64_t turn = t / (sets * n->kernel_w), place = (t / n->kernel_w + turn) % sets;
    c->offsets[t] = (place * n->padded_width + t % n->kernel_w * n->dilation_w) * HWB_COLUMN_BYTES;
  }
}

static void make_depthwise(depthwise_case *c, int64_t sums) {
  hwb_depthwise_numbers *n = &c->op.n;
  memset(c, 0, sizeof *c);
  draw_geometry(n, sums);
  c->channels = n->channels * n->multiplier, c->rows = sums == HWB_SUMS_BYTES ? 4 : 2;
  int64_t count = c->channels * n->kernel_h * n->kernel_w, extreme = draw(0, 3) == 0;
  c->weights = exact((size_t)count * 2);
  for (int64_t i = 0; i < count; i++) c->weights[i] = extreme ? -128 : (int16_t)draw(-128, 127);
  pack(c);
  make_ends(&c->ends, c->channels, sums == HWB_SUMS_S64);
  c->op.weights = c->packed, c->op.offsets = c->offsets;
}

/* What the sum of stored codes or bytes holds beyond that of centred inputs: a zero point by the sum of the weights. */
static int64_t beyond(const depthwise_case *c, int64_t o) {
  const hwb_depthwise_numbers *n = &c->op.n;
  int64_t sum = 0, taps = n->kernel_h * n->kernel_w;
  for (int64_t t = 0; t < taps; t++) sum += c->weights[o * taps + t];
  return sum * (n->x_zero - (n->sums == HWB_SUMS_BYTES && n->x_dtype == HWB_S8 ? INT8_MIN : 0));
}

/* One output's sum by the definition; taps outside the input hold the padding's code. */
static int64_t plain_depthwise(const depthwise_case *c, const void *x, int64_t oh, int64_t ow, int64_t o) {
  const hwb_depthwise_numbers *n = &c->op.n;
  int64_t sum = 0;
  for (int64_t i = 0; i < n->kernel_h; i++)
    for (int64_t j = 0; j < n->kernel_w; j++) {
      int64_t h = oh * n->stride_h + i * n->dilation_h - n->pad_top, w = ow * n->stride_w + j * n->dilation_w - n->pad_left;
      int inside = h >= 0 && h < n->height && w >= 0 && w < n->width;
      int64_t code = inside ? hwb_load(x, n->x_dtype, (h * n->width + w) * n->channels + o / n->multiplier) : n->pad_code;
      sum += (code - n->x_zero) * c->weights[(o * n->kernel_h + i) * n->kernel_w + j];
    }
  return sum;
}

static void expect_depthwise(const hwb_kernels *k, const depthwise_case *c, const int64_t *bias, const char *x, const void *y, int64_t samples) {
  const hwb_depthwise_numbers *n = &c->op.n;
  int64_t plane = n->out_height * n->out_width, inputs = n->height * n->width * n->channels;
  for (int64_t i = 0; i < samples * plane * c->channels; i++) {
    int64_t m = i / c->channels % plane, o = i % c->channels;
    const char *sample = x + (size_t)(i / c->channels / plane * inputs) * hwb_size_of(n->x_dtype);
    int64_t sum = bias[o] + plain_depthwise(c, sample, m / n->out_width, m % n->out_width, o);
    expect_equal(hwb_load(y, c->op.ends.cast.n.out_dtype, i), ended(&c->ends, sum, o), "depthwise", k->name);
  }
}

static void check_one(const hwb_kernels *k, int64_t sums, int64_t samples) {
  depthwise_case c;
  make_depthwise(&c, sums);
  const hwb_depthwise_numbers *n = &c.op.n;
  int64_t bias[128];
  memcpy(bias, c.ends.bias, (size_t)c.channels * 8);
  for (int64_t o = 0; o < c.channels; o++) lower_bias(&c.ends, o, beyond(&c, o));
  c.op.ends = c.ends.ends;
  hwb_op op = {hwb_depthwise_run, k, &c.op, hwb_depthwise_scratch_bytes(&c.op)};
  char *x = codes_of(n->x_dtype, samples * n->height * n->width * n->channels);
  void *y = exact((size_t)(samples * n->out_height * n->out_width * c.channels) * hwb_size_of(c.op.ends.cast.n.out_dtype));
  void *scratch = exact(op.scratch_bytes);
  const void *in[1] = {x};
  hwb_stats stats = fresh(1);
  expect_equal(op.run(&op, in, y, samples, scratch, &stats), HWB_OK, "status", k->name);
  expect_depthwise(k, &c, bias, x, y, samples);
  free(x);
  free(y);
  free(scratch);
  free(c.weights);
  free(c.packed);
  free(c.offsets);
  free_ends(&c.ends);
}

static void check_depthwise(const hwb_kernels *k) {
  static const int64_t kinds[] = {HWB_SUMS_S32, HWB_SUMS_S64, HWB_SUMS_BYTES};
  for (int round = 0; round < 150; round++)
    for (int i = 0; i < 3; i++) check_one(k, kinds[i], 1 + round % 3);
}

int main(void) { return on_every_isa(check_depthwise); }
