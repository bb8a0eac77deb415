/* Accumulators: the record of a register, what brings a value back into it, and what is counted on the way. The
   meaning of every field is that of numerics/accumulator.py and numerics/overflow.py. */
#ifndef HWBLOCKS_ACCUMULATOR_H
#define HWBLOCKS_ACCUMULATOR_H

#include <hwblocks/cast.h>
#include <hwblocks/types.h>

__extension__ typedef unsigned __int128 hwb_uint128;

/* trap is HWB_HOLD_WRAP here: the run goes on, the first event is kept. */
enum hwb_hold {
  HWB_HOLD_SATURATE = 0,
  HWB_HOLD_SYMMETRIC,
  HWB_HOLD_TO_ZERO,
  HWB_HOLD_WRAP,
  HWB_HOLD_SIGN_MAGNITUDE
};

enum hwb_order { HWB_SEQUENTIAL = 0, HWB_DOT, HWB_INTERLEAVED, HWB_TILES, HWB_TREE };

/* 4 <= bits <= 64; 0 <= saturated_bits <= bits, 0 unless it wraps; sign-magnitude only when signed. */
typedef struct {
  int64_t bits, is_signed, hold, saturated_bits;
} hwb_register;

/* part: the register of a dot's or a tile's sum, where has_part is 1. group: the n of the order. drop: 0 to 62 bits cut
   from what enters a register, with a mode of enum hwb_rounding. */
typedef struct {
  hwb_register sum, part;
  int64_t has_part, order, group, drop, drop_rounding, bias_first, has_bias, has_correction, traps;
} hwb_accumulator;

/* What one accumulator did: value and total in units of one product, steps: additions outside their register, first:
   the number of the first of them among all additions of this element (−1: none). lowest, highest: sums in registers
   of the accumulator's own width before they were limited, in their LSBs; lowest > highest when nothing was added. */
typedef struct {
  int64_t value, total, steps, first;
  hwb_int128 lowest, highest;
} hwb_element;

enum { HWB_MOST_BITS = 65 };

/* The same over all accumulators of one output channel; sample, element and step are −1 before the first event. Extremes as two words
   each, low first. by_bits[b]: accumulators whose extremes need b bits in two's complement, 65 for more than 64. */
typedef struct hwb_channel_counts {
  int64_t steps, sample, element, step, accumulators;
  int64_t lowest[2], highest[2];
  int64_t by_bits[HWB_MOST_BITS + 1];
} hwb_channel_counts;

static inline hwb_int128 hwb_register_low(const hwb_register *r) {
  if (!r->is_signed) return 0;
  return -((hwb_int128)1 << (r->bits - 1)) + (r->hold == HWB_HOLD_SYMMETRIC);
}

static inline hwb_int128 hwb_register_high(const hwb_register *r) {
  return ((hwb_int128)1 << (r->bits - r->is_signed)) - 1;
}

/* The lowest `bits` as two's complement. */
static inline hwb_int128 hwb_signed_code(hwb_uint128 raw, int64_t bits) {
  hwb_uint128 sign = (hwb_uint128)1 << (bits - 1);
  raw &= (sign << 1) - 1;
  return raw & sign ? (hwb_int128)raw - ((hwb_int128)1 << bits) : (hwb_int128)raw;
}

static inline hwb_uint128 hwb_ones(int64_t bits) { return ((hwb_uint128)1 << bits) - 1; }

static inline hwb_int128 hwb_wrapped(hwb_int128 v, const hwb_register *r) {
  int64_t bits = r->bits, kept = bits - r->saturated_bits;
  hwb_uint128 raw = (hwb_uint128)v & hwb_ones(bits), negative = v < 0;
  if (!r->is_signed) return (hwb_int128)(raw | (hwb_ones(bits) & ~hwb_ones(kept)));
  if (!r->saturated_bits) return hwb_signed_code(raw, bits);
  hwb_uint128 fill = negative || kept >= bits - 1 ? 0 : hwb_ones(bits - 1 - kept);
  hwb_uint128 low = raw & hwb_ones(hwb_min(kept, bits - 1));
  return hwb_signed_code(low | (fill << kept) | (negative << (bits - 1)), bits);
}

static inline hwb_int128 hwb_sign_magnitude(hwb_int128 v, const hwb_register *r) {
  int64_t bits = r->bits, kept = bits - r->saturated_bits;
  hwb_uint128 raw = (hwb_uint128)v & hwb_ones(bits), negative = v < 0;
  if (r->saturated_bits > 1) {
    if (((raw >> kept) & 1) == negative) raw ^= hwb_ones(bits);
    hwb_uint128 fill = negative ? 0 : hwb_ones(r->saturated_bits - 1);
    return hwb_signed_code((raw & hwb_ones(kept)) | (fill << kept) | (negative << (bits - 1)), bits);
  }
  hwb_uint128 sign = r->saturated_bits ? negative : ((hwb_uint128)v >> bits) & 1;
  if (sign != raw >> (bits - 1)) raw ^= hwb_ones(bits);
  return hwb_signed_code((raw & hwb_ones(bits - 1)) | (sign << (bits - 1)), bits);
}

/* What a register holds after a sum outside its range. */
static inline hwb_int128 hwb_held(hwb_int128 v, const hwb_register *r) {
  switch (r->hold) {
  case HWB_HOLD_SATURATE:
  case HWB_HOLD_SYMMETRIC: return v < 0 ? hwb_register_low(r) : hwb_register_high(r);
  case HWB_HOLD_TO_ZERO: return 0;
  case HWB_HOLD_SIGN_MAGNITUDE: return hwb_sign_magnitude(v, r);
  default: return hwb_wrapped(v, r);
  }
}

static inline void hwb_put_words(int64_t *words, hwb_int128 v) {
  words[0] = (int64_t)(uint64_t)v;
  words[1] = (int64_t)(v >> 64);
}

/* Bits that hold v in two's complement. */
static inline int64_t hwb_bits_of(hwb_int128 v) {
  hwb_uint128 magnitude = v < 0 ? ~(hwb_uint128)v : (hwb_uint128)v;
  int64_t bits = 1;
  for (; magnitude; magnitude >>= 1) bits++;
  return bits;
}

/* Counts one element of a channel; of two elements the first to be counted is the earlier one. */
static inline void hwb_count_element(hwb_channel_counts *c, const hwb_element *e, int64_t sample, int64_t element) {
  if (e->steps && c->sample < 0) {
    c->sample = sample;
    c->element = element;
    c->step = e->first;
  }
  c->steps += e->steps;
  if (e->lowest > e->highest) return;
  int fresh = !c->accumulators++;
  if (fresh || e->lowest < hwb_two_words(c->lowest, 0)) hwb_put_words(c->lowest, e->lowest);
  if (fresh || e->highest > hwb_two_words(c->highest, 0)) hwb_put_words(c->highest, e->highest);
  c->by_bits[hwb_min(HWB_MOST_BITS, hwb_max(hwb_bits_of(e->lowest), hwb_bits_of(e->highest)))]++;
}

/* One element whose K products x[k] · w[k] meet the register in the record's order. words: room for min(group, k)
   integers of 16 bytes, 16-byte aligned. s64: registers and sums below 2^62; s128: registers up to 64 bits, sums below
   2^63. The value, shifted back by drop, must fit 64 bits. */
typedef struct {
  const int16_t *x, *w;
  int64_t k, bias, correction;
  void *words;
} hwb_products;

void hwb_ordered_s16s16_s64__ref(const hwb_accumulator *a, const hwb_products *p, hwb_element *e);
void hwb_ordered_s16s16_s128__ref(const hwb_accumulator *a, const hwb_products *p, hwb_element *e);

/* Vector kernels of saturating registers. rows: 6 pointers to centred int16 inputs, those beyond `count` readable; sums
   have room for 6 rows, of which those beyond `count` may be changed. */
typedef struct {
  const int16_t *const *rows;
  int64_t count;
  const int16_t *panel; /* 64-byte aligned */
  int64_t length, group;
  int64_t low, high; /* range of the register */
  int64_t x_left, w_left; /* bits by which inputs and weights may move left within 16 bits: their sum is 32 less the
                             register's width; or both 0 */
} hwb_limited_tile;

enum { HWB_ORDERED_ROWS = 6, HWB_SKEW_COLUMNS = 32, HWB_BOUND_BLOCK = 32, HWB_TOTAL_STEPS = 256 };

/* Bounds of blocks of 32 inputs over the rows of a tile: largest value, largest sum of values, largest norm rounded up. */
typedef struct {
  double peak, sum, norm;
} hwb_block_bound;

/* What 16 sums of one row did: additions outside the register, additions before the first of them, extremes before limits. */
typedef struct {
  int32_t held[16], outside[16], before[16], lowest[16], highest[16];
} hwb_followed_sums;

/* Depthwise: windows of 16 channels, one product of each tap and channel. */
typedef struct {
  const int16_t *x; /* the first position's first input */
  int64_t step, count; /* elements from one position to the next; positions */
  const int64_t *offsets; /* elements from a position's first input to each of `taps` */
  int64_t taps;
  const int32_t *weights; /* [taps][16], in the lower 16 of 32 bits, nothing above */
  int64_t low, high;
} hwb_channel_windows;

typedef struct {
  /* sums[6][32] += products one by one in 16 bits, limited after each. `length` steps over a skewed panel
     [length][32]: at step t lane j of even j multiplies rows[i][t], lane j of odd j rows[i][t + 1].
     Every product must fit 16 bits. */
  void (*sat16)(const hwb_limited_tile *tile, int16_t *sums);

  /* The same in 16 bits of full range, and totals[6][32] += the exact sums. length <= HWB_TOTAL_STEPS. group 1: the sum of
     the products of two neighbouring steps fits 16 bits. */
  void (*sat16_totals)(const hwb_limited_tile *tile, int16_t *sums, int32_t *totals);

  /* sums[6][16] += products one by one (group 0) or `group` pairs at a time, limited after each addition; `length` pairs
     of a panel [length][16][2]. Rows are readable up to a multiple of 32 inputs. No addition may leave 32 bits. */
  void (*limited_s32)(const hwb_limited_tile *tile, int32_t *sums);

  /* sums += k products of one row with a panel [pairs][16][2] one by one, limited to low … high after each, everything
     counted. No addition may leave 32 bits. x is readable up to a pair. */
  void (*followed_s32)(const int16_t *x, const int16_t *panel, int64_t k, int32_t low, int32_t high, hwb_followed_sums *sums);

  /* Of each position and channel: sums[count][16] += products one by one, limited after each; totals = the exact sums.
     No addition may leave 32 bits. 16 inputs are read at every tap. */
  void (*channels_limited)(const hwb_channel_windows *c, int32_t *sums, int32_t *totals);

  /* The exact sums, and in sizes[count][16] the sums of absolute products. */
  void (*channels_plain)(const hwb_channel_windows *c, int32_t *sums, int32_t *sizes);

  /* sums[count][16] = limited(sums + addend). No addition may leave 32 bits. */
  void (*add_limited_s32)(int32_t *sums, int64_t count, const int32_t *addend, int32_t low, int32_t high);

  /* The lowest and highest of sums[count][16]. */
  void (*extremes_s32)(const int32_t *sums, int64_t count, int32_t *low, int32_t *high);

  /* Bounds of ceil(k / 32) blocks of `count` rows of k inputs; what follows a row up to a multiple of 32 is zero. */
  void (*bounds)(const int16_t *const *rows, int64_t count, int64_t k, hwb_block_bound *out);
} hwb_ordered_kernels;

void hwb_ordered_sat16__ref(const hwb_limited_tile *tile, int16_t *sums);
void hwb_ordered_sat16_totals__ref(const hwb_limited_tile *tile, int16_t *sums, int32_t *totals);
void hwb_ordered_limited_s32__ref(const hwb_limited_tile *tile, int32_t *sums);
void hwb_ordered_followed_s32__ref(const int16_t *x, const int16_t *panel, int64_t k, int32_t low, int32_t high,
                                   hwb_followed_sums *sums);
void hwb_ordered_followed_s32__avx2(const int16_t *x, const int16_t *panel, int64_t k, int32_t low, int32_t high,
                                    hwb_followed_sums *sums);
void hwb_ordered_channels_limited__ref(const hwb_channel_windows *c, int32_t *sums, int32_t *totals);
void hwb_ordered_channels_plain__ref(const hwb_channel_windows *c, int32_t *sums, int32_t *sizes);
void hwb_ordered_channels_limited__avx2(const hwb_channel_windows *c, int32_t *sums, int32_t *totals);
void hwb_ordered_channels_plain__avx2(const hwb_channel_windows *c, int32_t *sums, int32_t *sizes);
void hwb_ordered_add_limited_s32__ref(int32_t *sums, int64_t count, const int32_t *addend, int32_t low, int32_t high);
void hwb_ordered_extremes_s32__ref(const int32_t *sums, int64_t count, int32_t *low, int32_t *high);
void hwb_ordered_bounds__ref(const int16_t *const *rows, int64_t count, int64_t k, hwb_block_bound *out);
void hwb_ordered_sat16__avx2(const hwb_limited_tile *tile, int16_t *sums);
void hwb_ordered_sat16_totals__avx2(const hwb_limited_tile *tile, int16_t *sums, int32_t *totals);
void hwb_ordered_sat16_totals__avx512(const hwb_limited_tile *tile, int16_t *sums, int32_t *totals);
void hwb_ordered_limited_s32__avx512(const hwb_limited_tile *tile, int32_t *sums);
void hwb_ordered_limited_s32__avx2(const hwb_limited_tile *tile, int32_t *sums);
void hwb_ordered_add_limited_s32__avx2(int32_t *sums, int64_t count, const int32_t *addend, int32_t low, int32_t high);
void hwb_ordered_extremes_s32__avx2(const int32_t *sums, int64_t count, int32_t *low, int32_t *high);
void hwb_ordered_bounds__avx2(const int16_t *const *rows, int64_t count, int64_t k, hwb_block_bound *out);

#endif
