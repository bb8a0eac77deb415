/* Casts as lines of floats: y = nearest(fma((float)(v + shift), slope, offset)), ties to even, v a sum with its bias;
   `below` instead of offset where v < 0. Codes of u8 come out less HWB_LINE_CENTRE. */
#ifndef HWBLOCKS_LINES_H
#define HWBLOCKS_LINES_H

#include <hwblocks/cast.h>

enum { HWB_LINE_CENTRE = 128 };

/* Arrays of [channels]; slope 0 where no line equals the cast. */
typedef struct {
  int32_t *shift;
  float *slope, *offset, *below;
} hwb_lines;

/* Look for the lines of a cast that saturates to at most 8 bits, for sums within ±bound (below 2^31) that the
   accumulator holds. slopes: the real slope of each channel, positive. Returns how many lines a channel needs, 1 or 2
   (below and from zero on), or 0 where no channel has any. */
int64_t hwb_find_lines(const hwb_cast *cast, int64_t channels, int64_t bound, const double *slopes, const hwb_lines *lines);

#endif
