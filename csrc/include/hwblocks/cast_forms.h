/* The casts of 32-bit sums that an instruction set has: one copy of its loop for each form of enum hwb_vector. */
#ifndef HWBLOCKS_CAST_FORMS_H
#define HWBLOCKS_CAST_FORMS_H

#include <hwblocks/kernels.h>

/* The body of hwb_cast_s32__<isa>: cast_form(cast, block, stats, form) with `form` a constant, so that each copy holds
   only what its form needs; the scalar definition for casts that have none. */
#define HWB_CAST_BY_FORM(cast_form, cast, block, stats)                                                                \
  switch ((cast)->n.vector) {                                                                                          \
  case HWB_AFFINE: cast_form(cast, block, stats, HWB_AFFINE); break;                                                   \
  case HWB_AFFINE_BY_SIGN: cast_form(cast, block, stats, HWB_AFFINE_BY_SIGN); break;                                   \
  case HWB_REAL32: cast_form(cast, block, stats, HWB_REAL32); break;                                                   \
  case HWB_REAL64: cast_form(cast, block, stats, HWB_REAL64); break;                                                   \
  case HWB_STORED: cast_form(cast, block, stats, HWB_STORED); break;                                                   \
  default: hwb_cast_s32__ref(cast, block, stats); break;                                                               \
  }

#endif
