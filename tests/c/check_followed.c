/* Ordered sums: followed additions, depthwise windows, and products of two run-time operands against plain loops. */
#include "check.h"
#include <hwblocks/ordered.h>

enum { COLUMNS = HWB_TILE_COLUMNS };

static int64_t limited(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

static int16_t *drawn(int64_t count, int64_t low, int64_t high) {
  int16_t *made = exact((size_t)count * 2);
  for (int64_t i = 0; i < count; i++) made[i] = (int16_t)draw(low, high);
  return made;
}

/* One column of one row: every addition. */
static void follow(const int16_t *x, const int16_t *w, int64_t k, int64_t low, int64_t high, hwb_followed_sums *s, int64_t j) {
  for (int64_t i = 0; i < k; i++) {
    int64_t total = s->held[j] + x[i] * w[(i / 2 * COLUMNS + j) * 2 + i % 2];
    s->held[j] = (int32_t)limited(total, low, high);
    s->outside[j] += total < low || total > high;
    s->before[j] += !s->outside[j];
    s->lowest[j] = (int32_t)hwb_min(s->lowest[j], total);
    s->highest[j] = (int32_t)hwb_max(s->highest[j], total);
  }
}

static void check_steps(const hwb_kernels *kernels, int64_t k, int64_t bits) {
  int64_t high = ((int64_t)1 << (bits - 1)) - 1, low = -high - 1, pairs = (k + 1) / 2;
  int16_t *x = drawn(2 * pairs, -255, 255), *panel = drawn(pairs * 2 * COLUMNS, -128, 127);
  hwb_followed_sums made, wanted;
  for (int64_t j = 0; j < COLUMNS; j++) {
    made.held[j] = (int32_t)draw(low, high);
    made.outside[j] = (int32_t)draw(0, 1);
    made.before[j] = (int32_t)draw(0, 3);
    made.lowest[j] = INT32_MAX;
    made.highest[j] = INT32_MIN;
  }
  wanted = made;
  kernels->ordered.followed_s32(x, panel, k, (int32_t)low, (int32_t)high, &made);
  for (int64_t j = 0; j < COLUMNS; j++) {
    follow(x, panel, k, low, high, &wanted, j);
    expect_equal(made.held[j], wanted.held[j], "followed sum", kernels->name);
    expect_equal(made.outside[j], wanted.outside[j], "additions outside", kernels->name);
    expect_equal(made.before[j], wanted.before[j], "additions before", kernels->name);
    expect_equal(made.lowest[j], wanted.lowest[j], "lowest sum", kernels->name);
    expect_equal(made.highest[j], wanted.highest[j], "highest sum", kernels->name);
  }
  free(x);
  free(panel);
}

/* `count` positions `step` apart; taps lie 3 elements apart. */
static void check_channels(const hwb_kernels *kernels, int64_t count, int64_t taps, int64_t step) {
  int16_t *x = drawn((count - 1) * step + 3 * (taps - 1) + COLUMNS, -255, 255);
  int32_t *weights = exact((size_t)(taps * COLUMNS) * 4), sums[16 * COLUMNS], totals[16 * COLUMNS], plain[16 * COLUMNS];
  int32_t sizes[16 * COLUMNS], start[16 * COLUMNS];
  int64_t *offsets = exact((size_t)taps * 8);
  for (int64_t t = 0; t < taps; t++) offsets[t] = 3 * t;
  for (int64_t i = 0; i < taps * COLUMNS; i++) weights[i] = (uint16_t)(int16_t)draw(-128, 127);
  for (int64_t i = 0; i < count * COLUMNS; i++) sums[i] = start[i] = (int32_t)draw(-32768, 32767);
  hwb_channel_windows c = {x, step, count, offsets, taps, weights, -32768, 32767};
  kernels->ordered.channels_limited(&c, sums, totals);
  kernels->ordered.channels_plain(&c, plain, sizes);
  for (int64_t i = 0; i < count * COLUMNS; i++) {
    int64_t held = start[i], total = 0, size = 0;
    for (int64_t t = 0; t < taps; t++) {
      int64_t p = x[i / COLUMNS * step + 3 * t + i % COLUMNS] * (int16_t)(uint16_t)weights[t * COLUMNS + i % COLUMNS];
      held = limited(held + p, -32768, 32767);
      total += p;
      size += p < 0 ? -p : p;
    }
    expect_equal(sums[i], held, "limited channels", kernels->name);
    expect_equal(totals[i], total, "totals of channels", kernels->name);
    expect_equal(plain[i], total, "plain channels", kernels->name);
    expect_equal(sizes[i], size, "sizes of channels", kernels->name);
  }
  free(x);
  free(weights);
  free(offsets);
}

typedef struct {
  int64_t batch, b_batch, m, k, n, bits, kind, level;
} product;

static hwb_ordered_matmul matmul_of(const product *p) {
  int64_t high = ((int64_t)1 << (p->bits - 1)) - 1;
  hwb_ordered_numbers s = {.x_dtype = HWB_S8, .height = p->batch * p->m, .width = 1, .channels = p->k,
                           .out_height = p->batch * p->m, .out_width = 1, .out_channels = p->n, .stride_h = 1, .stride_w = 1,
                           .groups = 1, .padded_height = p->batch * p->m, .padded_width = 1, .taps = 1, .run = p->k,
                           .kind = p->kind, .carried = 1, .flush = 1 << 14, .low = -high - 1, .high = high};
  hwb_accumulator a = {.sum = {p->bits, 1, HWB_HOLD_SATURATE, 0}, .part = {16, 1, 0, 0}, .group = 1};
  hwb_ordered_matmul made = {.n = {0, HWB_U8, 130, p->batch, p->b_batch, p->m, s}};
  made.n.sums.a = a;
  made.ends.tail_start = HWB_NO_TAIL;
  made.ends.cast.n.out_dtype = HWB_S32;
  made.ends.cast.n.accumulator_bits = 64;
  return made;
}

static void expect_product(const product *p, const int8_t *a, const uint8_t *b, const int32_t *y, int64_t samples,
                           const hwb_stats *stats, const char *isa) {
  int64_t high = ((int64_t)1 << (p->bits - 1)) - 1, outside = 0, steps = 0, counted = 0;
  for (int64_t i = 0; i < samples * p->batch * p->m * p->n; i++) {
    int64_t row = i / p->n, j = i % p->n, which = p->b_batch == 1 ? row / p->m / p->batch : row / p->m, sum = 0, total = 0;
    for (int64_t k = 0; k < p->k; k++) {
      int64_t v = a[row * p->k + k] * (b[(which * p->k + k) * p->n + j] - 130), next = limited(sum + v, -high - 1, high);
      steps += next != sum + v;
      sum = next;
      total += v;
    }
    outside += total < -high - 1 || total > high;
    expect_equal(y[i], sum, "product", isa);
  }
  for (int64_t j = 0; j < p->n; j++) counted += stats->channels[j].steps;
  if (p->level) expect_equal(stats->outside, outside, "totals outside", isa);
  if (p->level >= 3) expect_equal(counted, steps, "steps of products", isa);
}

static void check_product(const hwb_kernels *kernels, const product *p, int64_t samples) {
  hwb_ordered_matmul matmul = matmul_of(p);
  int64_t elements = samples * p->batch * p->m * p->n, a_count = samples * p->batch * p->m * p->k;
  int64_t b_count = samples * p->b_batch * p->k * p->n;
  int64_t *none = exact((size_t)(p->n + 16) * 8);
  int32_t *none32 = exact((size_t)(p->n + 16) * 4), *y = exact((size_t)elements * 4);
  int8_t *a = exact((size_t)a_count);
  uint8_t *b = exact((size_t)b_count);
  memset(none, 0, (size_t)(p->n + 16) * 8);
  memset(none32, 0, (size_t)(p->n + 16) * 4);
  for (int64_t i = 0; i < a_count; i++) a[i] = (int8_t)draw(-128, 127);
  for (int64_t i = 0; i < b_count; i++) b[i] = (uint8_t)draw(2, 255);
  matmul.ends.cast.bias = none;
  matmul.ends.cast.bias32 = none32;
  hwb_op op = {hwb_ordered_matmul_run, kernels, &matmul, hwb_ordered_matmul_scratch_bytes(&matmul)};
  void *scratch = exact(op.scratch_bytes);
  hwb_channel_counts *counts = exact((size_t)p->n * sizeof *counts);
  hwb_stats stats = fresh(p->level);
  stats.channels = counts;
  const void *in[2] = {a, b};
  hwb_ordered_matmul_run(&op, in, y, samples, scratch, &stats);
  expect_product(p, a, b, y, samples, &stats, kernels->name);
  void *all[] = {none, none32, y, a, b, scratch, counts};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void check(const hwb_kernels *kernels) {
  static const int64_t lengths[] = {1, 2, 3, 9, 32, 33, 300};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    for (int64_t n = 1; n < 64; n = 3 * n + 2) {
      check_steps(kernels, lengths[i], 15 + n % 7);
      check_channels(kernels, 1 + n % 16, lengths[i], 16 + n);
      for (int64_t kind = HWB_ELEMENTS; kind <= HWB_PROBED; kind++)
        for (int64_t level = 0; level <= 3; level++) {
          product p = {2, 1 + (n & 1), 1 + n % 8, lengths[i], n, kind == HWB_SAT16 ? 16 : 17, kind, level};
          check_product(kernels, &p, 2);
        }
    }
}

int main(void) { return on_every_isa(check); }
