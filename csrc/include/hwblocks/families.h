/* Families: what the parameters of every kind of op hold, and how they are filled from numbers and constants. */
#ifndef HWBLOCKS_FAMILIES_H
#define HWBLOCKS_FAMILIES_H

#include <hwblocks/log_softmax.h>
#include <hwblocks/norms.h>
#include <hwblocks/ops.h>
#include <hwblocks/ordered.h>
#include <hwblocks/picks.h>
#include <hwblocks/relations.h>
#include <hwblocks/taps.h>

/* Parameters are the op's numbers, then its ends, then its operands, then addresses of constants, without gaps. */
typedef struct {
  const char *name;
  hwb_run run;
  size_t (*scratch_bytes)(const void *parameters); /* NULL: no scratch */
  size_t bytes, numbers;                           /* of all parameters, of the op's numbers */
  size_t ends, operands;
  size_t counted; /* bytes to the number of output channels that are counted one by one; 0: none are */
} hwb_family;

/* The family of a name, or NULL. */
const hwb_family *hwb_family_of(const char *name);

/* What a family is filled from: numbers of the op and its operands, numbers of its ends, addresses of constants. */
typedef struct {
  int64_t numbers, end_numbers, constants;
} hwb_needs;

hwb_needs hwb_family_needs(const hwb_family *family);

/* Fill parameters. constants: those of both casts of each end, of each operand, then the op's own; NULL for none. */
void hwb_family_fill(const hwb_family *family, void *parameters, const int64_t *numbers, const int64_t *end_numbers,
                     const void *const *constants);

/* Fill one cast: its numbers, and its arrays in order. */
enum { HWB_CAST_ARRAYS = (sizeof(hwb_cast) - sizeof(hwb_cast_numbers)) / sizeof(void *) };
void hwb_cast_fill(hwb_cast *cast, const int64_t *numbers, const void *const *arrays);

#endif
