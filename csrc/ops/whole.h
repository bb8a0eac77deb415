/* Whole numbers of up to 2048 bits, for the comparisons that decide where doubles do not. */
#ifndef HWBLOCKS_WHOLE_H
#define HWBLOCKS_WHOLE_H

#include <hwblocks/types.h>
#include <string.h>

enum { HWB_LIMBS = 64 };

/* (-1)^negative · Σ limb[i] · 2^(32 i); the highest limb is not 0, zero has none and is not negative. */
typedef struct {
  int negative, count;
  uint32_t limb[HWB_LIMBS];
} hwb_whole;

static inline void hwb_whole_trim(hwb_whole *v) {
  while (v->count && !v->limb[v->count - 1]) v->count--;
  if (!v->count) v->negative = 0;
}

static inline hwb_whole hwb_whole_of(hwb_int128 value) {
  hwb_whole v = {.negative = value < 0, .count = 4};
  __extension__ unsigned __int128 size = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
  for (int i = 0; i < 4; i++) v.limb[i] = (uint32_t)(size >> (32 * i));
  hwb_whole_trim(&v);
  return v;
}

/* A constant: 1 where it is negative, then `width` limbs, low first. */
static inline hwb_whole hwb_whole_at(const uint32_t *words, int64_t width) {
  hwb_whole v = {.negative = (int)words[0], .count = (int)width};
  memcpy(v.limb, words + 1, (size_t)width * sizeof *words);
  hwb_whole_trim(&v);
  return v;
}

static inline hwb_whole hwb_whole_product(const hwb_whole *a, const hwb_whole *b) {
  hwb_whole v = {.negative = a->negative != b->negative, .count = a->count + b->count};
  for (int i = 0; i < a->count; i++) {
    uint64_t carry = 0;
    for (int j = 0; j < b->count; j++) {
      carry += (uint64_t)a->limb[i] * b->limb[j] + v.limb[i + j];
      v.limb[i + j] = (uint32_t)carry;
      carry >>= 32;
    }
    v.limb[i + b->count] = (uint32_t)carry;
  }
  hwb_whole_trim(&v);
  return v;
}

/* The sign of |a| − |b|. */
static inline int hwb_whole_larger(const hwb_whole *a, const hwb_whole *b) {
  if (a->count != b->count) return a->count > b->count ? 1 : -1;
  for (int i = a->count; i-- > 0;)
    if (a->limb[i] != b->limb[i]) return a->limb[i] > b->limb[i] ? 1 : -1;
  return 0;
}

static inline int hwb_whole_sign(const hwb_whole *v) { return v->negative ? -1 : v->count > 0; }

/* |a| + sign · |b| with the sign of a; |a| ≥ |b| where they are subtracted. */
static inline hwb_whole hwb_whole_joined(const hwb_whole *a, const hwb_whole *b, int sign) {
  int longest = a->count > b->count ? a->count : b->count;
  hwb_whole v = {.negative = a->negative, .count = longest};
  int64_t carry = 0;
  for (int i = 0; i < longest; i++) {
    carry += (int64_t)(i < a->count ? a->limb[i] : 0) + sign * (int64_t)(i < b->count ? b->limb[i] : 0);
    v.limb[i] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry > 0) v.limb[v.count++] = (uint32_t)carry;
  hwb_whole_trim(&v);
  return v;
}

static inline hwb_whole hwb_whole_sum(const hwb_whole *a, const hwb_whole *b) {
  if (a->negative == b->negative) return hwb_whole_joined(a, b, 1);
  return hwb_whole_larger(a, b) >= 0 ? hwb_whole_joined(a, b, -1) : hwb_whole_joined(b, a, -1);
}

static inline hwb_whole hwb_whole_less(const hwb_whole *a, const hwb_whole *b) {
  hwb_whole other = *b;
  other.negative = b->count ? !b->negative : 0;
  return hwb_whole_sum(a, &other);
}

/* The sign of a − b. */
static inline int hwb_whole_compare(const hwb_whole *a, const hwb_whole *b) {
  int of_a = hwb_whole_sign(a), of_b = hwb_whole_sign(b);
  if (of_a != of_b) return of_a > of_b ? 1 : -1;
  return of_a * hwb_whole_larger(a, b);
}

#endif
