// The most that one core can multiply and add: enough independent sums to hide the latency, and nothing else.

typedef float Vec __attribute__((vector_size(4 * LANES)));

constexpr int SUMS = 12;

extern "C" long flop_per_round() { return 2l * SUMS * LANES; }

extern "C" float multiply_and_add(long rounds) {
    Vec sums[SUMS];
    for (int i = 0; i < SUMS; i++) sums[i] = Vec{} + (float)i;
    for (long round = 0; round < rounds; round++)
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++) sums[i] = sums[i] * 0.999f + 0.001f;
    Vec total = {};
    for (Vec& sum : sums) total += sum;
    return total[0];
}
