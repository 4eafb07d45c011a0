// Whole lives of LANES creatures side by side: what ../reference.py specifies, under the names it uses.
//
// Bit for bit the same: every operation rounds on its own, in the order written, so build with -ffp-contract=off and
// never with -ffast-math; for a GPU with --fmad=false, exact roots and quotients, and subnormal numbers kept. A Vec
// holds one number of every lane; lanes never meet. ../native.py supplies LANES, the constants in capitals and, row by
// row, what `Body::read` reads.
//
// One text for two machines. A processor lives LANES lives side by side. A GPU lives one in each thread (LANES is 1):
// its compiler is to take every function for the device (--device-as-default-execution-space), and THREADS is the size
// of a block of threads.

#ifdef __CUDACC__
#define UNROLL _Pragma("unroll")  // what is indexed by a number known beforehand can stay in registers
#define UNROLL_PAIRS UNROLL
#define CALLED
#else
#include <cfenv>
#include <cfloat>
#include <cmath>

#define UNROLL  // the compiler knows best
#define UNROLL_PAIRS _Pragma("GCC unroll 8")
#define CALLED __attribute__((noinline))  // inlined into the loop over a life, it takes the step's registers
static_assert(FLT_EVAL_METHOD == 0, "float32 must be computed in float32");
#endif

namespace life {  // beside a `tanh` of the library

#if LANES == 1
typedef float Vec;
typedef int Mask;
#define LANE(vec, lane) vec
#else
typedef float Vec __attribute__((vector_size(4 * LANES)));
typedef int Mask __attribute__((vector_size(4 * LANES)));
#define LANE(vec, lane) vec[lane]
#endif

constexpr int INPUTS = SENSES + 2;
constexpr int NEURAL_WEIGHTS = 1 + HIDDEN * (1 + INPUTS) + MUSCLES * (1 + HIDDEN);
constexpr int OSCILLATOR_WEIGHTS = MUSCLES * (3 + SENSES);
constexpr float ENDLESS_M = 3e38f;  // a gap to nothing: as of a node that is not there

// Compilers turn this loop into one instruction, where the processor has it for vectors.
static inline Vec root(Vec x) {
    Vec y;
    for (int lane = 0; lane < LANES; lane++) LANE(y, lane) = sqrtf(LANE(x, lane));
    return y;
}

static inline Vec all(float x) { return x - Vec{}; }
static inline Vec magnitude(Vec x) { return x < 0.0f ? -x : x; }

static inline bool any(Mask is_so) {
    bool is_any = false;
    for (int lane = 0; lane < LANES; lane++) is_any |= LANE(is_so, lane) != 0;
    return is_any;
}

static inline Vec cosine(Vec turns) {
    Vec part = turns - ((turns + ROUNDER) - ROUNDER);
    Vec u = 0.25f - magnitude(part);
    Vec s = u * u;
    Vec high = s * (SINE_3 + s * SINE_4);
    return u * (SINE_0 + s * (SINE_1 + s * (SINE_2 + high)));
}

static inline Vec tanh(Vec x) {
    x = x < -TANH_LIMIT ? all(-TANH_LIMIT) : x;
    x = x > TANH_LIMIT ? all(TANH_LIMIT) : x;
    Vec s = x * x;
    Vec above = x * (135135.0f + s * (17325.0f + s * (378.0f + s)));
    Vec below = 135135.0f + s * (62370.0f + s * (3150.0f + s * 28.0f));
    return above / below;
}

struct Space {
    Vec x, y, z;
};
static inline Space operator+(Space a, Space b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
static inline Space operator-(Space a, Space b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
static inline Space operator*(Space a, Vec b) { return {a.x * b, a.y * b, a.z * b}; }
static inline Vec dot(Space a, Space b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

// The same fields, in the same order, as in ../native.py, which combines in float64 the constants that meet the step.
struct World {
    float dt_s, per_dt, gravity_dt, drag_dt, restitution, bounce_m_s, sliding_share, breaking_squared;
};
struct Plan {
    long creatures, courses, pellets, ticks, steps_per_tick, is_neural;
    World world;
};

struct Motion {
    Space position_m[NODES], velocity_m_s[NODES];
    Vec fastest[NODES];  // of each node since the last tick, before the ground has its say, squared
};

// Whose life each lane of a block lives.
struct Block {
    long creature[LANES];
    const float* course[LANES];  // its pellets, [pellets, 2]
    long pellets;
};

// Takes the rows [rows, creatures] that describe creatures one by one, and of each the creatures of a block.
struct Rows {
    const float* row;
    long creatures;
    const Block& block;

    Vec next() {
        Vec value;
        for (int lane = 0; lane < LANES; lane++) LANE(value, lane) = row[block.creature[lane]];
        row += creatures;
        return value;
    }
    template <int N> void read(Vec (&values)[N]) {
        UNROLL
        for (Vec& value : values) value = next();
    }
};

// A processor gathers the weights of a block once; a GPU, whose neighbours read neighbours, reads them in place.
#ifdef __CUDACC__
struct Weights {
    const float* row;
    long creatures;

    void read(const Rows& rows, long) { row = rows.row + rows.block.creature[0], creatures = rows.creatures; }
    Vec operator[](int i) const { return __ldg(row + i * creatures); }
};
#else
struct Weights {
    Vec values[NEURAL_WEIGHTS > OSCILLATOR_WEIGHTS ? NEURAL_WEIGHTS : OSCILLATOR_WEIGHTS];

    void read(Rows& rows, long n) {
        for (long i = 0; i < n; i++) values[i] = rows.next();
    }
    Vec operator[](int i) const { return values[i]; }
};
#endif

// Some of the nodes or muscles of a body, a bit each.
struct Parts {
    unsigned bits;

    bool has(int part) const { return bits >> part & 1; }
    void add(int part, bool is_there) { bits |= (unsigned)is_there << part; }
};

struct Body {
    Parts nodes, muscles;  // that any lane has; the others have no share in anything, and are passed over
    Vec radius_m[NODES], reach_m[NODES], push[NODES], mass_share[NODES], count_share[NODES], friction[NODES];
    Vec rest_m[MUSCLES], swing_m[MUSCLES], stiffness_n_m[MUSCLES], damping_n_s_m[MUSCLES];
    Weights weights;

    void read(Rows& rows, Motion& birth, const Plan& plan) {
        UNROLL
        for (Space& node : birth.position_m) node.x = rows.next();
        UNROLL
        for (Space& node : birth.position_m) node.y = rows.next();
        UNROLL
        for (Space& node : birth.position_m) node.z = rows.next();
        UNROLL
        for (Space& node : birth.velocity_m_s) node = Space{};
        UNROLL
        for (Vec& squared : birth.fastest) squared = Vec{};
        rows.read(radius_m), rows.read(reach_m), rows.read(push), rows.read(mass_share);
        rows.read(count_share), rows.read(friction);
        rows.read(rest_m), rows.read(swing_m), rows.read(stiffness_n_m), rows.read(damping_n_s_m);
        weights.read(rows, plan.is_neural ? NEURAL_WEIGHTS : OSCILLATOR_WEIGHTS);
        UNROLL
        for (Vec& inverse_mass : push) inverse_mass = inverse_mass * plan.world.dt_s;
        find_parts();
    }

    void find_parts() {
        nodes = muscles = {};
        UNROLL
        for (int n = 0; n < NODES; n++) nodes.add(n, any(push[n] > 0.0f));
        UNROLL
        for (int m = 0; m < MUSCLES; m++) muscles.add(m, any((stiffness_n_m[m] != 0.0f) | (damping_n_s_m[m] != 0.0f)));
    }
};

struct Hunt {
    Vec collected, first_gap_m, best_gap_m, last_gap_m, pellet_x_m, pellet_z_m;

    void aim(const Block& block) {
        for (int lane = 0; lane < LANES; lane++) {
            const float* pellet = block.course[lane] + 2 * (long)LANE(collected, lane);
            LANE(pellet_x_m, lane) = pellet[0], LANE(pellet_z_m, lane) = pellet[1];
        }
    }
};

static inline Space centre(const Space (&of_nodes)[NODES], const Body& body) {
    Space total = {};
    UNROLL
    for (int n = 0; n < NODES; n++)
        if (body.nodes.has(n)) total = total + of_nodes[n] * body.mass_share[n];
    return total;
}

// Set the force of the muscles on each node. A node's muscles come in ascending order of the node at the other end,
// because the pairs do. A branch for each of the unrolled muscles beats a loop over a list of those that are there.
static inline void pull(Space (&force)[NODES], const Motion& motion, const Body& body, const Vec (&target_m)[MUSCLES]) {
    UNROLL
    for (Space& on_node : force) on_node = Space{};
    int m = 0;
    UNROLL_PAIRS
    for (int i = 0; i < NODES; i++) {
        UNROLL_PAIRS
        for (int j = i + 1; j < NODES; j++, m++) {
            if (!body.muscles.has(m)) continue;
            Space d = motion.position_m[j] - motion.position_m[i];
            Space rate = motion.velocity_m_s[j] - motion.velocity_m_s[i];
            Vec length = root(dot(d, d) + SHORTEST_SQUARED);
            Vec inverse = 1.0f / length;
            Vec spring = body.stiffness_n_m[m] * (length - target_m[m]);
            Vec damper = body.damping_n_s_m[m] * (dot(d, rate) * inverse);
            Space along = d * ((spring + damper) * inverse);
            force[i] = force[i] + along;
            force[j] = force[j] - along;
        }
    }
}

static inline Space collide(Vec height_m, Space velocity, Vec radius_m, Vec friction, const World& world) {
    Vec landing = (radius_m - height_m) * world.per_dt;
    Vec rebound = velocity.y < -world.bounce_m_s ? velocity.y * -world.restitution : landing;
    Vec risen = velocity.y < landing ? rebound : velocity.y;
    Vec grip = friction * (risen - velocity.y);
    Vec speed = root(velocity.x * velocity.x + velocity.z * velocity.z);
    Vec slid = speed - grip * world.sliding_share;
    Vec kept = speed > grip ? slid / speed : Vec{};
    return {velocity.x * kept, risen, velocity.z * kept};
}

static inline void step(Motion& motion, const Body& body, const Vec (&target_m)[MUSCLES], const World& world) {
    Space force[NODES];
    pull(force, motion, body, target_m);
    Space (&velocity)[NODES] = motion.velocity_m_s;
    UNROLL
    for (int n = 0; n < NODES; n++) {
        if (!body.nodes.has(n)) continue;
        velocity[n] = velocity[n] + force[n] * body.push[n];
        velocity[n].y = velocity[n].y - world.gravity_dt;
    }
    Space own = centre(velocity, body);
    UNROLL
    for (int n = 0; n < NODES; n++) {
        if (!body.nodes.has(n)) continue;
        Space slowed = velocity[n] + (own - velocity[n]) * all(world.drag_dt);
        Vec squared = slowed.x * slowed.x + slowed.z * slowed.z + slowed.y * slowed.y;
        motion.fastest[n] = squared > motion.fastest[n] ? squared : motion.fastest[n];
        velocity[n] = collide(motion.position_m[n].y, slowed, body.radius_m[n], body.friction[n], world);
        motion.position_m[n] = motion.position_m[n] + velocity[n] * all(world.dt_s);
    }
}

// Let the bodies drop where they are of which a node was too fast since the last tick.
static inline void drop_broken(Motion& motion, Body& body, const World& world) {
    Mask broken = {};
    UNROLL
    for (int n = 0; n < NODES; n++) {
        broken |= (motion.fastest[n] > world.breaking_squared) & (body.push[n] > 0.0f);
        motion.fastest[n] = Vec{};
    }
    if (!any(broken)) return;
    UNROLL
    for (Space& v : motion.velocity_m_s) v = {broken ? Vec{} : v.x, broken ? Vec{} : v.y, broken ? Vec{} : v.z};
    UNROLL
    for (int m = 0; m < MUSCLES; m++) {
        body.stiffness_n_m[m] = broken ? Vec{} : body.stiffness_n_m[m];
        body.damping_n_s_m[m] = broken ? Vec{} : body.damping_n_s_m[m];
    }
    body.find_parts();
}

static inline Vec gap_to(const Hunt& hunt, const Motion& motion, const Body& body) {
    Vec nearest = all(ENDLESS_M);
    UNROLL
    for (int n = 0; n < NODES; n++) {
        if (!body.nodes.has(n)) continue;
        const Space& at = motion.position_m[n];
        Space d = {at.x - hunt.pellet_x_m, at.y - PELLET_M, at.z - hunt.pellet_z_m};
        Vec edge = root(dot(d, d)) - body.reach_m[n];
        nearest = edge < nearest ? edge : nearest;
    }
    return nearest - PELLET_M;
}

static void look(Hunt& hunt, const Motion& motion, const Body& body, const Block& block) {
    Vec gap = gap_to(hunt, motion, body);
    Mask taken = (gap <= 0.0f) & (hunt.collected < (float)(block.pellets - 1));
    hunt.best_gap_m = gap < hunt.best_gap_m ? gap : hunt.best_gap_m;
    hunt.last_gap_m = gap;
    if (!any(taken)) return;  // the gap to the same pellet would be measured again
    hunt.collected = hunt.collected + (taken ? all(1.0f) : Vec{});
    hunt.aim(block);
    Vec fresh = gap_to(hunt, motion, body);
    hunt.first_gap_m = taken ? fresh : hunt.first_gap_m;
    hunt.best_gap_m = taken ? fresh : hunt.best_gap_m;
    hunt.last_gap_m = fresh;
}

static void sense(Vec* senses, const Hunt& hunt, const Motion& motion, const Body& body) {
    Space at = centre(motion.position_m, body), going = centre(motion.velocity_m_s, body);
    Vec x = hunt.pellet_x_m - at.x, z = hunt.pellet_z_m - at.z;
    Vec distance = root(x * x + z * z + SHORTEST_SQUARED);
    Vec touching = {};
    UNROLL
    for (int n = 0; n < NODES; n++) {
        if (!body.nodes.has(n)) continue;
        Mask is_low = motion.position_m[n].y - body.radius_m[n] < TOUCH_M;
        touching = touching + (is_low ? body.count_share[n] : Vec{});
    }
    senses[0] = x / distance, senses[1] = z / distance, senses[2] = distance * 0.1f;
    senses[3] = going.x, senses[4] = going.y, senses[5] = going.z, senses[6] = touching;
}

// One unit: bias + sum of weight * input; weights hold the biases, the unit's own first, then a row of units per input.
static inline Vec unit(const Weights& weights, int first, int units, const Vec* inputs, int n_inputs) {
    Vec total = weights[first];
    UNROLL
    for (int i = 0; i < n_inputs; i++) total = total + weights[first + units * (i + 1)] * inputs[i];
    return total;
}

static CALLED void act_neural(Vec* action, Parts muscles, const Weights& weights, Vec* inputs, float time_s) {
    Vec turns = weights[0] * time_s, hidden[HIDDEN];
    inputs[SENSES] = cosine(turns), inputs[SENSES + 1] = cosine(turns - 0.25f);
    constexpr int OUTPUT = 1 + HIDDEN * (1 + INPUTS);
    UNROLL
    for (int u = 0; u < HIDDEN; u++) hidden[u] = tanh(unit(weights, 1 + u, HIDDEN, inputs, INPUTS));
    UNROLL
    for (int m = 0; m < MUSCLES; m++)
        if (muscles.has(m)) action[m] = tanh(unit(weights, OUTPUT + m, MUSCLES, hidden, HIDDEN));
}

static CALLED void act_oscillator(Vec* action, Parts muscles, const Weights& weights, Vec* inputs, float time_s) {
    UNROLL
    for (int m = 0; m < MUSCLES; m++) {
        if (!muscles.has(m)) continue;
        Vec swing = tanh(unit(weights, 2 * MUSCLES + m, MUSCLES, inputs, SENSES));
        action[m] = swing * cosine(weights[m] * time_s + weights[MUSCLES + m]);
    }
}

// Live the lives of one block: ten times a second look around and act, then take the steps up to the next tick.
static void live_block(const Plan& plan, const Block& block, Rows rows, Vec (&results)[6]) {
    Motion motion;
    Body body;
    body.read(rows, motion, plan);
    Hunt hunt = {};
    hunt.aim(block);
    hunt.first_gap_m = hunt.best_gap_m = gap_to(hunt, motion, body);
    for (long tick = 0; tick < plan.ticks; tick++) {
        Vec inputs[INPUTS], action[MUSCLES], target_m[MUSCLES];
        look(hunt, motion, body, block);
        sense(inputs, hunt, motion, body);
        float time_s = (float)tick * TICK_S;
        if (plan.is_neural)
            act_neural(action, body.muscles, body.weights, inputs, time_s);
        else
            act_oscillator(action, body.muscles, body.weights, inputs, time_s);
        UNROLL
        for (int m = 0; m < MUSCLES; m++)
            if (body.muscles.has(m)) target_m[m] = body.rest_m[m] + body.swing_m[m] * action[m];
        for (long i = 0; i < plan.steps_per_tick; i++) step(motion, body, target_m, plan.world);
        drop_broken(motion, body, plan.world);
    }
    look(hunt, motion, body, block);
    Space end = centre(motion.position_m, body);
    Mask inside = ~Mask{};
    UNROLL
    for (int n = 0; n < NODES; n++) {
        const Space& at = motion.position_m[n];
        Mask is_absent = body.push[n] == 0.0f;
        inside &= (magnitude(at.x) <= FARTHEST_M) | is_absent;
        inside &= (magnitude(at.y) <= FARTHEST_M) | is_absent;
        inside &= (magnitude(at.z) <= FARTHEST_M) | is_absent;
    }
    Vec travel_m = root(end.x * end.x + end.z * end.z);
    const Vec found[] = {hunt.collected,  hunt.first_gap_m, hunt.best_gap_m,
                         hunt.last_gap_m, travel_m,         inside ? all(1.0f) : Vec{}};
    UNROLL
    for (int i = 0; i < 6; i++) results[i] = found[i];
}

// Live the lives from `first` on, one in each lane, and write their results.
static void live_from(long first, const Plan& plan, const float* rows, const float* pellets, float* out) {
    long lives = plan.creatures * plan.courses;
    Block block;
    block.pellets = plan.pellets;
    for (int lane = 0; lane < LANES; lane++) {
        long life = first + lane < lives ? first + lane : lives - 1;  // spare lanes repeat the last life
        block.creature[lane] = life / plan.courses;
        block.course[lane] = pellets + 2 * plan.pellets * (life % plan.courses);
    }
    Vec results[6];
    live_block(plan, block, {rows, plan.creatures, block}, results);
    for (int lane = 0; lane < LANES && first + lane < lives; lane++)
        for (int i = 0; i < 6; i++) out[i * lives + first + lane] = LANE(results[i], lane);
}

}  // namespace life

// Live every creature's life on every course; `out` is [6, lives], creature by creature, course by course.
#ifdef __CUDACC__
extern "C" __global__ void __launch_bounds__(THREADS)
live(const life::Plan* plan, const float* rows, const float* pellets, float* out) {
    long thread = blockIdx.x * (long)THREADS + threadIdx.x;
    if (thread < plan->creatures * plan->courses) life::live_from(thread, *plan, rows, pellets, out);
}
#else
extern "C" void live(const life::Plan* plan, const float* rows, const float* pellets, float* out) {
    fenv_t before;  // another library may have switched rounding or subnormal numbers
    fegetenv(&before);
    fesetenv(FE_DFL_ENV);
    long lives = plan->creatures * plan->courses;
    for (long first = 0; first < lives; first += LANES) life::live_from(first, *plan, rows, pellets, out);
    fesetenv(&before);
}
#endif
