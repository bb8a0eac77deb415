/* Types shared by all kernels: storage types, status codes, statistics. */
#ifndef HWBLOCKS_TYPES_H
#define HWBLOCKS_TYPES_H

#include <stddef.h>
#include <stdint.h>

__extension__ typedef __int128 hwb_int128;

enum hwb_dtype { HWB_S8 = 0, HWB_U8, HWB_S16, HWB_U16, HWB_S32, HWB_S64 };

enum hwb_status { HWB_OK = 0, HWB_BAD_ARGUMENT = 1, HWB_NAN = 2, HWB_BAD_INDEX = 3, HWB_ZERO_DIVISOR = 4 };

/* Bytes of one element of a storage type. */
static inline size_t hwb_size_of(int64_t dtype) {
  static const uint8_t bytes[] = {1, 1, 2, 2, 4, 8};
  return bytes[dtype];
}

/* What one op counts. level 0: nothing; 1: saturated outputs and accumulators outside their width;
   2: also the extremes of the accumulators as their register holds them. channels: of ordered ops, or NULL. */
struct hwb_channel_counts;
typedef struct {
  int64_t level;
  int64_t saturated, outside;
  int64_t lowest, highest;
  struct hwb_channel_counts *channels;
} hwb_stats;

/* One stored code as int64. x: any alignment; i: element. */
static inline int64_t hwb_load(const void *x, int64_t dtype, int64_t i) {
  switch (dtype) {
  case HWB_S8: return ((const int8_t *)x)[i];
  case HWB_U8: return ((const uint8_t *)x)[i];
  case HWB_S16: return ((const int16_t *)x)[i];
  case HWB_U16: return ((const uint16_t *)x)[i];
  case HWB_S32: return ((const int32_t *)x)[i];
  default: return ((const int64_t *)x)[i];
  }
}

/* Store a code that fits the type. */
static inline void hwb_store(void *y, int64_t dtype, int64_t i, int64_t code) {
  switch (dtype) {
  case HWB_S8: ((int8_t *)y)[i] = (int8_t)code; break;
  case HWB_U8: ((uint8_t *)y)[i] = (uint8_t)code; break;
  case HWB_S16: ((int16_t *)y)[i] = (int16_t)code; break;
  case HWB_U16: ((uint16_t *)y)[i] = (uint16_t)code; break;
  case HWB_S32: ((int32_t *)y)[i] = (int32_t)code; break;
  default: ((int64_t *)y)[i] = code; break;
  }
}

static inline int64_t hwb_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t hwb_max(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
