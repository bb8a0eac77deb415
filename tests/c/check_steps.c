/* Element-wise steps, sums over axes, softmax of runtimes and float pooling against plain loops. */
#include "check.h"
#include <math.h>

enum { LANES = 16, TAIL_ADDS = 9, MOST = 150 };
static const int64_t LOW[] = {INT8_MIN, 0, INT16_MIN, 0}, HIGH[] = {INT8_MAX, UINT8_MAX, INT16_MAX, UINT16_MAX};
static int64_t zeros64[2 * MOST], more64[2 * MOST];
static int32_t zeros32[2 * MOST], more32[2 * MOST];

static void *random_codes(int64_t dtype, int64_t count) {
  void *x = exact((size_t)count * hwb_size_of(dtype));
  for (int64_t i = 0; i < count; i++) {
    int64_t kind = draw(0, 3);
    hwb_store(x, dtype, i, kind == 0 ? LOW[dtype] : kind == 1 ? HIGH[dtype] : draw(LOW[dtype], HIGH[dtype]));
  }
  return x;
}

/* Ends that store the sums, from tail_start on with TAIL_ADDS more. */
static hwb_ends raw_ends(int64_t dtype, int64_t tail_start) {
  hwb_ends ends;
  memset(&ends, 0, sizeof ends);
  ends.tail_start = tail_start;
  ends.cast.n.scheme = HWB_RAW, ends.cast.n.accumulator_bits = 64, ends.cast.n.out_dtype = dtype;
  ends.cast.bias = zeros64, ends.cast.bias32 = zeros32;
  ends.tail = ends.cast;
  ends.tail.bias = more64, ends.tail.bias32 = more32;
  return ends;
}

static hwb_cast_numbers end_of_bits(int64_t low, int64_t high, int64_t dtype) {
  hwb_cast_numbers end;
  memset(&end, 0, sizeof end);
  end.zero_point = draw(-9, 9), end.bits = 64, end.is_signed = 1;
  end.counts_low = draw(0, 1), end.counts_high = draw(0, 1);
  end.lo = end.clamp_lo = low, end.hi = end.clamp_hi = high;
  if (draw(0, 1)) end.clamp_lo = low + 9, end.clamp_hi = high - 9;
  end.out_dtype = dtype;
  return end;
}

static int64_t ended(const hwb_cast_numbers *e, int64_t t, hwb_stats *stats) {
  int64_t v = t + e->zero_point;
  stats->saturated += v < e->lo ? e->counts_low : v > e->hi ? e->counts_high : 0;
  v = v < e->lo ? e->lo : v > e->hi ? e->hi : v;
  return v < e->clamp_lo ? e->clamp_lo : v > e->clamp_hi ? e->clamp_hi : v;
}

typedef struct {
  hwb_operand operand;
  void *x;
  int32_t *table, *constant;
  int64_t *index;
  double *reals, *real_constant;
} operand_case;

/* A constant, or codes of a type with a table or a zero point, every element or some by an index. */
static void make_operand(operand_case *o, int64_t count, int64_t n, int may_be_constant, int64_t peak) {
  int64_t dtype = draw(HWB_S8, HWB_S16), entries = HIGH[dtype] - LOW[dtype] + 1, own = draw(0, 1) ? count : draw(1, 7);
  memset(o, 0, sizeof *o);
  o->constant = exact((size_t)count * 4), o->real_constant = exact((size_t)count * 8), o->index = exact((size_t)count * 8);
  o->table = exact((size_t)entries * 8), o->reals = exact((size_t)entries * 8);
  for (int64_t i = 0; i < count; i++) o->real_constant[i] = o->constant[i] = (int32_t)draw(-peak, peak);
  for (int64_t i = 0; i < count; i++) o->index[i] = draw(0, own - 1);
  for (int64_t i = 0; i < 2 * entries; i++) o->table[i] = (int32_t)draw(-peak, peak);
  for (int64_t i = 0; i < entries; i++) o->reals[i] = o->table[i] / 64.0;
  o->x = random_codes(dtype, own * n);
  hwb_operand_numbers numbers = {dtype, draw(-5, 5), LOW[dtype], own, may_be_constant && draw(0, 2) == 0, draw(0, 1) * entries};
  hwb_operand made = {numbers, draw(0, 1) ? o->table : NULL, o->reals, o->constant, o->real_constant, own == count && draw(0, 1) ? NULL : o->index};
  o->operand = made;
}

static void free_operand(operand_case *o) {
  free(o->x);
  free(o->table);
  free(o->constant);
  free(o->index);
  free(o->reals);
  free(o->real_constant);
}

static int64_t code_at(const operand_case *o, int64_t s, int64_t i) {
  const hwb_operand *p = &o->operand;
  return hwb_load(o->x, p->n.dtype, s * p->n.count + (p->index ? p->index[i] : i));
}

static int64_t worth(const operand_case *o, int64_t s, int64_t i, int in_tail) {
  if (o->operand.n.is_constant) return o->constant[i];
  int64_t code = code_at(o, s, i), entry = code - o->operand.n.lowest + (in_tail ? o->operand.n.rest : 0);
  return o->operand.table ? o->table[entry] : code - o->operand.n.zero;
}

static int64_t combined(int64_t combination, int64_t a, int64_t b) {
  int64_t by[] = {a, a + b, a * b, (a + b) * (a + b), a >= 0 ? a : a * b + TAIL_ADDS};
  return by[combination];
}

static void check_elements(const hwb_kernels *k, int64_t combination) {
  int64_t row = draw(1, MOST), count = row * draw(1, 3), n = draw(1, 4), wide = draw(0, 1);
  int64_t out = wide ? HWB_S64 : HWB_S32, tail = draw(0, 1) ? draw(0, row) : HWB_NO_TAIL;
  operand_case a, b;
  make_operand(&a, count, n, 0, wide ? INT32_MAX / 2 : 15000);
  make_operand(&b, count, n, 1, wide ? INT32_MAX / 2 : 15000);
  if (!wide && a.operand.n.dtype == HWB_S16) a.operand.table = a.table;
  if (!wide && b.operand.n.dtype == HWB_S16) b.operand.table = b.table;
  hwb_elements p = {{combination, count, wide, row}, raw_ends(out, tail), a.operand, b.operand};
  void *y = exact((size_t)(n * count) * hwb_size_of(out));
  const void *in[2] = {a.x, b.x};
  hwb_op op = {hwb_elements_run, k, &p, 0};
  hwb_stats stats = fresh(1);
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < n * count; i++) {
    int64_t s = i / count, j = i % count;
    int in_tail = j % row >= tail;
    int64_t wanted = combined(combination, worth(&a, s, j, in_tail), worth(&b, s, j, in_tail));
    if (in_tail && combination != HWB_SLOPES) wanted += TAIL_ADDS;
    expect_equal(hwb_load(y, out, i), wanted, "elements", k->name);
  }
  free(y);
  free_operand(&a);
  free_operand(&b);
}

static void check_float_sum(const hwb_kernels *k) {
  int64_t count = draw(1, MOST), n = draw(1, 4);
  operand_case a, b;
  make_operand(&a, count, n, 0, 9000);
  make_operand(&b, count, n, 1, 150);
  hwb_float_sum p = {{end_of_bits(INT8_MIN, INT8_MAX, HWB_S8), count}, a.operand, b.operand};
  p.n.end.zero_point = 0;
  int8_t *y = exact((size_t)(n * count));
  const void *in[2] = {a.x, b.x};
  hwb_op op = {hwb_float_sum_run, k, &p, 0};
  hwb_stats got = fresh(1), want = fresh(1);
  expect_equal(op.run(&op, in, y, n, NULL, &got), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < n * count; i++) {
    int64_t s = i / count, j = i % count;
    double u = a.reals[code_at(&a, s, j) - a.operand.n.lowest];
    double v = b.operand.n.is_constant ? b.real_constant[j] : b.reals[code_at(&b, s, j) - b.operand.n.lowest];
    int64_t sixty_fourths = (int64_t)((u + v) * 64), low = sixty_fourths >> 6, rest = sixty_fourths & 63;
    int64_t wanted = low + (rest > 32 || (rest == 32 && low & 1));
    expect_equal(y[i], ended(&p.n.end, wanted, &want), "float sum", k->name);
  }
  expect_equal(got.saturated, want.saturated, "float sum saturated", k->name);
  free(y);
  free_operand(&a);
  free_operand(&b);
}

static void check_reduce(const hwb_kernels *k) {
  int64_t dtype = draw(HWB_S8, HWB_U16), outer = draw(1, 3), reduced = draw(1, 9), inner = draw(1, 40), n = draw(1, 3);
  int64_t wide = draw(0, 1), out = wide ? HWB_S64 : HWB_S32, tail = draw(0, 1) ? draw(0, 40) : HWB_NO_TAIL;
  hwb_reduce p = {{dtype, outer, reduced, inner, wide}, raw_ends(out, tail)};
  void *x = random_codes(dtype, n * outer * reduced * inner), *y = exact((size_t)(n * outer * inner) * hwb_size_of(out));
  const void *in[1] = {x};
  hwb_op op = {hwb_reduce_run, k, &p, 0};
  hwb_stats stats = fresh(1);
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < n * outer * inner; i++) {
    int64_t wanted = i % inner >= tail ? TAIL_ADDS : 0;
    for (int64_t r = 0; r < reduced; r++) wanted += hwb_load(x, dtype, (i / inner * reduced + r) * inner + i % inner);
    expect_equal(hwb_load(y, out, i), wanted, "reduce", k->name);
  }
  free(x);
  free(y);
}

/* gemmlowp's steps in 128 bits, from floor alone. */
static int64_t floor_shift(hwb_int128 v, int64_t shift) {
  hwb_int128 den = (hwb_int128)1 << shift, q = v / den;
  return (int64_t)(v % den < 0 ? q - 1 : q);
}

static int64_t high(int64_t a, int64_t b) {
  int64_t v = floor_shift((hwb_int128)a * b + ((hwb_int128)1 << 30), 31);
  return v > INT32_MAX ? INT32_MAX : v;
}

static int64_t away(int64_t v, int64_t shift) {
  hwb_int128 half = shift ? (hwb_int128)1 << (shift - 1) : 0, size = v < 0 ? -(hwb_int128)v : v;
  return v < 0 ? -floor_shift(size + half, shift) : floor_shift(size + half, shift);
}

static int64_t limited32(hwb_int128 v) { return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int64_t)v; }

static int64_t reciprocal(int64_t sum, int64_t *zeros) {
  for (*zeros = 0; sum << *zeros < (int64_t)1 << 31;) ++*zeros;
  int64_t a = (sum << *zeros) - ((int64_t)1 << 31), half = (a + INT32_MAX + 1) / 2;
  int64_t x = 1515870810 + high(half, -1010580540);
  for (int i = 0; i < 3; i++) x += limited32((hwb_int128)high(x, (1 << 29) - high(half, x)) * 4);
  return limited32((hwb_int128)x * 2);
}

static int64_t plain_fixed(const hwb_runtime_softmax *p, const int64_t *below, int64_t i) {
  int64_t sum = 0, zeros;
  for (int64_t j = 0; j < p->n.length; j++) sum += p->second[below[j]];
  int64_t inverse = reciprocal(sum, &zeros);
  return away(high(p->table[below[i]], inverse), 12 - zeros + 31 - p->n.bits);
}

static int64_t between(const int32_t *table, int64_t x) {
  int64_t steps = x + 32768, base = table[steps / 128], rest = steps % 128;
  return base + floor_shift((table[steps / 128 + 1] - base) * rest + 64, 7);
}

static int64_t plain_midpoint(const hwb_runtime_softmax *p, const int64_t *below, int64_t i) {
  int64_t sum = 0, room = 0;
  for (int64_t j = 0; j < p->n.length; j++) sum += p->table[below[j]];
  while (sum << room < (int64_t)1 << 31) room++;
  int64_t x = floor_shift((sum << (room - 1)) + 8192, 14) - 98304;
  int64_t factor = between(p->second, x < -32768 ? -32768 : x > 32767 ? 32767 : x);
  int64_t t = floor_shift((hwb_int128)p->table[below[i]] * factor + ((int64_t)1 << (30 - room)), 31 - room);
  return t < 0 ? 0 : t > 32767 ? 32767 : t;
}

static float plain_sum(const hwb_runtime_softmax *p, const int64_t *below) {
  volatile float sum = p->powers[below[0]];
  for (int64_t j = 1; j < p->n.length; j++) sum = sum + p->powers[below[j]];
  return sum;
}

static int64_t plain_float32(const hwb_runtime_softmax *p, const int64_t *below, int64_t i) {
  volatile float unit = plain_sum(p, below) * (float)p->constant[0], inverse = 1 / unit;
  volatile float t = p->powers[below[i]] * inverse;
  return (int64_t)roundf(t);
}

static int64_t plain_float64(const hwb_runtime_softmax *p, const int64_t *below, int64_t i) {
  double t = (double)p->powers[below[i]] * p->constant[0] / (double)plain_sum(p, below), low = floor(t);
  return (int64_t)low + (t - low > 0.5 || (t - low == 0.5 && fmod(low, 2) != 0));
}

static void check_softmax(const hwb_kernels *k, hwb_run function, const char *what,
                          int64_t (*plain)(const hwb_runtime_softmax *, const int64_t *, int64_t), int64_t dtype) {
  int64_t entries = HIGH[dtype] - LOW[dtype] + 1, rows = draw(1, 3), length = draw(1, 33), n = draw(1, 3);
  int32_t *table = exact((size_t)entries * 4), *second = exact((size_t)(entries > 513 ? entries : 513) * 4);
  float *powers = exact((size_t)entries * 4);
  double constant = plain == plain_float32 ? 1.0 / 256 : 255;
  for (int64_t d = 0; d < entries; d++) {
    powers[d] = (float)exp(-(double)d * 8 / (double)entries);
    table[d] = (int32_t)(powers[d] * (plain == plain_midpoint ? 32767.0 : 2147483647.0));
  }
  for (int64_t d = 0; d < entries; d++) second[d] = table[d] >> 12;
  if (plain == plain_midpoint)
    for (int64_t i = 0; i < 513; i++) second[i] = (int32_t)draw(16000, 32767);
  hwb_runtime_softmax_numbers numbers = {end_of_bits(INT8_MIN, INT8_MAX, HWB_S8), dtype, rows, length, 8};
  hwb_runtime_softmax p = {numbers, table, second, powers, &constant};
  void *x = random_codes(dtype, n * rows * length);
  int8_t *y = exact((size_t)(n * rows * length));
  const void *in[1] = {x};
  hwb_op op = {function, k, &p, 0};
  hwb_stats got = fresh(1), want = fresh(1);
  expect_equal(op.run(&op, in, y, n, NULL, &got), HWB_OK, "status", k->name);
  for (int64_t r = 0; r < n * rows; r++) {
    int64_t top = INT64_MIN, below[33];
    for (int64_t i = 0; i < length; i++) top = hwb_max(top, hwb_load(x, dtype, r * length + i));
    for (int64_t i = 0; i < length; i++) below[i] = top - hwb_load(x, dtype, r * length + i);
    for (int64_t i = 0; i < length; i++)
      expect_equal(y[r * length + i], ended(&p.n.end, plain(&p, below, i), &want), what, k->name);
  }
  expect_equal(got.saturated, want.saturated, what, k->name);
  free(table);
  free(second);
  free(powers);
  free(x);
  free(y);
}

static void check_float_pool(const hwb_kernels *k) {
  int64_t dtype = draw(HWB_S8, HWB_U8), n = draw(1, 3);
  hwb_window w = {dtype,      draw(1, 8), draw(1, 8), draw(1, 9), draw(1, 4), draw(1, 4), draw(1, 3),
                  draw(1, 3), draw(1, 3), draw(1, 3), 1,          1,          draw(0, 2), draw(0, 2)};
  int64_t windows = w.out_height * w.out_width, outputs = n * windows * w.channels;
  float divisors[16], reals[256], constant[2] = {0.25f, (float)draw(-20, 20)};
  for (int64_t i = 0; i < windows; i++) divisors[i] = (float)draw(1, 9);
  for (int64_t i = 0; i < 256; i++) reals[i] = (float)(i - 120) * 0.0371f;
  hwb_float_pool_numbers numbers = {w, end_of_bits(INT8_MIN, INT8_MAX, HWB_S8), LOW[dtype]};
  numbers.end.zero_point = 0;
  hwb_float_pool p = {numbers, divisors, reals, constant};
  void *x = random_codes(dtype, n * w.height * w.width * w.channels);
  int8_t *y = exact((size_t)outputs);
  const void *in[1] = {x};
  hwb_op op = {hwb_float_pool_run, k, &p, 0};
  hwb_stats got = fresh(1), want = fresh(1);
  expect_equal(op.run(&op, in, y, n, NULL, &got), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < outputs; i++) {
    int64_t c = i % w.channels, m = i / w.channels, ow = m % w.out_width, oh = m / w.out_width % w.out_height;
    volatile float sum = 0;
    for (int64_t t = 0; t < w.kernel_h * w.kernel_w; t++) {
      int64_t h = oh * w.stride_h + t / w.kernel_w - w.pad_top, v = ow * w.stride_w + t % w.kernel_w - w.pad_left;
      if (h < 0 || h >= w.height || v < 0 || v >= w.width) continue;
      int64_t at = ((m / windows * w.height + h) * w.width + v) * w.channels + c;
      sum = sum + reals[hwb_load(x, dtype, at) - LOW[dtype]];
    }
    volatile float code = sum / divisors[m % windows];
    code = code / constant[0];
    code = code + constant[1];
    expect_equal(y[i], ended(&p.n.end, (int64_t)hwb_round_real((double)code, HWB_HALF_EVEN), &want), "float pool", k->name);
  }
  expect_equal(got.saturated, want.saturated, "float pool saturated", k->name);
  free(x);
  free(y);
}

static void check_steps(const hwb_kernels *k) {
  for (int i = 0; i < 2 * MOST; i++) more32[i] = (int32_t)(more64[i] = TAIL_ADDS);
  for (int round = 0; round < 60; round++) {
    for (int64_t combination = HWB_ALONE; combination <= HWB_SLOPES; combination++) check_elements(k, combination);
    check_float_sum(k);
    check_reduce(k);
    check_softmax(k, hwb_softmax_fixed_run, "fixed softmax", plain_fixed, HWB_S8);
    check_softmax(k, hwb_softmax_midpoint_run, "midpoint softmax", plain_midpoint, round % 4 ? HWB_S8 : HWB_S16);
    check_softmax(k, hwb_softmax_float32_run, "float32 softmax", plain_float32, HWB_U8);
    check_softmax(k, hwb_softmax_float64_run, "float64 softmax", plain_float64, HWB_S8);
    check_float_pool(k);
  }
}

int main(void) { return on_every_isa(check_steps); }
