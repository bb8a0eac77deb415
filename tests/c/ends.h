/* Ends of sums for the checks of whole ops: the sums as they are, or shifted to narrow codes; a tail adds TAIL_ADDS. */
#ifndef HWBLOCKS_TESTS_ENDS_H
#define HWBLOCKS_TESTS_ENDS_H

#include "check.h"

enum { TAIL_ADDS = 7, BEYOND = HWB_TILE_COLUMNS };

typedef struct {
  hwb_ends ends;
  int64_t channels, shift; /* shift −1: the sums themselves */
  int64_t *bias, *tail_bias, *addend;
  int32_t *bias32, *tail_bias32, *multiplier, *shifts, *factor, *right;
} ends_case;

static inline int32_t *constants32(int64_t channels, int64_t value) {
  int32_t *made = exact((size_t)(channels + BEYOND) * 4);
  for (int64_t i = 0; i < channels + BEYOND; i++) made[i] = (int32_t)value;
  return made;
}

/* floor(v / 2^shift), limited to int8 or int16: as a scheme, and in the affine form with everything in the factor. */
static inline void narrow_cast(ends_case *e) {
  int64_t high = draw(0, 1) ? INT8_MAX : INT16_MAX;
  e->shift = draw(2, 12);
  hwb_cast_numbers n = {.scheme = HWB_SHIFT, .rounding = HWB_FLOOR, .bits = high == INT8_MAX ? 8 : 16, .is_signed = 1,
                        .lo = -high - 1, .hi = high, .clamp_lo = -high - 1, .clamp_hi = high, .accumulator_bits = 64,
                        .out_dtype = high == INT8_MAX ? HWB_S8 : HWB_S16, .vector = draw(0, 2) ? HWB_AFFINE : HWB_SCALAR};
  e->ends.cast.n = n;
  e->multiplier = constants32(e->channels, 1), e->shifts = constants32(e->channels, e->shift);
  e->factor = constants32(e->channels, (int64_t)1 << (32 - e->shift)), e->right = constants32(e->channels, 0);
  e->addend = exact((size_t)(e->channels + BEYOND) * 8);
  memset(e->addend, 0, (size_t)(e->channels + BEYOND) * 8);
  e->ends.cast.multiplier = e->multiplier, e->ends.cast.shift = e->shifts;
  e->ends.cast.factor = e->factor, e->ends.cast.right = e->right;
  e->ends.cast.addend = e->ends.cast.addend_below = e->addend;
}

static inline void raw_cast(ends_case *e, int wide) {
  e->shift = -1;
  e->ends.cast.n.scheme = HWB_RAW, e->ends.cast.n.accumulator_bits = 64;
  e->ends.cast.n.out_dtype = wide ? HWB_S64 : HWB_S32;
  e->ends.cast.n.vector = !wide && draw(0, 1) ? HWB_STORED : HWB_SCALAR;
}

/* wide: sums of 64 bits. */
static inline void make_ends(ends_case *e, int64_t channels, int wide) {
  memset(e, 0, sizeof *e);
  e->channels = channels;
  e->bias = exact((size_t)(channels + BEYOND) * 8), e->tail_bias = exact((size_t)(channels + BEYOND) * 8);
  e->bias32 = constants32(channels, 0), e->tail_bias32 = constants32(channels, 0);
  if (draw(0, 1)) raw_cast(e, wide);
  else narrow_cast(e);
  for (int64_t i = 0; i < channels + BEYOND; i++) {
    e->bias[i] = draw(-9999, 9999), e->tail_bias[i] = e->bias[i] + TAIL_ADDS;
    e->bias32[i] = (int32_t)e->bias[i], e->tail_bias32[i] = (int32_t)e->tail_bias[i];
  }
  e->ends.cast.bias = e->bias, e->ends.cast.bias32 = e->bias32;
  e->ends.tail = e->ends.cast;
  e->ends.tail.bias = e->tail_bias, e->ends.tail.bias32 = e->tail_bias32;
  e->ends.tail_start = draw(0, 1) ? draw(0, channels + 5) : HWB_NO_TAIL;
}

/* Bias of both ends lowered by what sums of uint8 inputs hold beyond those of centred ones. */
static inline void lower_bias(ends_case *e, int64_t channel, int64_t by) {
  e->bias32[channel] -= (int32_t)by, e->tail_bias32[channel] -= (int32_t)by;
  e->bias[channel] -= by, e->tail_bias[channel] -= by;
}

/* The code of a channel's exact sum, bias included but not what the tail adds. */
static inline int64_t ended(const ends_case *e, int64_t sum, int64_t channel) {
  int64_t v = sum + (channel >= e->ends.tail_start ? TAIL_ADDS : 0);
  if (e->shift < 0) return v;
  v = (int64_t)floor_div(v, (int64_t)1 << e->shift);
  const hwb_cast_numbers *n = &e->ends.cast.n;
  return v < n->lo ? n->lo : v > n->hi ? n->hi : v;
}

static inline void free_ends(ends_case *e) {
  void *all[] = {e->bias, e->tail_bias, e->addend, e->bias32, e->tail_bias32, e->multiplier, e->shifts, e->factor, e->right};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Codes of a storage type: random, all at one end, or at both. */
static inline void *codes_of(int64_t dtype, int64_t count) {
  static const int64_t low[] = {INT8_MIN, 0, INT16_MIN}, high[] = {INT8_MAX, UINT8_MAX, INT16_MAX};
  void *x = exact((size_t)count * hwb_size_of(dtype));
  int64_t kind = draw(0, 4);
  for (int64_t i = 0; i < count; i++) {
    int64_t any = draw(low[dtype], high[dtype]), end = any & 1 ? low[dtype] : high[dtype];
    hwb_store(x, dtype, i, kind == 0 ? low[dtype] : kind == 1 ? high[dtype] : kind == 2 ? end : any);
  }
  return x;
}

#endif
