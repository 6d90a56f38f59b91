// The sixteen uneven levels of IQ4_NL and IQ4_XS.

#define NONLINEAR_LEVELS {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

/// Level `index`, 0 ... 15.
KERNEL float nonlinear_level(int index) {
    static const int8_t levels[16] = NONLINEAR_LEVELS;
    return levels[index];
}

/// Halfway from the level before `index` to level `index`: from there on a value is rounded to level `index`. The
/// differences that the reference compares are exact around it, so that comparing with it decides alike.
KERNEL float nonlinear_threshold(int index) {
    return (nonlinear_level(index - 1) + nonlinear_level(index)) * 0.5f;
}
