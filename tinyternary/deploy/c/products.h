/* Products of small integers with packed weights: the part of the arithmetic that is exact however
 * the rest is computed. For runtime.c alone, which says before what a tt_layer is.
 *
 * Ternary products come three times, with the same integers: by additions, subtractions and skips,
 * on any machine; by vectors that a compiler makes of plain loops, on 64-bit hosts and on Arm's
 * Helium; by Arm's DSP instructions. -DTT_ADD_ONLY and -DTT_COUNT leave the first alone. */
#ifndef TT_PRODUCTS_H
#define TT_PRODUCTS_H

#include <string.h>

#if !defined(TT_ADD_ONLY) && !defined(TT_COUNT)
#if UINTPTR_MAX > 0xFFFFFFFFu || defined(__ARM_FEATURE_MVE)
#define TT_BLOCKS
#elif defined(__ARM_FEATURE_SIMD32) && !defined(__ARM_BIG_ENDIAN)
#define TT_PAIRS
#include <arm_acle.h>
#endif
#endif

#ifdef TT_COUNT
struct tt_counts tt_count;
#define COUNT(what) (tt_count.what++)
#else
#define COUNT(what) ((void)0)
#endif

static int is_ternary(const tt_layer *layer)
{
    return layer->storage == TT_TRITS_2 || layer->storage == TT_TRITS_1_6;
}

static int trits_a_byte(const tt_layer *layer)
{
    return layer->storage == TT_TRITS_2 ? 4 : 5;
}

/* The next trit of a byte that holds four or five. */
static int take_trit(unsigned *byte, int per_byte)
{
    if (per_byte == 4) {
        int code = (int)(*byte & 3u);
        *byte >>= 2;
        return code - 1;
    }
    unsigned tripled = *byte + (*byte << 1); /* the leading digit comes out on top */
    *byte = tripled & 255u;
    return (int)(tripled >> 8) - 1;
}

/* `weights` times codes `first` to `last` of a row: what its +1 trits add, and what its -1 trits
 * do. A weight costs an addition, a subtraction, or nothing. */
static int32_t add_and_subtract(const uint8_t *weights, int per_byte, int first, int last,
                                const int8_t *codes, int32_t *negative)
{
    int32_t sum = 0, below = 0;
    int skip = first % per_byte;
    weights += first / per_byte;
    for (int k = first; k < last;) {
        unsigned byte = *weights++;
        int count = per_byte - skip < last - k ? per_byte - skip : last - k;
        for (; skip; skip--)
            (void)take_trit(&byte, per_byte);
        for (; count; count--, k++) {
            int trit = take_trit(&byte, per_byte);
            if (trit > 0) {
                sum += codes[k];
                COUNT(adds);
            } else if (trit < 0) {
                below -= codes[k];
                COUNT(subtracts);
            } else {
                COUNT(skips);
            }
        }
    }
    *negative = below;
    return sum;
}

/* A layer's input as integers, in the order in which products read them. */
typedef struct {
    const int8_t *codes;
#ifdef TT_BLOCKS
#define BLOCK 16
    int8_t tail[BLOCK * 5]; /* those behind the last whole block, filled up with zeros */
    int32_t total;          /* of all: taken off at the end, as trits are stored as 0, 1 and 2 */
#endif
} tt_codes;

#ifdef TT_BLOCKS

/* Sixteen bytes of weights at a time, all their first trits, then all their second ones, and so on:
 * the same few instructions sixteen times are what a compiler makes vectors of. Codes have to lie
 * in that order too: of a block of 16 x 4, or 16 x 5, first every fourth, or fifth. */
static int in_blocks(const tt_layer *layer)
{
    return is_ternary(layer) && layer->groups <= 1 && !layer->scale_negative;
}

static void arrange(tt_codes *input, int8_t *codes, const tt_layer *layer)
{
    int per_byte = trits_a_byte(layer), size = BLOCK * per_byte, left = layer->inputs;
    if (!in_blocks(layer))
        return;
    input->total = 0;
    for (int i = 0; i < left; i++)
        input->total += codes[i];
    for (; left >= size; left -= size, codes += size) {
        memcpy(input->tail, codes, (size_t)size);
        for (int place = 0; place < per_byte; place++)
            for (int i = 0; i < BLOCK; i++)
                codes[place * BLOCK + i] = input->tail[i * per_byte + place];
    }
    for (int place = 0; place < per_byte; place++)
        for (int i = 0; i < BLOCK; i++) {
            int from = i * per_byte + place;
            input->tail[place * BLOCK + i] = from < left ? codes[from] : 0;
        }
}

/* Trit `place` of four in a byte, plus 1. */
static int of_four(unsigned byte, int place)
{
    return (int)(byte >> 2 * place & 3u);
}

/* The trit of five in a byte that 3^place, `power`, brings to the top, plus 1. */
static int of_five(unsigned byte, unsigned power)
{
    return (int)((byte * power & 255u) * 3u >> 8);
}

static int32_t multiply_block(const uint8_t *bytes, int per_byte, const int8_t *codes)
{
    int32_t sum = 0;
    if (per_byte == 4)
        for (int i = 0; i < BLOCK; i++)
            sum += of_four(bytes[i], 0) * codes[i] + of_four(bytes[i], 1) * codes[BLOCK + i] +
                   of_four(bytes[i], 2) * codes[2 * BLOCK + i] +
                   of_four(bytes[i], 3) * codes[3 * BLOCK + i];
    else
        for (int i = 0; i < BLOCK; i++)
            sum += of_five(bytes[i], 1) * codes[i] + of_five(bytes[i], 3) * codes[BLOCK + i] +
                   of_five(bytes[i], 9) * codes[2 * BLOCK + i] +
                   of_five(bytes[i], 27) * codes[3 * BLOCK + i] +
                   of_five(bytes[i], 81) * codes[4 * BLOCK + i];
    return sum;
}

static int32_t multiply_blocks(const uint8_t *weights, int per_byte, int row_bytes,
                               const tt_codes *input)
{
    const int8_t *codes = input->codes;
    int32_t sum = -input->total;
    for (; row_bytes >= BLOCK; row_bytes -= BLOCK, weights += BLOCK, codes += BLOCK * per_byte)
        sum += multiply_block(weights, per_byte, codes);
    if (row_bytes) {
        uint8_t rest[BLOCK] = {0};
        memcpy(rest, weights, (size_t)row_bytes);
        sum += multiply_block(rest, per_byte, input->tail);
    }
    return sum;
}

#else

static void arrange(tt_codes *input, int8_t *codes, const tt_layer *layer)
{
    (void)input, (void)codes, (void)layer; /* they are read in the order in which they come */
}

#endif
#ifdef TT_PAIRS

/* Arm's DSP instructions multiply two pairs of 16 bits and add both products: four 2-bit trits in
 * eleven instructions. */
static int32_t multiply_pairs(const uint8_t *weights, const int8_t *codes, int count)
{
    int32_t sum = 0;
    for (; count >= 4; count -= 4, codes += 4) {
        uint32_t byte = *weights++, four;
        memcpy(&four, codes, sizeof four);
        int32_t even = __sxtb16((int32_t)four); /* codes 0 and 2, then 1 and 3, as 16 bits each */
        int32_t odd = __sxtb16((int32_t)(four >> 8 | four << 24));
        uint32_t even_trits = (byte | byte << 12) & 0x00030003u;
        uint32_t odd_trits = (byte >> 2 | byte << 10) & 0x00030003u;
        sum = __smlad(even, __ssub16((int32_t)even_trits, 0x00010001), sum);
        sum = __smlad(odd, __ssub16((int32_t)odd_trits, 0x00010001), sum);
    }
    for (int i = 0; i < count; i++)
        sum += ((*weights >> 2 * i & 3) - 1) * codes[i];
    return sum;
}

#endif

/* Row `row` of W times codes `first` to `last`. Where -1 has a scale of its own, `negative` gets
 * what -1 trits contribute, else it may be anything that belongs to the sum. */
static int32_t ternary_product(const tt_layer *layer, int row, int first, int last,
                               const tt_codes *input, int32_t *negative)
{
    int per_byte = trits_a_byte(layer);
    int row_bytes = (layer->inputs + per_byte - 1) / per_byte;
    const uint8_t *weights = (const uint8_t *)layer->weights + row * row_bytes;
#ifdef TT_BLOCKS
    if (in_blocks(layer)) {
        *negative = 0;
        return multiply_blocks(weights, per_byte, row_bytes, input);
    }
#elif defined TT_PAIRS
    if (per_byte == 4 && first % 4 == 0 && !layer->scale_negative) {
        *negative = 0;
        return multiply_pairs(weights + first / 4, input->codes + first, last - first);
    }
#endif
    return add_and_subtract(weights, per_byte, first, last, input->codes, negative);
}

static int integer_weight(const tt_layer *layer, int row, int k)
{
    if (layer->storage == TT_INT8)
        return ((const int8_t *)layer->weights)[row * layer->inputs + k];
    const uint8_t *bytes = (const uint8_t *)layer->weights + row * ((layer->inputs + 1) / 2);
    return (k % 2 ? bytes[k / 2] >> 4 : bytes[k / 2] & 15) - 8;
}

/* The same for weights that are integers of 8 or 4 bits. */
static int32_t integer_product(const tt_layer *layer, int row, int first, int last,
                               const tt_codes *input)
{
    int32_t sum = 0;
    for (int k = first; k < last; k++) {
        sum += integer_weight(layer, row, k) * input->codes[k];
        COUNT(multiplies);
    }
    return sum;
}

#endif
