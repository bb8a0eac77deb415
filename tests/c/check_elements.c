/* Tables, gathers, pooling, rational arithmetic, softmax and programs against plain loops, on exactly sized buffers. */
#include "check.h"

static const int64_t LOW[] = {INT8_MIN, 0, INT16_MIN, 0}, HIGH[] = {INT8_MAX, UINT8_MAX, INT16_MAX, UINT16_MAX};

static void *random_codes(int64_t dtype, int64_t count) {
  void *x = exact((size_t)count * hwb_size_of(dtype));
  for (int64_t i = 0; i < count; i++) hwb_store(x, dtype, i, draw(LOW[dtype], HIGH[dtype]));
  return x;
}

static void run(hwb_run function, const hwb_kernels *k, const void *parameters, const void *const *in, void *y, int64_t n,
                hwb_stats *stats) {
  hwb_op op = {function, k, parameters, 0};
  expect_equal(function(&op, in, y, n, NULL, stats), HWB_OK, "status", k->name);
}

static void check_table(const hwb_kernels *k, int64_t x_dtype, int64_t y_dtype) {
  int64_t entries = HIGH[x_dtype] - LOW[x_dtype] + 1, count = draw(1, 70), n = draw(1, 7);
  void *x = random_codes(x_dtype, count * n), *table = random_codes(y_dtype, entries);
  void *y = exact((size_t)(count * n) * hwb_size_of(y_dtype));
  hwb_table p = {{x_dtype, y_dtype, count}, table};
  const void *in[1] = {x};
  hwb_stats stats = fresh(1);
  hwb_store(x, x_dtype, 0, LOW[x_dtype]);
  hwb_store(x, x_dtype, count * n - 1, HIGH[x_dtype]);
  run(hwb_table_run, k, &p, in, y, n, &stats);
  for (int64_t i = 0; i < count * n; i++)
    expect_equal(hwb_load(y, y_dtype, i), hwb_load(table, y_dtype, hwb_load(x, x_dtype, i) - LOW[x_dtype]), "table", k->name);
  free(x);
  free(table);
  free(y);
}

static void check_gather(const hwb_kernels *k, int64_t dtype) {
  enum { COUNT = 40, INPUTS = 3 };
  int64_t counts[INPUTS] = {draw(1, 9), draw(1, 9), draw(1, 9)}, n = draw(1, 5), fill = draw(0, 100);
  int32_t which[COUNT], element[COUNT];
  void *x[INPUTS], *y = exact((size_t)(COUNT * n) * hwb_size_of(dtype));
  const void *in[INPUTS];
  for (int i = 0; i < INPUTS; i++) in[i] = x[i] = random_codes(dtype, counts[i] * n);
  for (int i = 0; i < COUNT; i++) {
    which[i] = (int32_t)draw(-1, INPUTS - 1);
    element[i] = which[i] < 0 ? 0 : (int32_t)draw(0, counts[which[i]] - 1);
  }
  hwb_gather p = {{dtype, COUNT, COUNT, INPUTS, fill}, counts, which, element, NULL};
  hwb_stats stats = fresh(1);
  run(hwb_gather_run, k, &p, in, y, n, &stats);
  for (int64_t i = 0; i < COUNT * n; i++) {
    int32_t w = which[i % COUNT];
    int64_t wanted = w < 0 ? fill : hwb_load(x[w], dtype, i / COUNT * counts[w] + element[i % COUNT]);
    expect_equal(hwb_load(y, dtype, i), wanted, "gather", k->name);
  }
  for (int i = 0; i < INPUTS; i++) free(x[i]);
  free(y);
}

/* Runs of neighbours from any input, and of the fill. */
static void check_runs(const hwb_kernels *k, int64_t dtype) {
  enum { RUNS = 6, INPUTS = 2, MOST = 20 };
  int64_t counts[INPUTS] = {draw(1, MOST), draw(1, MOST)}, n = draw(1, 4), fill = draw(0, 100), count = 0;
  int32_t which[RUNS], element[RUNS], lengths[RUNS];
  for (int i = 0; i < RUNS; i++) {
    which[i] = (int32_t)draw(-1, INPUTS - 1);
    element[i] = which[i] < 0 ? 0 : (int32_t)draw(0, counts[which[i]] - 1);
    lengths[i] = (int32_t)draw(1, which[i] < 0 ? MOST : counts[which[i]] - element[i]);
    count += lengths[i];
  }
  void *x[INPUTS], *y = exact((size_t)(count * n) * hwb_size_of(dtype));
  const void *in[INPUTS];
  for (int i = 0; i < INPUTS; i++) in[i] = x[i] = random_codes(dtype, counts[i] * n);
  hwb_gather p = {{dtype, count, RUNS, INPUTS, fill}, counts, which, element, lengths};
  hwb_stats stats = fresh(1);
  run(hwb_gather_run, k, &p, in, y, n, &stats);
  for (int64_t s = 0, at = 0; s < n; s++)
    for (int i = 0; i < RUNS; i++)
      for (int64_t j = 0; j < lengths[i]; j++, at++) {
        int64_t wanted = which[i] < 0 ? fill : hwb_load(x[which[i]], dtype, s * counts[which[i]] + element[i] + j);
        expect_equal(hwb_load(y, dtype, at), wanted, "runs", k->name);
      }
  for (int i = 0; i < INPUTS; i++) free(x[i]);
  free(y);
}

static void check_split(const hwb_kernels *k, int64_t dtype) {
  enum { OUTPUTS = 3, MOST = 60 };
  int64_t counts[2] = {draw(1, 9), draw(1, 9)}, sizes[OUTPUTS] = {draw(1, 20), draw(1, 20), draw(1, 20)}, n = draw(1, 4);
  int32_t which[MOST], element[MOST];
  for (int i = 0; i < MOST; i++) {
    which[i] = (int32_t)draw(-1, 1);
    element[i] = which[i] < 0 ? 0 : (int32_t)draw(0, counts[which[i]] - 1);
  }
  void *x[2] = {random_codes(dtype, counts[0] * n), random_codes(dtype, counts[1] * n)}, *out[OUTPUTS];
  for (int o = 0; o < OUTPUTS; o++) out[o] = exact((size_t)(sizes[o] * n) * hwb_size_of(dtype));
  hwb_split p = {{dtype, OUTPUTS, 7}, counts, sizes, which, element};
  hwb_op op = {hwb_split_run, k, &p, 0};
  hwb_step step = {&op, 2, {0, 1}, 2, 2, {3, 4}};
  void *slots[5] = {x[0], x[1], out[0], out[1], out[2]};
  hwb_stats stats = fresh(1);
  expect_equal(hwb_program_run(&step, 1, slots, n, NULL, &stats), HWB_OK, "split status", k->name);
  for (int64_t o = 0, first = 0; o < OUTPUTS; first += sizes[o], o++)
    for (int64_t i = 0; i < n * sizes[o]; i++) {
      int32_t at = (int32_t)(first + i % sizes[o]), w = which[at];
      int64_t wanted = w < 0 ? 7 : hwb_load(x[w], dtype, i / sizes[o] * counts[w] + element[at]);
      expect_equal(hwb_load(out[o], dtype, i), wanted, "split", k->name);
    }
  free(x[0]);
  free(x[1]);
  for (int o = 0; o < OUTPUTS; o++) free(out[o]);
}

static hwb_window draw_window(int64_t dtype) {
  hwb_window w = {dtype,      draw(1, 8), draw(1, 8), draw(1, 20), draw(1, 4), draw(1, 4), draw(1, 3),
                  draw(1, 3), draw(1, 3), draw(1, 3), draw(1, 2),  draw(1, 2), draw(0, 2), draw(0, 2)};
  return w;
}

/* Value of tap t of an output, and whether it lies on the input. */
static int tap_value(const hwb_window *w, const void *x, int64_t i, int64_t t, int64_t *value) {
  int64_t c = i % w->channels, m = i / w->channels, ow = m % w->out_width, oh = m / w->out_width % w->out_height;
  int64_t s = m / w->out_width / w->out_height;
  int64_t h = oh * w->stride_h + t / w->kernel_w * w->dilation_h - w->pad_top;
  int64_t v = ow * w->stride_w + t % w->kernel_w * w->dilation_w - w->pad_left;
  if (h < 0 || h >= w->height || v < 0 || v >= w->width) return 0;
  *value = hwb_load(x, w->x_dtype, ((s * w->height + h) * w->width + v) * w->channels + c);
  return 1;
}

static void check_maxpool(const hwb_kernels *k, int64_t dtype) {
  hwb_maxpool p = {draw_window(dtype), LOW[dtype]};
  int64_t n = draw(1, 3), outputs = n * p.w.out_height * p.w.out_width * p.w.channels;
  void *x = random_codes(dtype, n * p.w.height * p.w.width * p.w.channels), *y = exact((size_t)outputs * hwb_size_of(dtype));
  const void *in[1] = {x};
  hwb_stats stats = fresh(1);
  run(hwb_maxpool_run, k, &p, in, y, n, &stats);
  for (int64_t i = 0; i < outputs; i++) {
    int64_t best = LOW[dtype], value;
    for (int64_t t = 0; t < p.w.kernel_h * p.w.kernel_w; t++)
      if (tap_value(&p.w, x, i, t, &value) && value > best) best = value;
    expect_equal(hwb_load(y, dtype, i), best, "maxpool", k->name);
  }
  free(x);
  free(y);
}

/* An end that saturates to 8 bits, or to a clamp inside. */
static hwb_cast_numbers draw_end(void) {
  hwb_cast_numbers end;
  memset(&end, 0, sizeof end);
  end.rounding = draw(HWB_FLOOR, HWB_HALF_ODD);
  end.zero_point = draw(-20, 20);
  end.bits = 64, end.is_signed = 1;
  end.counts_low = draw(0, 2) > 0, end.counts_high = draw(0, 2) > 0;
  end.lo = end.clamp_lo = INT8_MIN, end.hi = end.clamp_hi = INT8_MAX;
  if (draw(0, 1)) end.clamp_lo = draw(-100, 0), end.clamp_hi = draw(1, 100);
  end.out_dtype = HWB_S8;
  return end;
}

/* num / den rounded by floor alone, then the end; every mode but the ties is floor(v + 1/2). */
static int64_t ended(const hwb_cast_numbers *e, hwb_int128 num, hwb_int128 den, hwb_stats *stats) {
  hwb_int128 low = num / den - (num % den < 0), rest = num - low * den;
  int half = 2 * rest > den ? 1 : 2 * rest < den ? -1 : 0;
  int tie_up[] = {0, 0, 0, 0, (int)(low & 1), 1, 0, num >= 0, num < 0, !(low & 1)};
  int up = half > 0 || (half == 0 && tie_up[e->rounding]);
  if (e->rounding <= HWB_AWAY) {
    int directed[] = {0, rest > 0, rest > 0 && num < 0, rest > 0 && num > 0};
    up = directed[e->rounding];
  }
  int64_t v = (int64_t)(low + up) + e->zero_point;
  stats->saturated += v < e->lo ? e->counts_low : v > e->hi ? e->counts_high : 0;
  v = v < e->lo ? e->lo : v > e->hi ? e->hi : v;
  return v < e->clamp_lo ? e->clamp_lo : v > e->clamp_hi ? e->clamp_hi : v;
}

static void check_avgpool(const hwb_kernels *k, int64_t dtype) {
  hwb_avgpool_numbers numbers = {draw_window(dtype), draw_end(), draw(-5, 5)};
  const hwb_window *w = &numbers.w;
  int64_t windows = w->out_height * w->out_width, n = draw(1, 3), outputs = n * windows * w->channels;
  int64_t ratio[4] = {draw(1, 3), 0, draw(1, 5), 0}, counts[16];
  for (int64_t i = 0; i < windows; i++) counts[i] = draw(1, 9);
  hwb_avgpool p = {numbers, counts, ratio};
  void *x = random_codes(dtype, n * w->height * w->width * w->channels);
  int8_t *y = exact((size_t)outputs);
  const void *in[1] = {x};
  hwb_stats got = fresh(1), want = fresh(1);
  run(hwb_avgpool_run, k, &p, in, y, n, &got);
  for (int64_t i = 0; i < outputs; i++) {
    int64_t sum = 0, value;
    for (int64_t t = 0; t < w->kernel_h * w->kernel_w; t++)
      if (tap_value(w, x, i, t, &value)) sum += value - numbers.x_zero;
    int64_t den = ratio[2] * counts[i / w->channels % windows];
    expect_equal(y[i], ended(&numbers.end, (hwb_int128)sum * ratio[0], den, &want), "avgpool", k->name);
  }
  expect_equal(got.saturated, want.saturated, "avgpool saturated", k->name);
  free(x);
  free(y);
}

static void check_rational(const hwb_kernels *k, int64_t dtype) {
  int64_t f[10] = {draw(-9, 9), 0, draw(-9, 9), 0, draw(-3, 3), 0, draw(-40, 40), 0, draw(1, 500), 0}, n = draw(1, 4);
  int64_t a_index[50], count = 50, b_count = 7, b_index[50], constant[50];
  for (int i = 0; i < 10; i += 2) f[i + 1] = f[i] < 0 ? -1 : 0; /* the high word of a signed number */
  for (int i = 0; i < 50; i++) a_index[i] = draw(0, 49), b_index[i] = i % b_count, constant[i] = draw(-300, 300);
  hwb_rational p = {{draw_end(), dtype, 3, HWB_S8, -4, draw(0, 1), count, count, b_count}, f, draw(0, 1) ? a_index : NULL, b_index,
                    draw(0, 2) ? NULL : constant};
  void *a = random_codes(dtype, n * count), *b = random_codes(HWB_S8, n * b_count);
  int8_t *y = exact((size_t)(n * count));
  const void *in[2] = {a, b};
  hwb_stats got = fresh(1), want = fresh(1);
  run(hwb_rational_run, k, &p, in, y, n, &got);
  for (int64_t i = 0; i < n * count; i++) {
    int64_t s = i / count, j = i % count;
    int64_t u = hwb_load(a, dtype, s * count + (p.a_index ? p.a_index[j] : j)) - 3;
    int64_t v = p.b_constant ? constant[j] : p.n.has_b ? hwb_load(b, HWB_S8, s * b_count + b_index[j]) + 4 : 0;
    hwb_int128 num = (hwb_int128)u * f[0] + (hwb_int128)v * f[2] + (hwb_int128)u * v * f[4] + f[6];
    expect_equal(y[i], ended(&p.n.end, num, f[8], &want), "rational", k->name);
  }
  expect_equal(got.saturated, want.saturated, "rational saturated", k->name);
  free(a);
  free(b);
  free(y);
}

static void check_softmax(const hwb_kernels *k, int64_t dtype) {
  int64_t rows = draw(1, 4), length = draw(1, 33), n = draw(1, 3), ratio[4] = {256, 0, 1, 0};
  int64_t entries = HIGH[dtype] - LOW[dtype] + 1, *table = exact((size_t)entries * 8);
  for (int64_t d = 0; d < entries; d++) table[d] = d ? draw(0, 1 << 30) : 1 << 30;
  hwb_softmax p = {{draw_end(), dtype, rows, length}, table, ratio};
  void *x = random_codes(dtype, n * rows * length);
  int8_t *y = exact((size_t)(n * rows * length));
  const void *in[1] = {x};
  hwb_stats got = fresh(1), want = fresh(1);
  run(hwb_softmax_run, k, &p, in, y, n, &got);
  for (int64_t r = 0; r < n * rows; r++) {
    int64_t most = INT64_MIN, sum = 0;
    for (int64_t i = 0; i < length; i++) most = hwb_max(most, hwb_load(x, dtype, r * length + i));
    for (int64_t i = 0; i < length; i++) sum += table[most - hwb_load(x, dtype, r * length + i)];
    for (int64_t i = 0; i < length; i++) {
      hwb_int128 num = (hwb_int128)table[most - hwb_load(x, dtype, r * length + i)] * ratio[0];
      expect_equal(y[r * length + i], ended(&p.n.end, num, sum, &want), "softmax", k->name);
    }
  }
  expect_equal(got.saturated, want.saturated, "softmax saturated", k->name);
  free(x);
  free(y);
  free(table);
}

/* Two tables in a row through three slots equal the composed table. */
static void check_program(const hwb_kernels *k) {
  enum { COUNT = 37 };
  uint8_t *first = random_codes(HWB_U8, 256), *second = random_codes(HWB_U8, 256), *x = random_codes(HWB_U8, 3 * COUNT);
  uint8_t *middle = exact(3 * COUNT), *y = exact(3 * COUNT);
  hwb_table p = {{HWB_U8, HWB_U8, COUNT}, first}, q = {{HWB_U8, HWB_U8, COUNT}, second};
  hwb_op one = {hwb_table_run, k, &p, 0}, two = {hwb_table_run, k, &q, 0};
  hwb_step steps[2] = {{&one, 1, {0}, 1, 0, {0}}, {&two, 1, {1}, 2, 0, {0}}};
  void *slots[3] = {x, middle, y};
  hwb_stats stats[2] = {fresh(1), fresh(1)};
  expect_equal(hwb_program_run(steps, 2, slots, 3, NULL, stats), HWB_OK, "program status", k->name);
  for (int i = 0; i < 3 * COUNT; i++) expect_equal(y[i], second[first[x[i]]], "program", k->name);
  free(first);
  free(second);
  free(x);
  free(middle);
  free(y);
}

static void check_elements(const hwb_kernels *k) {
  for (int round = 0; round < 60; round++)
    for (int64_t dtype = HWB_S8; dtype <= HWB_U16; dtype++) {
      if (round < 8) check_table(k, dtype, round % 4);
      check_gather(k, dtype);
      check_runs(k, dtype);
      check_split(k, dtype);
      check_maxpool(k, dtype);
      check_avgpool(k, dtype);
      check_rational(k, dtype);
      if (round < 8) check_softmax(k, dtype);
    }
  check_program(k);
}

int main(void) { return on_every_isa(check_elements); }
