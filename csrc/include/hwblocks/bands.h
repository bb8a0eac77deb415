/* Bands: one sample of a program shared between threads, every step's output rows in parts. */
#ifndef HWBLOCKS_BANDS_H
#define HWBLOCKS_BANDS_H

#include <hwblocks/ops.h>

enum { HWB_DEPTHWISE_WEIGHT = 8 }; /* products of other convolutions that take as long as one of a depthwise one */

/* A part of one step: its op on some rows of its output, or all of it. */
typedef struct {
  hwb_op op;
  union {
    hwb_conv conv;
    hwb_depthwise depthwise;
  } own;            /* the parameters of a part */
  int64_t step;     /* of the program */
  int64_t before;   /* bands of the steps before, all of which must be done */
  int64_t from, to; /* bytes from the start of the step's input and output */
} hwb_band;

/* Products of one sample of an op that can be parted, 0 of others; those of a depthwise convolution by their weight. */
int64_t hwb_op_products(const hwb_op *op);

/* Bands that `threads` threads should have of a step: 1 where its rows cannot be parted or are not worth it, each band of
   at least about `least` products. */
int64_t hwb_bands_of(const hwb_step *step, int64_t threads, int64_t least);

/* All bands of all steps, in order, into `bands`, which has room for the sum of hwb_bands_of. Bands refer to themselves and
   must stay where they are. */
void hwb_bands_fill(hwb_band *bands, const hwb_step *steps, int64_t count, int64_t threads, int64_t least);

#endif
