#include "runtime.h"

#include "products.h"

#include <float.h>
#include <math.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0 || defined(__FAST_MATH__)
#error "floats must be rounded as written: no -ffast-math, no x87 arithmetic"
#endif
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define FLOOR 1e-5f         /* least that a magnitude counts for when a scale is made of it */
#define BITLINEAR_EPS 1e-5f /* of the RMSNorm inside a layer */
#define ROUND 12582912.0f   /* 1.5 * 2^23: added to a float, its low bits are the float rounded */
#define ROUND_BITS 0x4B400000u

/* ---- floats ------------------------------------------------------------------------------- */

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#if defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA) || defined(__FMA__)

/* a b + c, rounded once. */
static float multiply_add(float a, float b, float c)
{
    return fmaf(a, b, c);
}

#else

static float multiply_add_in_double(float a, float b, float c)
{
    double product = (double)a * (double)b; /* exact: 2 * 24 bits of 53 */
    double sum = product + (double)c;
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    /* Rounded to 53 bits and then to 24, a sum goes wrong only where the first rounding made a
     * tie, or, for the smallest floats, may have. Then its last bit is set to say "not quite". */
    if ((bits & 0x1FFFFFFFu) == 0x10000000u || (sum < 1e-37 && sum > -1e-37)) {
        double part = sum - product;
        double lost = (product - (sum - part)) + ((double)c - part);
        if (lost != 0.0 && !(bits & 1u)) {
            bits = (lost > 0.0) == (sum > 0.0) ? bits + 1u : bits - 1u;
            memcpy(&sum, &bits, sizeof bits);
        }
    }
    return (float)sum;
}

#if defined(__SOFTFP__) || defined(__riscv_float_abi_soft)

static uint64_t shifted_right(uint64_t x, int places) /* what is lost is kept as a last bit */
{
    if (places > 63)
        return x != 0;
    return x >> places | ((x & (((uint64_t)1 << places) - 1u)) != 0);
}

/* a b + c, rounded once, in integers: where floats are made of those, it is eight times as fast. */
static float multiply_add(float a, float b, float c)
{
    uint32_t p = bits_of(a), q = bits_of(b), r = bits_of(c);
    int above = (int)(p >> 23 & 255u), below = (int)(q >> 23 & 255u), third = (int)(r >> 23 & 255u);
    if (above == 0 || above == 255 || below == 0 || below == 255 || third == 0 || third == 255)
        return multiply_add_in_double(a, b, c);
    int exponent = above + below - 127;
    uint64_t product = (uint64_t)((p & 0x7FFFFFu) | 0x800000u) * ((q & 0x7FFFFFu) | 0x800000u) << 15;
    uint64_t other = (uint64_t)((r & 0x7FFFFFu) | 0x800000u) << 38; /* 1.0 is bit 61 of both */
    if (exponent >= third) {
        other = shifted_right(other, exponent - third);
    } else {
        product = shifted_right(product, third - exponent);
        exponent = third;
    }
    uint32_t sign = (p ^ q) & 0x80000000u;
    uint64_t sum = product + other;
    if (sign != (r & 0x80000000u)) {
        sum = product - other;
        if (product < other) {
            sum = other - product;
            sign = r & 0x80000000u;
        }
        if (sum == 0)
            return 0.0f;
    }
    exponent += 2;
    for (; !(sum >> 63); sum <<= 1)
        exponent--;
    if (exponent < 1 || exponent > 253)
        return multiply_add_in_double(a, b, c);
    uint32_t kept = (uint32_t)(sum >> 40), odd = kept & 1u;
    uint64_t rest = sum & 0xFFFFFFFFFFu, tie = (uint64_t)1 << 39;
    kept += rest > tie || (rest == tie && odd);
    return float_of(sign | (((uint32_t)(exponent - 1) << 23) + kept));
}

#else

static float multiply_add(float a, float b, float c)
{
    return multiply_add_in_double(a, b, c);
}

#endif
#endif

/* Rounded as IEEE 754 says, for processors that cannot: the C library's brings errno along. */
static float square_root(float x)
{
#if defined(__SSE2__) || defined(__aarch64__) || (defined(__ARM_FP) && (__ARM_FP & 4))
    return sqrtf(x);
#else
    uint32_t bits = bits_of(x);
    if (bits < 0x00800000u || bits >= 0x7F800000u) /* what no norm asks for but by a fault */
        return x > 0.0f && bits < 0x7F800000u ? square_root(x * 16777216.0f) / 4096.0f
               : x == 0.0f || bits == 0x7F800000u ? x : float_of(0x7FC00000u);
    int exponent = (int)(bits >> 23) - 127;
    uint32_t rest = (bits & 0x7FFFFFu) | 0x800000u, root = 0, left = 0;
    rest <<= 7 + (exponent & 1); /* two bits a step, an even power of two in front of them */
    for (int i = 0; i < 25; i++) {
        left = left << 2 | rest >> 30;
        rest <<= 2;
        uint32_t trial = root << 2 | 1u;
        root <<= 1;
        if (left >= trial) {
            left -= trial;
            root |= 1u;
        }
    }
    /* 25 bits of the root: the last, and whether anything is left, decide how 24 are rounded */
    root = (root >> 1) + ((root & 1u) && (left || (root & 2u)));
    exponent = (exponent - (exponent & 1)) / 2;
    return float_of(root + ((uint32_t)(exponent + 126) << 23));
#endif
}

static float half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, rest = h & 1023u;
    float tiny = (float)rest * 5.9604644775390625e-8f; /* 2^-24 */
    return exponent ? float_of(sign | (exponent + 112u) << 23 | rest << 13) : sign ? -tiny : tiny;
}

static float number(tt_stored of, int i)
{
    return of.f32 ? of.f32[i] : half(of.f16[i]);
}

static int has(tt_stored of)
{
    return of.f32 || of.f16;
}

/* Add the upper half of the lanes to the lower until one is left. */
static float fold(float *lanes)
{
    for (int left = TT_LANES / 2; left; left /= 2)
        for (int i = 0; i < left; i++)
            lanes[i] += lanes[i + left];
    return lanes[0];
}

static float polynomial(const float *coefficients, int count, float x)
{
    float value = coefficients[0];
    for (int i = 1; i < count; i++)
        value = multiply_add(value, x, coefficients[i]);
    return value;
}

/* 2^x for x from -126 to 0; smaller ones count as -126. */
static float exp2_of(float x)
{
    static const float EXP2[] = {1.3266975143925064e-3f, 9.6754645763239555e-3f,
                                 5.5507426457872239e-2f, 2.4022121664787216e-1f,
                                 6.9314694911506236e-1f, 1.0000000710474555f};
    x = x < -126.0f ? -126.0f : x;
    float shifted = x + ROUND;
    float rest = x - (shifted - ROUND);
    return float_of(bits_of(polynomial(EXP2, 6, rest)) + (bits_of(shifted) << 23));
}

/* ---- norms -------------------------------------------------------------------------------- */

void tt_layer_norm(float *out, const float *x, const tt_norm *norm, int width, float eps)
{
    float sums[TT_LANES] = {0}, squares[TT_LANES] = {0};
    for (int i = 0; i < width; i++)
        sums[i % TT_LANES] += x[i];
    float mean = fold(sums) / (float)width;
    for (int i = 0; i < width; i++) {
        float off = x[i] - mean;
        squares[i % TT_LANES] += off * off;
    }
    float variance = fold(squares) / (float)width;
    float factor = 1.0f / square_root(variance + eps);
    for (int i = 0; i < width; i++)
        out[i] = (x[i] - mean) * factor * number(norm->weight, i) + number(norm->bias, i);
}

static void rms_norm(float *out, const float *x, tt_stored weight, int width)
{
    float squares[TT_LANES] = {0};
    for (int i = 0; i < width; i++)
        squares[i % TT_LANES] += x[i] * x[i];
    float factor = 1.0f / square_root(fold(squares) / (float)width + BITLINEAR_EPS);
    for (int i = 0; i < width; i++)
        out[i] = x[i] * factor * number(weight, i);
}

/* ---- activations as integers -------------------------------------------------------------- */

/* Without its sign bit a float orders like its bits; infinity and NaN come out on top. */
static uint32_t magnitude(float x)
{
    return bits_of(x) & 0x7FFFFFFFu;
}

static int rounded(float x) /* half to even */
{
    return (int)(int32_t)(bits_of(x + ROUND) - ROUND_BITS);
}

/* RMSNorm and absmax int8 at once; return the scale. With y = x weight the normalised row is r y,
 * and its scale r max |y| / 127: in the codes, round(127 y / max |y|), r cancels. */
static float quantize_int8(int8_t *codes, const float *x, const tt_layer *layer)
{
    float squares[TT_LANES] = {0}, factor = 1.0f;
    uint32_t top = 0;
    for (int i = 0; i < layer->inputs; i++) {
        float y = has(layer->norm) ? x[i] * number(layer->norm, i) : x[i];
        top = magnitude(y) > top ? magnitude(y) : top;
        if (has(layer->norm))
            squares[i % TT_LANES] = multiply_add(x[i], x[i], squares[i % TT_LANES]);
    }
    if (has(layer->norm))
        factor = 1.0f / square_root(fold(squares) / (float)layer->inputs + BITLINEAR_EPS);
    float largest = factor * float_of(top);
    float scale = (largest < FLOOR ? FLOOR : largest) / 127.0f;
    float gain = factor / scale;
    for (int i = 0; i < layer->inputs; i++) {
        float y = has(layer->norm) ? x[i] * number(layer->norm, i) : x[i];
        codes[i] = (int8_t)rounded(y * gain);
    }
    return scale;
}

/* Integers from -most to most by the largest magnitude; return the scale. */
static float quantize_levels(int8_t *codes, const float *x, int count, int most)
{
    uint32_t top = 0;
    for (int i = 0; i < count; i++)
        top = magnitude(x[i]) > top ? magnitude(x[i]) : top;
    float largest = float_of(top);
    float scale = (largest < FLOOR ? FLOOR : largest) / (float)most;
    for (int i = 0; i < count; i++)
        codes[i] = (int8_t)rounded(x[i] / scale);
    return scale;
}

/* The sign where a magnitude is above the threshold, else 0; return what the sign stands for. */
static float quantize_trits(int8_t *codes, const float *x, const tt_layer *layer)
{
    float unit = 1.0f;
    if (layer->per_token) {
        double sum = 0.0;
        for (int i = 0; i < layer->inputs; i++)
            sum += (double)float_of(magnitude(x[i]));
        unit = (float)(sum / (double)layer->inputs);
    }
    float delta = (layer->threshold > 0.0f ? layer->threshold : 0.0f) * unit;
    float scale = layer->level * unit;
    for (int i = 0; i < layer->inputs; i++)
        codes[i] = (int8_t)(x[i] > delta ? 1 : x[i] < -delta ? -1 : 0);
    return scale < FLOOR ? FLOOR : scale;
}

/* ---- products ----------------------------------------------------------------------------- */

/* One output of a layer that reads integers, whose scale is `scale`. */
static float integer_output(const tt_layer *layer, int row, const tt_codes *input, float scale)
{
    int groups = layer->groups ? layer->groups : 1, width = layer->inputs / groups;
    float out = 0.0f;
    for (int g = 0; g < groups; g++) {
        int first = g * width, last = first + width, at = layer->groups ? row * groups + g : 0;
        int32_t negative = 0;
        int32_t sum = is_ternary(layer)
                          ? ternary_product(layer, row, first, last, input, &negative)
                          : integer_product(layer, row, first, last, input);
        if (layer->scale_negative) {
            out += (float)sum * (scale * layer->scale[at]);
            out += (float)negative * (scale * layer->scale_negative[at]);
        } else {
            out += (float)(sum + negative) * (scale * layer->scale[at]);
        }
    }
    return has(layer->bias) ? out + number(layer->bias, row) : out;
}

/* One output of a layer that reads floats: a chain of fused steps that begins with the bias. */
static float float_output(const tt_layer *layer, int row, const float *x)
{
    int groups = layer->groups ? layer->groups : 1, width = layer->inputs / groups;
    float sum = has(layer->bias) ? number(layer->bias, row) : 0.0f;
    if (layer->storage == TT_PLAIN) {
        for (int k = 0; k < layer->inputs; k++)
            sum = multiply_add(x[k], number(layer->plain, row * layer->inputs + k), sum);
        return sum;
    }
    int per_byte = trits_a_byte(layer);
    const uint8_t *next = (const uint8_t *)layer->weights;
    if (is_ternary(layer))
        next += row * ((layer->inputs + per_byte - 1) / per_byte);
    unsigned byte = 0;
    for (int k = 0; k < layer->inputs; k++) {
        int at = layer->groups ? row * groups + k / width : 0;
        if (is_ternary(layer) && k % per_byte == 0)
            byte = *next++;
        int value = is_ternary(layer) ? take_trit(&byte, per_byte) : integer_weight(layer, row, k);
        const float *scale = value < 0 && layer->scale_negative ? layer->scale_negative
                                                                : layer->scale;
        if (value) /* a float weight of 0 changes nothing */
            sum = multiply_add(x[k], (float)value * scale[at], sum);
    }
    return sum;
}

void tt_linear(float *out, const float *x, const tt_layer *layer, int first, int count,
               tt_work *work)
{
    tt_codes input = {.codes = work->codes};
    float scale = 1.0f;
    if (layer->reads != TT_READS_INT8 && has(layer->norm)) {
        rms_norm(work->floats, x, layer->norm, layer->inputs);
        x = work->floats;
    }
    if (layer->reads == TT_READS_INT8)
        scale = quantize_int8(work->codes, x, layer);
    else if (layer->reads == TT_READS_LEVELS)
        scale = quantize_levels(work->codes, x, layer->inputs, layer->most);
    else if (layer->reads == TT_READS_TRITS)
        scale = quantize_trits(work->codes, x, layer);
    if (layer->reads != TT_READS_FLOATS)
        arrange(&input, work->codes, layer);
    for (int i = 0; i < count; i++)
        out[i] = layer->reads == TT_READS_FLOATS
                     ? float_output(layer, first + i, x)
                     : integer_output(layer, first + i, &input, scale);
}

/* ---- attention ---------------------------------------------------------------------------- */

/* x = 2^(x - max x); return 1 / the sum of the results. */
static float softmax(float *x, int count)
{
    float top = -3.0e38f, sums[TT_LANES] = {0};
    int whole = (count + TT_LANES - 1) / TT_LANES * TT_LANES;
    for (int i = count; i < whole; i++)
        x[i] = -1e30f;
    for (int i = 0; i < whole; i++)
        top = x[i] > top ? x[i] : top;
    for (int i = 0; i < whole; i++) {
        x[i] = exp2_of(x[i] - top);
        sums[i % TT_LANES] += x[i];
    }
    return 1.0f / fold(sums);
}

void tt_attend(float *out, const float *query, const float *keys_values, int tokens, int heads,
               int kv_heads, int head_width, float *scores)
{
    int row = 2 * kv_heads * head_width;
    for (int head = 0; head < heads; head++) {
        const float *q = query + head * head_width;
        const float *keys = keys_values + head * kv_heads / heads * head_width;
        const float *values = keys + kv_heads * head_width;
        float *mixed = out + head * head_width;
        for (int t = 0; t < tokens; t++) {
            float score = 0.0f;
            for (int d = 0; d < head_width; d++)
                score = multiply_add(q[d], keys[t * row + d], score);
            scores[t] = score;
        }
        float share = softmax(scores, tokens);
        for (int d = 0; d < head_width; d++) {
            float sum = 0.0f;
            for (int t = 0; t < tokens; t++)
                sum = multiply_add(scores[t], values[t * row + d], sum);
            mixed[d] = sum * share; /* divided here, where there are fewer numbers */
        }
    }
}

/* ---- non-linearities ---------------------------------------------------------------------- */

void tt_gelu(float *x, int count)
{
    /* erf(z) = z P(z^2) / Q(z^2), z clipped to where erf is +-1 */
    static const float P[] = {-2.72614225801306e-10f, 2.77068142495902e-08f, -2.10102402082508e-06f,
                              -5.69250639462346e-05f, -7.34990630326855e-04f,
                              -2.95459980854025e-03f, -1.60960333262415e-02f};
    static const float Q[] = {-1.45660718464996e-05f, -2.13374055278905e-04f,
                              -1.68282697438203e-03f, -7.37332916720468e-03f,
                              -1.42647390514189e-02f};
    static const float LIMIT = 3.832506856900711f;
    for (int i = 0; i < count; i++) {
        float z = x[i] * 0.7071067811865476f;
        z = z > LIMIT ? LIMIT : z < -LIMIT ? -LIMIT : z;
        float square = z * z;
        float erf = z * polynomial(P, 7, square) / polynomial(Q, 5, square);
        float middle = x[i] * 0.5f;
        x[i] = multiply_add(middle, erf, middle);
    }
}

void tt_gelu_tanh(float *x, int count)
{
    for (int i = 0; i < count; i++) {
        float cube = x[i] * x[i] * x[i];
        /* 2 sqrt(2 / pi) log2 e: x / (1 + e^-2u) by a power of two that is below 1 */
        float power = (x[i] + cube * 0.044715f) * 2.302208198f;
        int negative = power < 0.0f;
        float small = exp2_of(negative ? power : -power);
        float share = 1.0f / (1.0f + small);
        x[i] *= negative ? small * share : share;
    }
}

void tt_relu_squared(float *x, int count)
{
    for (int i = 0; i < count; i++) {
        float positive = x[i] <= 0.0f ? 0.0f : x[i]; /* NaN stays NaN */
        x[i] = positive * positive;
    }
}

/* ---- tokens ------------------------------------------------------------------------------- */

void tt_cut_patch(float *patch, const uint8_t *image, int token, const tt_images *how)
{
    int top = token / how->grid * how->step - how->padding;
    int left = token % how->grid * how->step - how->padding;
    for (int c = 0; c < how->channels; c++)
        for (int y = top; y < top + how->patch; y++)
            for (int x = left; x < left + how->patch; x++) {
                int inside = y >= 0 && y < how->size && x >= 0 && x < how->size;
                *patch++ = inside ? (float)image[(y * how->size + x) * how->channels + c] *
                                            how->gain[c] - how->offset[c]
                                  : 0.0f;
            }
}

void tt_scale(float *x, float factor, int count)
{
    for (int i = 0; i < count; i++)
        x[i] *= factor;
}

void tt_copy_stored(float *x, tt_stored y, int count)
{
    for (int i = 0; i < count; i++)
        x[i] = number(y, i);
}

void tt_add(float *x, const float *y, int count)
{
    for (int i = 0; i < count; i++)
        x[i] += y[i];
}

void tt_add_stored(float *x, tt_stored y, int first, int count)
{
    for (int i = 0; i < count; i++)
        x[i] += number(y, first + i);
}

void tt_add_int8(float *x, const int8_t *y, float scale, int count)
{
    for (int i = 0; i < count; i++)
        x[i] += (float)y[i] * scale;
}

void tt_mean(float *out, const float *tokens, int count, int width)
{
    for (int d = 0; d < width; d++) {
        float sum = tokens[d];
        for (int t = 1; t < count; t++)
            sum += tokens[t * width + d];
        out[d] = sum / (float)count;
    }
}

int tt_are_numbers(const float *x, int count)
{
    for (int i = 0; i < count; i++)
        if (magnitude(x[i]) >= 0x7F800000u)
            return 0;
    return 1;
}

int tt_largest(const float *x, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}
