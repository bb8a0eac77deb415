# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The only binding to csrc: checks buffers, releases the GIL, calls, turns a status into an exception.

No arithmetic and no choices: numerics/kernels/binding.py decides what is bound.
"""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBuffer_Release, PyObject_GetBuffer
from libc.string cimport memcpy

ALIGN = 64
cdef size_t HUGE_PAGE = 1 << 21
cdef enum:
    CAST_ARRAYS = 17  # of hwb_cast, in order
    END_ARRAYS = 34  # of both casts of hwb_ends
COUNT_WORDS = sizeof(hwb_channel_counts) // sizeof(int64_t)


def isa_names():
    """Instruction sets that this machine runs, the slowest first."""
    names, i = [], 0
    while hwb_isa_name(i) != NULL:
        names.append(hwb_isa_name(i).decode())
        i += 1
    return names


def byte_products(str isa):
    """When an instruction set multiplies bytes faster than 16-bit words: a value of enum hwb_bytes."""
    cdef bytes name = isa.encode()
    cdef const hwb_kernels *kernels = hwb_kernels_of(name)
    return 0 if kernels == NULL else kernels.bytes


cdef class Constant:
    """A copy of an array at a 64-byte boundary, owned for as long as an op needs it."""

    cdef void *address
    cdef readonly Py_ssize_t size

    def __cinit__(self, const unsigned char[::1] data):
        self.size = data.shape[0]
        cdef size_t boundary = HUGE_PAGE if self.size >= 2 * HUGE_PAGE else ALIGN
        if posix_memalign(&self.address, boundary, self.size + 64) != 0:
            raise MemoryError(f"{self.size} bytes for constants")
        if boundary == HUGE_PAGE:
            hwb_prefer_huge_pages(self.address, self.size)
        if self.size:
            memcpy(self.address, &data[0], self.size)

    def __dealloc__(self):
        free(self.address)


cdef void *address_of(Constant constant) noexcept:
    return NULL if constant is None else constant.address


cdef int fill_numbers(void *target, size_t size, const int64_t[::1] numbers) except -1:
    if <size_t>numbers.shape[0] * sizeof(int64_t) != size:
        raise ValueError(f"{numbers.shape[0]} numbers given, {size // sizeof(int64_t)} needed")
    memcpy(target, &numbers[0], size)
    return 0


cdef int fill_cast(hwb_cast *target, const int64_t[::1] numbers, tuple constants) except -1:
    fill_numbers(&target.n, sizeof(hwb_cast_numbers), numbers)
    target.bias = <const int64_t *>address_of(constants[0])
    target.bias32 = <const int32_t *>address_of(constants[1])
    target.multiplier = <const int32_t *>address_of(constants[2])
    target.shift = <const int32_t *>address_of(constants[3])
    target.scale32 = <const float *>address_of(constants[4])
    target.scale64 = <const double *>address_of(constants[5])
    target.numerator = <const int64_t *>address_of(constants[6])
    target.denominator = <const int64_t *>address_of(constants[7])
    target.left = <const int32_t *>address_of(constants[8])
    target.factor = <const int32_t *>address_of(constants[9])
    target.right = <const int32_t *>address_of(constants[10])
    target.addend = <const int64_t *>address_of(constants[11])
    target.addend_below = <const int64_t *>address_of(constants[12])
    target.line_shift = <const int32_t *>address_of(constants[13])
    target.line_slope = <const float *>address_of(constants[14])
    target.line_offset = <const float *>address_of(constants[15])
    target.line_below = <const float *>address_of(constants[16])
    return 0


def find_lines(const int64_t[::1] numbers, tuple constants, int64_t bound, const double[::1] slopes,
               int32_t[::1] shift, float[::1] slope, float[::1] offset, float[::1] below):
    """Lines of a cast, written to the last four; returns how many a channel needs, 0 for none. See lines.h."""
    cdef hwb_cast cast
    cdef hwb_lines lines
    cdef int64_t channels = slopes.shape[0], found
    if not shift.shape[0] == slope.shape[0] == offset.shape[0] == below.shape[0] == channels > 0:
        raise ValueError("arrays of lines: one entry per channel")
    fill_cast(&cast, numbers, constants)
    lines.shift, lines.slope, lines.offset, lines.below = &shift[0], &slope[0], &offset[0], &below[0]
    with nogil:
        found = hwb_find_lines(&cast, channels, bound, &slopes[0], &lines)
    return found


cdef class Op:
    """A bound op: numbers, constants, the function that runs it, and the bytes of one sample that it reads and writes."""

    cdef hwb_op op
    cdef void *parameters
    cdef object keep
    cdef readonly tuple in_bytes
    cdef readonly tuple out_bytes
    cdef readonly int64_t counted  # output channels that the op can count one by one, 0 for none

    def __cinit__(self, str isa, str family, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants,
                  tuple in_bytes, tuple out_bytes):
        cdef bytes name = isa.encode()
        self.op.kernels = hwb_kernels_of(name)
        if self.op.kernels == NULL:
            raise ValueError(f"instruction set {isa!r} is not available")
        self.keep, self.in_bytes, self.out_bytes = constants, in_bytes, out_bytes
        if family == "conv":
            self._conv(numbers, cast, constants)
        elif family == "depthwise":
            self._depthwise(numbers, cast, constants)
        elif family == "weighted":
            self._weighted(numbers, cast, constants)
        elif family == "matmul":
            self._matmul(numbers, cast, constants)
        elif family == "ordered":
            self._ordered(numbers, cast, constants)
        elif family == "ordered_matmul":
            self._ordered_matmul(numbers, cast, constants)
        elif family == "table":
            self._table(numbers, constants)
        elif family == "extreme":
            self._extreme(numbers)
        elif family == "choice":
            self._choice(numbers, constants)
        elif family == "dequantize":
            self._dequantize(numbers, constants)
        elif family == "quantize":
            self._quantize(numbers, constants)
        elif family == "threshold":
            self._threshold(numbers, constants)
        elif family == "gather":
            self._gather(numbers, constants)
        elif family == "split":
            self._split(numbers, constants)
        elif family == "maxpool":
            self._maxpool(numbers)
        elif family == "avgpool":
            self._avgpool(numbers, constants)
        elif family == "rational":
            self._rational(numbers, constants)
        elif family == "softmax":
            self._softmax(numbers, constants)
        elif family.startswith("softmax_"):
            self._runtime_softmax(family, numbers, constants)
        elif family == "float_softmax":
            self._float_softmax(numbers, constants)
        elif family == "elements":
            self._elements(numbers, cast, constants)
        elif family == "pairs":
            self._pairs(numbers, constants)
        elif family == "float_sum":
            self._float_sum(numbers, constants)
        elif family == "reduce":
            self._reduce(numbers, cast, constants)
        elif family == "float_pool":
            self._float_pool(numbers, constants)
        elif family == "svdf":
            self._svdf(numbers, cast, constants)
        elif family == "lstm":
            self._lstm(numbers, cast, constants)
        else:
            raise ValueError(f"no family {family!r}")

    def __dealloc__(self):
        free(self.parameters)

    cdef void *_new(self, size_t size) except NULL:
        self.parameters = calloc(1, size)
        if self.parameters == NULL:
            raise MemoryError("parameters of an op")
        self.op.parameters = self.parameters
        return self.parameters

    cdef int _ends(self, hwb_ends *target, const int64_t[::1] numbers, tuple constants) except -1:
        """numbers: tail_start, then the fields of both casts; constants: those of both casts."""
        cdef Py_ssize_t fields = sizeof(hwb_cast_numbers) // sizeof(int64_t)
        target.tail_start = numbers[0]
        fill_cast(&target.cast, numbers[1 : 1 + fields], constants[:CAST_ARRAYS])
        fill_cast(&target.tail, numbers[1 + fields :], constants[CAST_ARRAYS:END_ARRAYS])
        return 0

    cdef int _two_ends(self, hwb_ends *first, hwb_ends *second, const int64_t[::1] numbers, tuple constants) except -1:
        cdef Py_ssize_t half = numbers.shape[0] // 2
        self._ends(first, numbers[:half], constants[:END_ARRAYS])
        self._ends(second, numbers[half:], constants[END_ARRAYS : 2 * END_ARRAYS])
        return 0

    cdef int _placement(self, hwb_placement *target, tuple constants) except -1:
        target.runs = <const int64_t *>address_of(constants[0])
        target.starts = <const int64_t *>address_of(constants[1])
        return 0

    cdef int _conv(self, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants) except -1:
        cdef hwb_conv *p = <hwb_conv *>self._new(sizeof(hwb_conv))
        fill_numbers(&p.n, sizeof(hwb_conv_numbers), numbers)
        self._ends(&p.ends, cast, constants)
        p.panels = address_of(constants[END_ARRAYS])
        p.offsets = <const int64_t *>address_of(constants[END_ARRAYS + 1])
        self._placement(&p.placement, constants[END_ARRAYS + 2 :])
        self.op.run = hwb_conv_run
        self.op.scratch_bytes = hwb_conv_scratch_bytes(p)
        return 0

    cdef int _depthwise(self, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants) except -1:
        cdef hwb_depthwise *p = <hwb_depthwise *>self._new(sizeof(hwb_depthwise))
        fill_numbers(&p.n, sizeof(hwb_depthwise_numbers), numbers)
        self._ends(&p.ends, cast, constants)
        p.weights = address_of(constants[END_ARRAYS])
        p.offsets = <const int64_t *>address_of(constants[END_ARRAYS + 1])
        self.op.run = hwb_depthwise_run
        self.op.scratch_bytes = hwb_depthwise_scratch_bytes(p)
        return 0

    cdef int _ordered(self, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants) except -1:
        cdef hwb_ordered *p = <hwb_ordered *>self._new(sizeof(hwb_ordered))
        fill_numbers(&p.n, sizeof(hwb_ordered_numbers), numbers)
        self._ends(&p.ends, cast, constants)
        p.weights = <const int16_t *>address_of(constants[END_ARRAYS])
        p.panels = <const int16_t *>address_of(constants[END_ARRAYS + 1])
        p.skewed = <const int16_t *>address_of(constants[END_ARRAYS + 2])
        p.offsets = <const int64_t *>address_of(constants[END_ARRAYS + 3])
        p.source = <const int32_t *>address_of(constants[END_ARRAYS + 4])
        p.bias = <const int64_t *>address_of(constants[END_ARRAYS + 5])
        p.correction = <const int64_t *>address_of(constants[END_ARRAYS + 6])
        p.bias32 = <const int32_t *>address_of(constants[END_ARRAYS + 7])
        p.correction32 = <const int32_t *>address_of(constants[END_ARRAYS + 8])
        p.addend32 = <const int32_t *>address_of(constants[END_ARRAYS + 9])
        p.bounds = <const hwb_block_bound *>address_of(constants[END_ARRAYS + 10])
        p.unsafe = <const int64_t *>address_of(constants[END_ARRAYS + 11])
        p.channel = <const int32_t *>address_of(constants[END_ARRAYS + 12])
        p.together = <const uint8_t *>address_of(constants[END_ARRAYS + 13])
        p.by_tap = <const int32_t *>address_of(constants[END_ARRAYS + 14])
        self._placement(&p.placement, constants[END_ARRAYS + 15 :])
        self.op.run = hwb_ordered_run
        self.op.scratch_bytes = hwb_ordered_scratch_bytes(p)
        self.counted = p.n.out_channels
        return 0

    cdef int _ordered_matmul(self, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants) except -1:
        cdef hwb_ordered_matmul *p = <hwb_ordered_matmul *>self._new(sizeof(hwb_ordered_matmul))
        fill_numbers(&p.n, sizeof(hwb_ordered_matmul_numbers), numbers)
        self._ends(&p.ends, cast, constants)
        self.op.run = hwb_ordered_matmul_run
        self.op.scratch_bytes = hwb_ordered_matmul_scratch_bytes(p)
        self.counted = p.n.sums.out_channels
        return 0

    cdef int _weighted(self, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants) except -1:
        cdef hwb_weighted *p = <hwb_weighted *>self._new(sizeof(hwb_weighted))
        fill_numbers(&p.n, sizeof(hwb_weighted_numbers), numbers)
        self._ends(&p.ends, cast, constants)
        p.weights = <const int16_t *>address_of(constants[END_ARRAYS])
        self.op.run = hwb_weighted_run
        self.op.scratch_bytes = hwb_weighted_scratch_bytes(p)
        return 0

    cdef int _matmul(self, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants) except -1:
        cdef hwb_matmul *p = <hwb_matmul *>self._new(sizeof(hwb_matmul))
        fill_numbers(&p.n, sizeof(hwb_matmul_numbers), numbers)
        self._ends(&p.ends, cast, constants)
        self.op.run = hwb_matmul_run
        self.op.scratch_bytes = hwb_matmul_scratch_bytes(p)
        return 0

    cdef int _table(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_table *p = <hwb_table *>self._new(sizeof(hwb_table))
        fill_numbers(&p.n, sizeof(hwb_table_numbers), numbers)
        p.table = address_of(constants[0])
        self.op.run = hwb_table_run
        return 0

    cdef int _extreme(self, const int64_t[::1] numbers) except -1:
        cdef hwb_extreme_numbers *p = <hwb_extreme_numbers *>self._new(sizeof(hwb_extreme_numbers))
        fill_numbers(p, sizeof(hwb_extreme_numbers), numbers)
        self.op.run = hwb_extreme_run
        return 0

    cdef int _choice(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_choice *p = <hwb_choice *>self._new(sizeof(hwb_choice))
        fill_numbers(&p.n, sizeof(hwb_choice_numbers), numbers)
        p.a_index = <const int64_t *>address_of(constants[0])
        p.b_index = <const int64_t *>address_of(constants[1])
        p.constant = <const int64_t *>address_of(constants[2])
        self.op.run = hwb_choice_run
        return 0

    cdef int _dequantize(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_dequantize *p = <hwb_dequantize *>self._new(sizeof(hwb_dequantize))
        fill_numbers(&p.n, sizeof(hwb_dequantize_numbers), numbers)
        p.reals = <const float *>address_of(constants[0])
        p.tail_reals = <const float *>address_of(constants[1])
        self.op.run = hwb_dequantize_run
        return 0

    cdef int _quantize(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_quantize *p = <hwb_quantize *>self._new(sizeof(hwb_quantize))
        fill_numbers(&p.n, sizeof(hwb_quantize_numbers), numbers)
        p.scale32 = <const float *>address_of(constants[0])
        p.scale64 = <const double *>address_of(constants[1])
        self.op.run = hwb_quantize_run
        return 0

    cdef int _threshold(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_threshold *p = <hwb_threshold *>self._new(sizeof(hwb_threshold))
        fill_numbers(&p.n, sizeof(hwb_threshold_numbers), numbers)
        p.thresholds = <const int32_t *>address_of(constants[0])
        p.by_level = <const int32_t *>address_of(constants[1])
        p.flipped = <const int32_t *>address_of(constants[2])
        p.codes = <const int64_t *>address_of(constants[3])
        self.op.run = hwb_threshold_run
        return 0

    cdef int _gather(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_gather *p = <hwb_gather *>self._new(sizeof(hwb_gather))
        fill_numbers(&p.n, sizeof(hwb_gather_numbers), numbers)
        p.counts = <const int64_t *>address_of(constants[0])
        p.which = <const int32_t *>address_of(constants[1])
        p.element = <const int32_t *>address_of(constants[2])
        p.lengths = <const int32_t *>address_of(constants[3])
        self.op.run = hwb_gather_run
        return 0

    cdef int _split(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_split *p = <hwb_split *>self._new(sizeof(hwb_split))
        fill_numbers(&p.n, sizeof(hwb_split_numbers), numbers)
        p.counts = <const int64_t *>address_of(constants[0])
        p.out_counts = <const int64_t *>address_of(constants[1])
        p.which = <const int32_t *>address_of(constants[2])
        p.element = <const int32_t *>address_of(constants[3])
        self.op.run = hwb_split_run
        return 0

    cdef int _maxpool(self, const int64_t[::1] numbers) except -1:
        cdef hwb_maxpool *p = <hwb_maxpool *>self._new(sizeof(hwb_maxpool))
        fill_numbers(p, sizeof(hwb_maxpool), numbers)
        self.op.run = hwb_maxpool_run
        return 0

    cdef int _avgpool(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_avgpool *p = <hwb_avgpool *>self._new(sizeof(hwb_avgpool))
        fill_numbers(&p.n, sizeof(hwb_avgpool_numbers), numbers)
        p.counts = <const int64_t *>address_of(constants[0])
        p.ratio = <const int64_t *>address_of(constants[1])
        self.op.run = hwb_avgpool_run
        return 0

    cdef int _rational(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_rational *p = <hwb_rational *>self._new(sizeof(hwb_rational))
        fill_numbers(&p.n, sizeof(hwb_rational_numbers), numbers)
        p.factors = <const int64_t *>address_of(constants[0])
        p.a_index = <const int64_t *>address_of(constants[1])
        p.b_index = <const int64_t *>address_of(constants[2])
        self.op.run = hwb_rational_run
        return 0

    cdef int _softmax(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_softmax *p = <hwb_softmax *>self._new(sizeof(hwb_softmax))
        fill_numbers(&p.n, sizeof(hwb_softmax_numbers), numbers)
        p.table = <const int64_t *>address_of(constants[0])
        p.ratio = <const int64_t *>address_of(constants[1])
        self.op.run = hwb_softmax_run
        return 0

    cdef int _runtime_softmax(self, str family, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_runtime_softmax *p = <hwb_runtime_softmax *>self._new(sizeof(hwb_runtime_softmax))
        fill_numbers(&p.n, sizeof(hwb_runtime_softmax_numbers), numbers)
        p.table = <const int32_t *>address_of(constants[0])
        p.second = <const int32_t *>address_of(constants[1])
        p.powers = <const float *>address_of(constants[2])
        p.constant = <const double *>address_of(constants[3])
        if family == "softmax_fixed":
            self.op.run = hwb_softmax_fixed_run
        elif family == "softmax_midpoint":
            self.op.run = hwb_softmax_midpoint_run
        elif family == "softmax_float32":
            self.op.run = hwb_softmax_float32_run
        else:
            self.op.run = hwb_softmax_float64_run
        return 0

    cdef int _float_softmax(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_float_softmax *p = <hwb_float_softmax *>self._new(sizeof(hwb_float_softmax))
        fill_numbers(&p.n, sizeof(hwb_float_softmax_numbers), numbers)
        p.beta = <const double *>address_of(constants[0])
        self.op.run = hwb_float_softmax_run
        return 0

    cdef int _operand(self, hwb_operand *target, const int64_t[::1] numbers, tuple constants) except -1:
        fill_numbers(&target.n, sizeof(hwb_operand_numbers), numbers)
        target.table = <const int32_t *>address_of(constants[0])
        target.reals = <const double *>address_of(constants[1])
        target.constant = <const int32_t *>address_of(constants[2])
        target.real_constant = <const double *>address_of(constants[3])
        target.index = <const int64_t *>address_of(constants[4])
        return 0

    cdef int _operands(self, hwb_operand *a, hwb_operand *b, const int64_t[::1] numbers, tuple constants) except -1:
        """The last numbers and constants of an op: those of its two operands."""
        cdef Py_ssize_t fields = sizeof(hwb_operand_numbers) // sizeof(int64_t), at = numbers.shape[0] - 2 * fields
        self._operand(a, numbers[at : at + fields], constants[-10:-5])
        self._operand(b, numbers[at + fields :], constants[-5:])
        return 0

    cdef int _elements(self, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants) except -1:
        cdef hwb_elements *p = <hwb_elements *>self._new(sizeof(hwb_elements))
        cdef Py_ssize_t fields = sizeof(hwb_elements_numbers) // sizeof(int64_t)
        fill_numbers(&p.n, sizeof(hwb_elements_numbers), numbers[:fields])
        self._ends(&p.ends, cast, constants)
        self._operands(&p.a, &p.b, numbers[fields:], constants)
        self.op.run = hwb_elements_run
        return 0

    cdef int _pairs(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_pairs_op *p = <hwb_pairs_op *>self._new(sizeof(hwb_pairs_op))
        fill_numbers(&p.n, sizeof(hwb_pairs_op_numbers), numbers)
        p.table = <const int16_t *>address_of(constants[0])
        self.op.run = hwb_pairs_run
        return 0

    cdef int _float_sum(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_float_sum *p = <hwb_float_sum *>self._new(sizeof(hwb_float_sum))
        cdef Py_ssize_t fields = sizeof(hwb_float_sum_numbers) // sizeof(int64_t)
        fill_numbers(&p.n, sizeof(hwb_float_sum_numbers), numbers[:fields])
        self._operands(&p.a, &p.b, numbers[fields:], constants)
        self.op.run = hwb_float_sum_run
        return 0

    cdef int _reduce(self, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants) except -1:
        cdef hwb_reduce *p = <hwb_reduce *>self._new(sizeof(hwb_reduce))
        fill_numbers(&p.n, sizeof(hwb_reduce_numbers), numbers)
        self._ends(&p.ends, cast, constants)
        self.op.run = hwb_reduce_run
        return 0

    cdef int _float_pool(self, const int64_t[::1] numbers, tuple constants) except -1:
        cdef hwb_float_pool *p = <hwb_float_pool *>self._new(sizeof(hwb_float_pool))
        fill_numbers(&p.n, sizeof(hwb_float_pool_numbers), numbers)
        p.divisors = <const float *>address_of(constants[0])
        p.reals = <const float *>address_of(constants[1])
        p.constant = <const float *>address_of(constants[2])
        self.op.run = hwb_float_pool_run
        return 0

    cdef int _svdf(self, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants) except -1:
        cdef hwb_svdf *p = <hwb_svdf *>self._new(sizeof(hwb_svdf))
        fill_numbers(&p.n, sizeof(hwb_svdf_numbers), numbers)
        cdef Py_ssize_t third = cast.shape[0] // 3
        self._two_ends(&p.newest, &p.units, cast[: 2 * third], constants)
        self._ends(&p.near, cast[2 * third :], constants[2 * END_ARRAYS : 3 * END_ARRAYS])
        p.panels = <const int16_t *>address_of(constants[3 * END_ARRAYS])
        p.time = <const int16_t *>address_of(constants[3 * END_ARRAYS + 1])
        self.op.run = hwb_svdf_run
        self.op.scratch_bytes = hwb_svdf_scratch_bytes(p)
        return 0

    cdef int _lstm(self, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants) except -1:
        cdef hwb_lstm *p = <hwb_lstm *>self._new(sizeof(hwb_lstm))
        fill_numbers(&p.n, sizeof(hwb_lstm_numbers), numbers)
        self._two_ends(&p.fed, &p.back, cast, constants)
        p.x_panels = <const int16_t *>address_of(constants[2 * END_ARRAYS])
        p.h_panels = <const int16_t *>address_of(constants[2 * END_ARRAYS + 1])
        p.sigmoid = <const int16_t *>address_of(constants[2 * END_ARRAYS + 2])
        p.tanh = <const int16_t *>address_of(constants[2 * END_ARRAYS + 3])
        p.cell_tanh = <const int16_t *>address_of(constants[2 * END_ARRAYS + 4])
        self.op.run = hwb_lstm_run
        self.op.scratch_bytes = hwb_lstm_scratch_bytes(p)
        return 0


cdef class Workspace:
    """Memory of one run at a time."""

    cdef void *memory
    cdef size_t size

    def __dealloc__(self):
        free(self.memory)

    cdef int reserve(self, size_t size) except -1:
        if size <= self.size:
            return 0
        free(self.memory)
        self.memory, self.size = NULL, 0
        if posix_memalign(&self.memory, 64, size) != 0:
            raise MemoryError(f"{size} bytes for a program's tensors")
        self.size = size
        return 0


cdef size_t lines(size_t bytes) noexcept nogil:
    """Bytes in whole cache lines."""
    return (bytes + 63) // 64 * 64


cdef class Bands:
    """The bands of a program's steps for a number of threads."""

    cdef hwb_band *memory
    cdef readonly int64_t count, threads
    cdef size_t scratch

    def __cinit__(self, Program program, int64_t threads, int64_t least):
        cdef int64_t i
        for i in range(program.count):
            self.count += hwb_bands_of(&program.steps[i], threads, least)
        self.threads = threads
        self.memory = <hwb_band *>calloc(max(self.count, 1), sizeof(hwb_band))
        if self.memory == NULL:
            raise MemoryError("bands of a program")
        hwb_bands_fill(self.memory, program.steps, program.count, threads, least)
        for i in range(self.count):
            self.scratch = max(self.scratch, self.memory[i].op.scratch_bytes)

    def __dealloc__(self):
        free(self.memory)


cdef class Program:
    """Ops one after the other: steps (op, input slots, output slot or slots), bytes and arena offset of each slot.

    An offset of −1 marks a tensor that the caller passes. One program may run in several threads at once.
    """

    cdef hwb_step *steps
    cdef int64_t count, slots
    cdef int64_t *slot_bytes
    cdef int64_t *offsets
    cdef list ops, outside, idle
    cdef dict banded  # bands of one sample, by (threads, least products)
    cdef set written
    cdef size_t scratch, arena
    cdef readonly int64_t tile  # samples that suit the ops' tiles: parts are best multiples of it

    def __cinit__(self, list steps, list slot_bytes, list arena_offsets):
        self.ops = [step[0] for step in steps]
        steps = [(op, inputs, out if isinstance(out, tuple) else (out,)) for op, inputs, out in steps]
        self.written = {slot for step in steps for slot in step[2]}
        self.outside = [slot for slot, offset in enumerate(arena_offsets) if offset < 0]
        self.count, self.slots, self.idle, self.banded = len(steps), len(slot_bytes), [], {}
        self.steps = <hwb_step *>calloc(max(self.count, 1), sizeof(hwb_step))
        self.slot_bytes = <int64_t *>calloc(2 * self.slots + 1, sizeof(int64_t))
        if self.steps == NULL or self.slot_bytes == NULL:
            raise MemoryError("steps of a program")
        self.offsets = self.slot_bytes + self.slots
        for i in range(self.slots):
            self.slot_bytes[i], self.offsets[i] = slot_bytes[i], arena_offsets[i]
        cdef Op op
        for i, (op, inputs, outputs) in enumerate(steps):
            if len(inputs) != len(op.in_bytes) or len(inputs) > HWB_MOST_INPUTS:
                raise ValueError(
                    f"step {i}: {len(inputs)} inputs given, {len(op.in_bytes)} needed, at most {HWB_MOST_INPUTS}"
                )
            if len(outputs) != len(op.out_bytes) or len(outputs) > HWB_MOST_OUTPUTS:
                raise ValueError(f"step {i}: {len(outputs)} outputs given, {len(op.out_bytes)} made")
            if not all(0 <= slot < len(slot_bytes) for slot in (*inputs, *outputs)):
                raise ValueError(f"step {i}: a slot is out of range")
            for slot, size in (*zip(inputs, op.in_bytes), *zip(outputs, op.out_bytes)):
                if slot_bytes[slot] != size:
                    raise ValueError(f"step {i}: slot {slot} holds {slot_bytes[slot]} bytes a sample, the op needs {size}")
            self.steps[i].op = &op.op
            self.steps[i].inputs = len(inputs)
            for j, slot in enumerate(inputs):
                self.steps[i].in_[j] = slot
            self.steps[i].out = outputs[0]
            self.steps[i].others = len(outputs) - 1
            for j, slot in enumerate(outputs[1:]):
                self.steps[i].other[j] = slot
            self.scratch = max(self.scratch, op.op.scratch_bytes)
        ends = [o + b for o, b in zip(arena_offsets, slot_bytes) if o >= 0]
        self.arena = max(ends, default=0)
        self.tile = hwb_samples_tile(self.steps, self.count)

    def __dealloc__(self):
        free(self.steps)
        free(self.slot_bytes)

    cdef Bands bands(self, int64_t threads, int64_t least):
        key = (threads, least)
        if key not in self.banded:
            self.banded[key] = Bands(self, threads, least)
        return self.banded[key]

    def prepare(self, dict externals, int64_t n, int64_t chunk, int64_t statistics, fixed=(), carried=(),
                int64_t threads=1, int64_t least=1, int64_t together=0, int64_t split=0):
        """A Call of n samples; externals holds a contiguous array of them for every slot outside the arena.

        chunk, least: samples of a part, at most and at least. threads: that take parts, more than 1 only without `fixed`.
        together: samples between two looks for Ctrl-C (0: a chunk). split: where n is 1, threads share out the output rows
        of steps in bands of at least so many products (0: they do not). fixed: slots whose arrays hold one chunk, the same
        for every part. carried: pairs of slots (from, to): what a part leaves in one is copied into the other, which must
        be fixed, before the next.
        """
        cdef Call call = Call.__new__(Call)
        call._begin(self, externals, n, chunk, statistics, fixed, carried, threads, least, together, split)
        return call

    def run(self, dict externals, int64_t n, int64_t chunk, int64_t statistics, list counts=None):
        """Run n samples at once; returns one list (saturated, outside, lowest, highest) for each step.

        counts: for each step None or an int64 array [its op's counted channels, COUNT_WORDS], which is filled.
        """
        if not 0 < n <= chunk:
            raise ValueError(f"{n} samples in a chunk of {chunk}")
        cdef Call call = Call.__new__(Call)
        call._begin(self, externals, n, chunk, statistics, (), (), 1, 1, 0, 0)
        if counts is not None:
            call.count_channels(counts)
        call.run(0, n)
        counted = call.counts()
        call.release()
        return counted


@cython.no_gc_clear  # the exported arrays are noted in the workspace, which must outlive them
cdef class Call:
    """A program with its arrays, made by Program.prepare: run(first, past) computes a range of their samples, counts() tells what was counted.

    It owns its memory, so calls of one program may run in several threads at once; one call is run by one thread (which
    others of the core's pool may join).
    """

    cdef Program program
    cdef Workspace space
    cdef Bands bands
    cdef int64_t n, together
    cdef hwb_samples samples
    cdef Py_buffer *views
    cdef int64_t viewed

    cdef int _begin(self, Program program, dict externals, int64_t n, int64_t chunk, int64_t statistics, fixed, carried,
                    int64_t threads, int64_t least, int64_t together, int64_t split) except -1:
        cdef int64_t most = min(n, chunk)
        if n < 1 or most < 1 or least < 1 or threads < 1:
            raise ValueError(f"{n} samples in parts of {least} to {chunk} on {threads} threads")
        if threads > 1 and (len(fixed) or len(carried)):
            raise ValueError("parts that share arrays run one after the other, on one thread")
        self.program, self.n, self.together = program, n, together or most
        self.samples.steps, self.samples.count, self.samples.slots = program.steps, program.count, program.slots
        self.samples.most, self.samples.least, self.samples.carried = most, min(least, most), len(carried)
        self.samples.threads = min(threads, HWB_MOST_THREADS, (n + self.samples.least - 1) // self.samples.least)
        if n == 1 and threads > 1 and split > 0:
            self._share(program.bands(min(threads, HWB_MOST_THREADS), split))
        self.space = program.idle.pop() if program.idle else Workspace()
        self._lay_out()
        for i, (source, target) in enumerate(carried):
            self.carries()[i] = hwb_carry(source, target, program.slot_bytes[target])
        for slot in program.outside:
            self._place(slot, externals.get(slot), slot in fixed)
        hwb_samples_reset(&self.samples, statistics)
        return 0

    def __dealloc__(self):
        self._let_go()

    cdef void _share(self, Bands bands) noexcept:
        """Let threads share the only sample, where there is anything to share."""
        if bands.count > self.program.count:
            self.bands, self.samples.threads = bands, bands.threads
            self.samples.bands, self.samples.band_count = bands.memory, bands.count

    cdef hwb_carry *carries(self) noexcept:
        return <hwb_carry *>self.samples.carries

    cdef hwb_place *places(self) noexcept:
        return <hwb_place *>self.samples.places

    cdef hwb_room *rooms(self) noexcept:
        return <hwb_room *>self.samples.rooms

    cdef int _lay_out(self) except -1:
        """Tables at the start of the memory, then a room for each thread."""
        cdef Program program = self.program
        cdef hwb_samples *s = &self.samples
        cdef size_t places = lines(s.slots * sizeof(hwb_place)), carries = lines(s.carried * sizeof(hwb_carry))
        cdef size_t views = lines(len(program.outside) * sizeof(Py_buffer)), rooms = lines(s.threads * sizeof(hwb_room))
        cdef size_t arena = lines(program.arena * s.most)
        cdef size_t scratch = lines((program.scratch if self.bands is None else self.bands.scratch) + 64)
        cdef size_t address = lines(s.slots * sizeof(void *)), stats = lines(s.count * sizeof(hwb_stats))
        self.space.reserve(places + carries + views + rooms + s.threads * (arena + scratch + address + stats))
        cdef char *at = <char *>self.space.memory
        s.places, s.carries = <hwb_place *>at, <hwb_carry *>(at + places)
        self.views, s.rooms = <Py_buffer *>(at + places + carries), <hwb_room *>(at + places + carries + views)
        at += places + carries + views + rooms
        cdef int64_t i
        for i in range(s.threads):
            self.rooms()[i].arena, self.rooms()[i].scratch = at, at + arena
            self.rooms()[i].address = <void **>(at + arena + scratch)
            self.rooms()[i].stats = <hwb_stats *>(at + arena + scratch + address)
            at += arena + scratch + address + stats
        for i in range(s.slots):
            self.places()[i].base, self.places()[i].step = NULL, program.offsets[i] * s.most
        return 0

    cdef int _place(self, Py_ssize_t slot, object array, bint fixed) except -1:
        """Set a slot's address and the bytes from one sample to the next; the array stays exported meanwhile."""
        if array is None:
            raise ValueError(f"slot {slot} needs an array")
        cdef Py_buffer *view = &self.views[self.viewed]
        PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS)
        self.viewed += 1
        if view.readonly and slot in self.program.written:
            raise ValueError(f"slot {slot}: the array of an output is read-only")
        cdef int64_t size = self.program.slot_bytes[slot]
        cdef int64_t needed = size * (self.samples.most if fixed else self.n)
        if view.len != needed:
            raise ValueError(f"slot {slot}: {view.len} bytes given, {needed} needed")
        self.places()[slot].base, self.places()[slot].step = <char *>view.buf, 0 if fixed else size
        return 0

    cdef void _let_go(self) noexcept:
        while self.viewed:
            self.viewed -= 1
            PyBuffer_Release(&self.views[self.viewed])

    def release(self):
        """Give arrays and memory back; the call cannot run any more, and its counts are gone."""
        self._let_go()
        if self.space is not None:
            self.program.idle.append(self.space)
        self.space = None

    def reset(self):
        """Forget what was counted."""
        self._check()
        hwb_samples_reset(&self.samples, self.rooms()[0].stats[0].level if self.program.count else 0)

    cdef int _check(self) except -1:
        if self.space is None:
            raise ValueError("a released call")
        return 0

    def count_channels(self, list counts):
        """Let steps count their channels: for each None, or an int64 array that stays alive and is filled by each part."""
        cdef int64_t i
        cdef int64_t[:, ::1] view
        if self.samples.threads > 1:
            raise ValueError("channels are counted on one thread")
        for i, array in enumerate(counts):
            if array is None:
                continue
            view = array
            if view.shape[0] != (<Op>self.program.ops[i]).counted or not view.shape[0] or view.shape[1] != COUNT_WORDS:
                raise ValueError(f"step {i}: counts of {view.shape[0]} channels of {view.shape[1]} words do not suit the op")
            self.rooms()[0].stats[i].channels = <hwb_channel_counts *>&view[0, 0]

    def run(self, int64_t first, int64_t past):
        """Samples first to past, without the GIL; Ctrl-C is seen now and then."""
        if not 0 <= first < past <= self.n:
            raise ValueError(f"samples {first} to {past} of {self.n}")
        self._check()
        cdef int status = 0
        cdef int64_t stop
        while first < past:
            stop = min(first + self.together, past)
            with nogil:
                status = hwb_samples_run(&self.samples, first, stop)
            if status == HWB_NAN:
                raise FloatingPointError("NaN cannot be quantized; clean the data")
            if status != HWB_OK:
                raise RuntimeError(f"a kernel refused its arguments (status {status})")
            first = stop
            if first < past:
                PyErr_CheckSignals()

    def counts(self):
        """(saturated, outside, lowest, highest) of each step since the last reset."""
        self._check()
        cdef hwb_counts row
        cdef int64_t i
        made = []
        for i in range(self.program.count):
            row = hwb_samples_counted(&self.samples, i)
            made.append((row.saturated, row.outside, row.lowest, row.highest))
        return made

    def packed_counts(self):
        """counts() as int64 [steps, 4] in bytes, to be read when somebody asks."""
        self._check()
        cdef bytes made = PyBytes_FromStringAndSize(NULL, self.program.count * sizeof(hwb_counts))
        cdef hwb_counts *row = <hwb_counts *>PyBytes_AsString(made)
        cdef int64_t i
        for i in range(self.program.count):
            row[i] = hwb_samples_counted(&self.samples, i)
        return made
